"""Erasing persons from the log, so that a replay gives the facts that the store has after `erasing.erase_waiting`."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import Any, Final

import duckdb
import msgspec

from afterword.intake.accepted import DIALECT
from afterword.intake.braze_usual import ARRAYS, unfolded
from afterword.log import Frame
from afterword.log.rewriting import Change
from afterword.store.erasing import ERASED_MESSAGE
from afterword.store.frames import decoded
from afterword.store.people import TOMBSTONE_SQL
from afterword.store.shapes import SHAPES, Shape

FEW: Final = 40
"""Spellings that are searched for in every body, one after the other; for more, bodies are read instead."""
_FACTS: Final = frozenset(shape.table for shape in SHAPES)


class Known(msgspec.Struct):
    """What must be known of erased persons to take them out of the log; as JSON it goes to the process that does so."""

    users: list[str]
    """All their ids."""
    kept: dict[str, msgspec.Raw]
    """What stands in the store in the place of a fact, by table, position and item."""
    tombstones: dict[str, list[msgspec.Raw]]
    """What stands for a deletion, by position and item."""
    refused: list[int]
    """Positions of requests with something about persons who were erased before and whose ids nobody knows any more."""
    hashes: list[str]
    """Tombstones, which tell these persons."""
    key: str
    """The secret of the workspace for tombstones, in hexadecimal digits."""


class _Usual(msgspec.Struct):
    first: int
    objects: msgspec.Raw


class _Items(msgspec.Struct, omit_defaults=True):
    """The lists of a request; what concerns others keeps the very spelling that it has, or becomes plain events."""

    usual_events: _Usual | None = None
    usual_purchases: _Usual | None = None
    events: list[msgspec.Raw] = []
    exposures: list[msgspec.Raw] = []
    step_messages: list[msgspec.Raw] = []
    attributes: list[msgspec.Raw] = []
    merges: list[msgspec.Raw] = []
    deletions: list[msgspec.Raw] = []
    tombstones: list[msgspec.Raw] = []
    rejected: list[msgspec.Raw] = []


_LISTS: Final = tuple(name for name in _Items.__struct_fields__ if name not in ARRAYS)
_DECODER: Final = msgspec.json.Decoder(_Items)


class _Named(msgspec.Struct):
    """What may name a person in an item."""

    user_id: str = ""
    external_id: str = ""
    from_user_id: str = ""
    to_user_id: str = ""
    message: str = ""


class _UsualNamed(msgspec.Struct):
    objects: list[_Named] = []


class _AllNamed(msgspec.Struct):
    usual_events: _UsualNamed = msgspec.field(default_factory=_UsualNamed)
    usual_purchases: _UsualNamed = msgspec.field(default_factory=_UsualNamed)
    events: list[_Named] = []
    exposures: list[_Named] = []
    step_messages: list[_Named] = []
    attributes: list[_Named] = []
    merges: list[_Named] = []
    deletions: list[_Named] = []
    rejected: list[_Named] = []


_NAMES: Final = msgspec.json.Decoder(_AllNamed)


def known(con: duckdb.DuckDBPyConnection, up_to: int, key: bytes) -> Known:
    """Return what must be known of those erased by deletions before a position, between `erase_waiting` and `forget`.

    Args:
        con: to a database that `open_facts` opened.
        up_to: the position behind the last deletion.
        key: the secret of the workspace for tombstones.

    """
    rows = con.execute(
        f"""
        SELECT user_id, position, item, replacement, erased_at, {TOMBSTONE_SQL.format(id="user_id")} FROM erasures
        WHERE position < $up_to ORDER BY position, item, user_id""",
        {"key": key.hex(), "up_to": up_to},
    ).fetchall()
    tombstones: dict[str, list[msgspec.Raw]] = {}
    for _, position, item, _, erased_at, digest in rows:
        stone = msgspec.Raw(msgspec.json.encode({"item": item, "hash": digest, "erased_at": erased_at}))
        tombstones.setdefault(_place("deletions", position, item), []).append(stone)
    replacements = sorted({row[3] for row in rows if row[3] is not None})
    kept = {place: fact for shape in SHAPES for place, fact in _facts(con, shape, replacements)}
    refused = con.execute("SELECT DISTINCT position FROM refused WHERE position < ?", [up_to]).fetchall()
    hashes = con.execute("SELECT hash FROM tombstones").fetchall() if refused else []
    return Known(
        sorted({row[0] for row in rows}),
        kept,
        tombstones,
        sorted(position for (position,) in refused),
        [digest for (digest,) in hashes],
        key.hex(),
    )


def concerns(known: Known) -> Callable[[int, int], bool]:
    """Return whether the positions from one to before another may have to be changed."""
    if known.users:
        return lambda _first, _end: True
    return lambda first, end: bisect_left(known.refused, first) < bisect_left(known.refused, end)


def names_one_of(users: Iterable[str]) -> Callable[[bytes], bool]:
    """Return whether a text, or JSON, has one of some ids in it."""
    spellings = _spellings(users) | {user.encode("utf-8", "replace") for user in users}
    return lambda text: any(form in text for form in spellings)


def change(known: Known) -> Change:
    """Return what `log.rewriting` does to each frame.

    An item of a person becomes what the store has in its place, a deletion the tombstones of the person's ids. What the
    store does not have, such as repetitions, conflicts, attributes and merges, is removed. A body that names a person
    and cannot be read, from which nothing was loaded, is erased whole.
    """
    users = frozenset(known.users)
    spellings = _spellings(users)

    refused, hashes, key = frozenset(known.refused), frozenset(known.hashes), known.key
    judged: dict[str, bool] = {}

    def is_erased(user: str) -> bool:
        if user not in judged:
            judged[user] = user in users or tombstone(user, key) in hashes
        return judged[user]

    def may_name(body: bytes) -> bool:
        if len(spellings) > FEW and (read := _read(body)) is not None:
            return any(_names_one(item, users) for item in read)
        return any(form in body for form in spellings)

    def changed(position: int, frame: Frame) -> Frame | None:
        of_erased = is_erased if position in refused else users.__contains__
        if position not in refused and not may_name(frame.body):
            return frame
        lists = decoded(frame.body, _DECODER) if frame.dialect == DIALECT else None
        if lists is None:
            return None
        _unfold(lists)
        if not _take_out(lists, position, of_erased, known):
            return frame
        body = msgspec.json.encode(lists)
        return Frame(frame.received_at, frame.dialect, frame.key_id, body, frame.extra)

    return changed


def _unfold(lists: _Items) -> None:
    """Make events of the objects that were logged as they were sent: here they are looked at one by one."""
    for name in ARRAYS:
        usual: _Usual | None = getattr(lists, name)
        setattr(lists, name, None)
        if usual is not None:
            events = unfolded(name, usual.first, usual.objects)
            lists.events.extend(msgspec.Raw(msgspec.json.encode(event)) for event in events)


def _read(body: bytes) -> list[_Named] | None:
    """Return all items of a body, None if they are not what they should be."""
    try:
        lists = _NAMES.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    usual = [*lists.usual_events.objects, *lists.usual_purchases.objects]
    return usual + [item for name in _LISTS if name != "tombstones" for item in getattr(lists, name)]


def _names_one(item: _Named, users: frozenset[str]) -> bool:
    ids = (item.user_id, item.external_id, item.from_user_id, item.to_user_id)
    return any(each in users for each in ids) or (item.message != "" and _in_message(item.message, users))


def _in_message(message: str, users: Iterable[str]) -> bool:
    return any(user in message for user in users)


def tombstone(user: str, key: str) -> str:
    """Return the keyed hash of an id, as `people.TOMBSTONE_SQL` does."""
    inner = sha256(f"{key}\x1f{user}".encode("utf-8", "replace")).hexdigest()
    return sha256(f"{key}\x1f{inner}".encode()).hexdigest()


def _take_out(lists: _Items, position: int, is_erased: Callable[[str], bool], known: Known) -> bool:
    """Change the lists of one request; return whether a person was in them."""
    found = False
    for name in _LISTS:
        remaining: list[msgspec.Raw] = []
        for raw in getattr(lists, name):
            item = msgspec.json.decode(raw)
            if not _names(item, is_erased, known.users):
                remaining.append(raw)
                continue
            found = True
            place = _place(name, position, _number(item))
            if name == "rejected":
                remaining.append(msgspec.Raw(msgspec.json.encode({**item, "message": ERASED_MESSAGE})))
            elif name == "deletions":
                lists.tombstones = [*lists.tombstones, *known.tombstones.get(place, [])]
            elif name in _FACTS and (fact := known.kept.get(place)) is not None:
                remaining.append(fact)
        setattr(lists, name, remaining)
    return found


def _names(item: Any, is_erased: Callable[[str], bool], users: Iterable[str]) -> bool:
    if not isinstance(item, dict):
        return False
    named = any(is_erased(str(item[field])) for field in ("user_id", "from_user_id", "to_user_id") if field in item)
    message = item.get("message")
    return named or (isinstance(message, str) and _in_message(message, users))


def _number(item: dict[str, Any]) -> int:
    try:
        return int(item.get("item", -1))
    except (TypeError, ValueError):
        return -1


def _place(table: str, position: int, item: int) -> str:
    return f"{table}/{position}/{item}"


def _spellings(users: Iterable[str]) -> set[bytes]:
    return {form for user in users for form in (_inside(user, ascii_only=False), _inside(user, ascii_only=True))}


def _inside(user: str, *, ascii_only: bool) -> bytes:
    """Return how a JSON string spells an id, without the quotes: as msgspec does, or with all escapes."""
    return json.dumps(user, ensure_ascii=ascii_only)[1:-1].encode("utf-8", "replace")


def _facts(con: duckdb.DuckDBPyConnection, shape: Shape, replacements: list[str]) -> list[tuple[str, msgspec.Raw]]:
    columns = [
        f"CAST({name} AS VARCHAR)" if kind.startswith("DECIMAL") else name for name, kind in shape.columns.items()
    ]
    select = f"SELECT position, item, {', '.join([shape.id, *columns])} FROM {shape.table}"
    theirs = f"{select} WHERE user_id IN (SELECT unnest(?))"
    facts = []
    for position, item, *values in con.execute(theirs, [replacements]).fetchall():
        fields = dict(zip(shape.own, values, strict=True))
        fact = {name: value for name, value in fields.items() if value is not None}
        facts.append((_place(shape.table, position, item), msgspec.Raw(msgspec.json.encode({"item": item, **fact}))))
    return facts
