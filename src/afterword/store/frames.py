"""Frames of the log made ready for SQL, a bounded number of bytes at a time."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, TypeAlias, TypeVar

import duckdb
import msgspec
import pyarrow as pa

from afterword.errors import Reason
from afterword.intake.accepted import DIALECT
from afterword.log import Entry, Reader
from afterword.store.statements import run

WHOLE_REQUEST: Final = -1
"""The item of what concerns a request as a whole."""
T = TypeVar("T")
_ABSENT: Final = msgspec.Raw(b"")
_EMPTY: Final = frozenset((b"", b"[]", b"null"))
_MORSEL: Final = 128
"""Requests that a thread of the database takes at a time; it would take 2,048, which is all that there are."""
_SCHEMA: Final = pa.schema(
    [("position", pa.uint64()), ("arrived_at", pa.int64()), ("first", pa.int64()), ("list", pa.string())]
)


class Lists(msgspec.Struct, gc=False):
    """The lists of `intake.accepted.Accepted`, each as its JSON: cutting them apart costs little, SQL does the rest."""

    events: msgspec.Raw = _ABSENT
    usual_events: msgspec.Raw = _ABSENT
    usual_purchases: msgspec.Raw = _ABSENT
    exposures: msgspec.Raw = _ABSENT
    step_messages: msgspec.Raw = _ABSENT
    attributes: msgspec.Raw = _ABSENT
    merges: msgspec.Raw = _ABSENT
    deletions: msgspec.Raw = _ABSENT
    tombstones: msgspec.Raw = _ABSENT
    rejected: msgspec.Raw = _ABSENT


LISTS: Final = Lists.__struct_fields__
USUAL: Final = ("usual_events", "usual_purchases")
_List: TypeAlias = tuple[int, int, int, bytes]
"""Position, time of receipt, item of the first, the JSON."""
_DECODER: Final = msgspec.json.Decoder(Lists)


class _Usual(msgspec.Struct, gc=False):
    """What `intake.accepted.Usual` becomes."""

    first: int
    objects: msgspec.Raw


_USUAL_DECODER: Final = msgspec.json.Decoder(_Usual)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request, or one list of it, that cannot be read."""

    position: int
    arrived_at: int
    kind: str
    message: str


class Batch:
    """Some consecutive frames.

    Attributes:
        end: the position behind them.
        refusals: what cannot be read.
        oldest: the first time of receipt, in epoch microseconds; None if there is no frame.
        newest: the last one.
        size: bytes of the bodies.
        senders: position and key of each frame.

    """

    def __init__(self, end: int) -> None:
        self.end = end
        self.refusals: list[Refusal] = []
        self.oldest: int | None = None
        self.newest: int | None = None
        self.size = 0
        self.senders: list[tuple[int, str]] = []
        self._lists: dict[str, list[_List]] = {name: [] for name in LISTS}

    def add(self, entry: Entry) -> None:
        """Take one frame in."""
        frame, arrived_at = entry.frame, entry.frame.received_at
        self.oldest = arrived_at if self.oldest is None else min(self.oldest, arrived_at)
        self.newest = arrived_at if self.newest is None else max(self.newest, arrived_at)
        self.size += len(frame.body)
        self.senders.append((entry.position, frame.key_id))
        if frame.dialect != DIALECT:
            message = f'unknown dialect "{frame.dialect}" in the log, this version reads "{DIALECT}"'
            self.refusals.append(Refusal(entry.position, arrived_at, "requests", message))
            return
        lists = decoded(frame.body, _DECODER)
        if lists is None:
            message = "the body of the request is no JSON object"
            self.refusals.append(Refusal(entry.position, arrived_at, "requests", message))
            return
        for name in LISTS:
            if (text := bytes(getattr(lists, name))) not in _EMPTY:
                self._add_list(name, entry.position, arrived_at, text)

    @property
    def is_closed(self) -> bool:
        """Whether nothing may follow in this batch: what comes after a deletion waits until it is known (rule 36)."""
        return bool(self._lists["deletions"])

    def names(self) -> list[str]:
        """Return the names of the lists that there are."""
        return [name for name, lists in self._lists.items() if lists]

    def having(self, name: str) -> pa.Table:
        """Return the lists of this name: `position`, `arrived_at`, `first` (usual ones), and `list`, a JSON array."""
        return _table(self._lists[name])

    def refuse_unread(self, name: str, read: set[int]) -> None:
        """Refuse the lists of a name from which SQL could make no item, given the positions of those it could read."""
        for position, arrived_at, _, _ in self._lists[name]:
            if position not in read:
                self.refusals.append(Refusal(position, arrived_at, name, f"{name} cannot be read"))

    def _add_list(self, name: str, position: int, arrived_at: int, text: bytes) -> None:
        first = 0
        if name in USUAL:
            usual = decoded(text, _USUAL_DECODER)
            first, text = (usual.first, bytes(usual.objects)) if usual is not None else (0, b"")
        if not text.startswith(b"["):
            self.refusals.append(Refusal(position, arrived_at, name, f"{name} is no list"))
        elif not _is_text(text):
            self.refusals.append(Refusal(position, arrived_at, name, f"{name} is not UTF-8"))
        elif text[1:-1].strip():
            self._lists[name].append((position, arrived_at, first, text))


