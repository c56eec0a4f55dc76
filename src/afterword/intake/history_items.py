"""Rows of history as facts for the log: what SQL found good becomes `Accepted`, the rest is told with its reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import msgspec
import pyarrow as pa
from msgspec import Raw

from afterword.errors import Reason
from afterword.intake.accepted import Accepted, Attributes, Merge, Rejected
from afterword.intake.bodies import DECODE_ERRORS, object_of
from afterword.intake.columns import MAX_PROPERTIES_BYTES
from afterword.intake.history import FACTS, USER, History, HistoryKind, fields_of
from afterword.intake.steps import Draft, properties
from afterword.intake.typed import is_plain

ID = "id"
"""The column of ids that are derived from the content, where the file gives none."""
_LOGGED: dict[HistoryKind, str] = {"users": "attributes"}
"""What rejected items of a kind are called in the log, where that is not the kind's own name."""
_BLANKS = " \t\n\r"
_DEFAULTS: dict[str, Any] = {"once": True, "quantity": 1, "machine": False, "corrected": False}


@dataclass(frozen=True, slots=True)
class Refused:
    """A row that cannot be used."""

    place: int
    """In its batch, from 0."""
    record: int
    """In the file, from 1."""
    reason: Reason
    message: str


class Items:
    """Some consecutive rows of one file, checked."""

    def __init__(self, kind: HistoryKind, history: History, batch: pa.RecordBatch) -> None:
        """Look at the rows.

        Args:
            kind: of the file.
            history: how it is read.
            batch: rows of `history.sql`, with `ID` where ids may be missing.

        """
        self._kind = kind
        self._history = history
        self._batch = batch
        self.size = batch.num_rows
        self._objects: list[Raw | None] = []
        self.refused = [*_refused_by_sql(batch), *self._look()]

    def after(self, rows: int) -> Items:
        """Return these rows without so many of the first."""
        return Items(self._kind, self._history, self._batch.slice(rows))

    @property
    def notes(self) -> int:
        """What was assumed of some row (bits of `intake.times`)."""
        found = 0
        for value in pa.compute.unique(self._batch.column("notes")).to_pylist():
            found |= value
        return found

    def accepted(self) -> Accepted:
        """Return the rows as one request; the item of each is its place."""
        bad = {each.place for each in self.refused}
        places: Sequence[int] = range(self.size)
        if bad:
            places = [place for place in places if place not in bad]
        name = _LOGGED.get(self._kind, self._kind)
        lists: dict[str, Any] = {name: self._facts(places, complete=not bad)}
        return Accepted(**lists, rejected=[Rejected(r.place, name, r.reason, r.message) for r in self.refused])

    def _facts(self, places: Sequence[int], *, complete: bool) -> list[Any]:
        def chosen(values: Sequence[Any]) -> Iterable[Any]:
            return values if complete else [values[place] for place in places]

        if self._kind == "users":
            users = chosen(self._column(USER))
            return list(map(Attributes, places, users, chosen(self._objects)))
        columns: list[Iterable[Any]] = []
        for name in fields_of(self._kind):
            if name == "properties" and self._objects:
                columns.append(chosen(self._objects))
            elif name == _own_id(self._kind) and ID in self._batch.schema.names:
                columns.append(chosen(self._column(ID)))
            elif name in self._history.columns:
                columns.append(chosen(self._column(name)))
            else:
                columns.append(repeat(_DEFAULTS.get(name)))
        struct: Any = FACTS.get(self._kind, Merge)
        return list(map(struct, places, *columns))

    def _column(self, name: str) -> list[Any]:
        column = self._batch.column(name)
        if pa.types.is_string(column.type):  # a third of the time
            texts: list[Any] = column.to_numpy(zero_copy_only=False).tolist()
            return texts
        values: list[Any] = column.to_pylist()
        return values

    def _look(self) -> list[Refused]:
        """Look at the objects that the log keeps as they are written: what SQL cannot tell of them."""
        if self._kind == "users":
            self._objects = list(self._attributes())
            name, look = "the user's attributes", _fault_of_attributes
        elif self._kind == "events" and "properties" in self._history.columns:
            self._objects = [None if t is None else Raw(t.strip(_BLANKS).encode()) for t in self._column("properties")]
            name, look = "properties", _fault_of_properties
        else:
            return []
        reasons, records = self._batch.column("reason"), self._batch.column("record")
        found = []
        for place, value in enumerate(self._objects):
            if value is None or (fault := look(value, name)) is None:
                continue
            if not reasons[place].is_valid:
                found.append(Refused(place, records[place].as_py(), *fault))
        return found

    def _attributes(self) -> Iterator[Raw]:
        names = [msgspec.json.encode(name).decode() for name in self._history.attributes]
        columns = [self._column(f"attribute_{place}") for place in range(len(names))]
        for place in range(self.size):
            pairs = [(name, column[place]) for name, column in zip(names, columns, strict=True)]
            yield Raw(("{" + ",".join(f"{name}:{value}" for name, value in pairs if value is not None) + "}").encode())


def _fault_of_attributes(value: Raw, name: str) -> tuple[Reason, str] | None:
    data = bytes(value)
    if len(data) > MAX_PROPERTIES_BYTES:
        return Reason.TOO_LARGE, f"{name} have {len(data)} bytes, must be at most {MAX_PROPERTIES_BYTES}"
    try:
        msgspec.json.decode(data)
    except DECODE_ERRORS:
        return Reason.BAD_TYPE, f"{name} are no JSON"
    return None


def _fault_of_properties(value: Raw, name: str) -> tuple[Reason, str] | None:
    """Return what the step of requests finds; the usual object is seen to be good without it."""
    if len(bytes(value)) and is_plain(value):
        try:
            object_of(value)
            return None
        except DECODE_ERRORS:
            pass
    draft = Draft({name: Raw(msgspec.json.encode(bytes(value).decode()))})
    properties(draft, name)
    fault = draft.worst
    return None if fault is None else (fault.reason, fault.message)


def _refused_by_sql(batch: pa.RecordBatch) -> list[Refused]:
    reasons = batch.column("reason")
    if reasons.null_count == len(reasons):
        return []
    records, messages = batch.column("record"), batch.column("message")
    return [
        Refused(place, records[place].as_py(), Reason(reasons[place].as_py()), messages[place].as_py())
        for place in pa.compute.indices_nonzero(reasons.is_valid()).to_pylist()
    ]


def _own_id(kind: HistoryKind) -> str:
    return {"events": "event_id", "exposures": "exposure_id", "step_messages": "message_id"}.get(kind, "")
