"""Erasing a person from the log, so that a replay gives the facts that the store has after `erasing.erase`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import duckdb
import msgspec

from afterword.intake.accepted import DIALECT
from afterword.intake.braze_usual import ARRAYS, unfolded
from afterword.log import Frame
from afterword.log.rewriting import Change
from afterword.store.erasing import ERASED_MESSAGE, Erasure
from afterword.store.frames import decoded
from afterword.store.shapes import SHAPES, Shape

Kept: TypeAlias = Mapping[tuple[str, int, int], dict[str, Any]]
"""What stands in the store of the person's facts, by table, position and item."""
_FACTS: Final = frozenset(shape.table for shape in SHAPES)


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
    rejected: list[msgspec.Raw] = []


_LISTS: Final = tuple(name for name in _Items.__struct_fields__ if name not in ARRAYS)
_DECODER: Final = msgspec.json.Decoder(_Items)


def change(con: duckdb.DuckDBPyConnection, erasure: Erasure) -> Change:
    """Return what `log.Writer.rewrite` does to each frame, after `erase` and before `finish`.

    An item of the person becomes what the store has in its place. What the store does not have, such as repetitions,
    conflicts, attributes, merges and the request to delete, is removed. A body that names the person and cannot be
    read, from which nothing was loaded, is erased whole.
    """
    kept = _kept(con, erasure.replacement) if erasure.replacement is not None else {}
    users = frozenset(erasure.user_ids)
    spellings = {form for user in users for form in (_inside(user, ascii_only=False), _inside(user, ascii_only=True))}

    def changed(position: int, frame: Frame) -> Frame | None:
        if not any(form in frame.body for form in spellings):
            return frame
        lists = decoded(frame.body, _DECODER) if frame.dialect == DIALECT else None
        if lists is None:
            return None
        _unfold(lists)
        if not _take_out(lists, position, users, kept):
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


def _take_out(lists: _Items, position: int, users: frozenset[str], kept: Kept) -> bool:
    """Change the lists of one request; return whether the person was in them."""
    found = False
    for name in _LISTS:
        remaining: list[msgspec.Raw] = []
        for raw in getattr(lists, name):
            item = msgspec.json.decode(raw)
            if not _names(item, users):
                remaining.append(raw)
                continue
            found = True
            if name == "rejected":
                remaining.append(msgspec.Raw(msgspec.json.encode({**item, "message": ERASED_MESSAGE})))
            elif name in _FACTS and (fact := kept.get((name, position, _number(item)))) is not None:
                remaining.append(msgspec.Raw(msgspec.json.encode(fact)))
        setattr(lists, name, remaining)
    return found


def _names(item: Any, users: frozenset[str]) -> bool:
    if not isinstance(item, dict):
        return False
    named = any(str(item.get(field)) in users for field in ("user_id", "from_user_id", "to_user_id"))
    message = item.get("message")
    return named or (isinstance(message, str) and any(user in message for user in users))


def _number(item: dict[str, Any]) -> int:
    try:
        return int(item.get("item", -1))
    except (TypeError, ValueError):
        return -1


def _inside(user: str, *, ascii_only: bool) -> bytes:
    """Return how a JSON string spells an id, without the quotes: as msgspec does, or with all escapes."""
    return json.dumps(user, ensure_ascii=ascii_only)[1:-1].encode("utf-8", "replace")


def _kept(con: duckdb.DuckDBPyConnection, replacement: str) -> Kept:
    return {place: fact for shape in SHAPES for place, fact in _facts(con, shape, replacement)}


def _facts(
    con: duckdb.DuckDBPyConnection, shape: Shape, replacement: str
) -> list[tuple[tuple[str, int, int], dict[str, Any]]]:
    columns = [
        f"CAST({name} AS VARCHAR)" if kind.startswith("DECIMAL") else name for name, kind in shape.columns.items()
    ]
    select = f"SELECT position, item, {', '.join([shape.id, *columns])} FROM {shape.table} WHERE user_id = ?"
    facts = []
    for position, item, *values in con.execute(select, [replacement]).fetchall():
        fields = dict(zip(shape.own, values, strict=True))
        fact = {name: value for name, value in fields.items() if value is not None}
        facts.append(((shape.table, position, item), {"item": item, **fact}))
    return facts