def batches(reader: Reader, up_to: int, limit: int) -> Iterator[Batch]:
    """Yield the frames before a position in batches of about `limit` bytes, the last with all that is left.

    A request that deletes persons is the last of its batch.
    """
    while reader.position < up_to:
        batch = Batch(reader.position)
        for entry in reader.read(up_to):
            batch.add(entry)
            if batch.size >= limit or batch.is_closed:
                break
        batch.end = reader.position
        yield batch


def read_ahead(reader: Reader, up_to: int, limit: int) -> Generator[Batch, None, None]:
    """Yield what `batches` does; a thread makes the next batch ready while the caller works on one.

    The reader is free again when this ends, also early.
    """
    source = batches(reader, up_to, limit)
    with ThreadPoolExecutor(1, "afterword-reading") as pool:
        following = pool.submit(next, source, None)
        while (batch := following.result()) is not None:
            following = pool.submit(next, source, None)
            yield batch


def decoded(body: bytes, decoder: msgspec.json.Decoder[T]) -> T | None:
    """Return a body as the decoder's type, None if it is no JSON object.

    Python's reader lets pass what others do not, such as half a surrogate pair, which is no character: it is replaced.
    """
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    try:
        repaired = json.dumps(json.loads(body), ensure_ascii=False).encode("utf-8", "replace")
        return decoder.decode(repaired)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def add_refusals(con: duckdb.DuckDBPyConnection, refusals: list[Refusal]) -> None:
    """Keep what could not be read at all in `rejected`."""
    for each in refusals:
        row = [each.position, WHOLE_REQUEST, each.kind, Reason.BAD_TYPE.value, each.message, each.arrived_at]
        run(con, "INSERT INTO rejected VALUES (?, ?, ?, ?, ?, ?)", row)


def _is_text(text: bytes) -> bool:
    if text.isascii():  # the usual case, and quick
        return True
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _table(lists: list[_List]) -> pa.Table:
    position = pa.array([position for position, _, _, _ in lists], pa.uint64())
    arrived_at = pa.array([arrived_at for _, arrived_at, _, _ in lists], pa.int64())
    first = pa.array([first for _, _, first, _ in lists], pa.int64())
    text = pa.array([text for _, _, _, text in lists], pa.binary()).cast(pa.string())
    table = pa.Table.from_arrays([position, arrived_at, first, text], schema=_SCHEMA)
    return pa.Table.from_batches(table.to_batches(max_chunksize=_MORSEL), schema=_SCHEMA)
