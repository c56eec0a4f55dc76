"""Whatever bytes come: a request error or an answer, every item accounted for, and facts that the database takes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import duckdb
import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from afterword.intake import braze_items
from afterword.intake.accepted import Accepted
from afterword.intake.bodies import Policy, RequestError
from afterword.intake.braze import ARRAYS, read_track
from afterword.intake.braze_users import read_delete, read_identify, read_merge, read_new_alias
from afterword.intake.native import read_events, read_exposures, read_step_messages
from afterword.intake.steps import Clock, Draft, draft_of
from tests.intake.requests import (
    EVENT,
    EXPOSURE,
    OPEN,
    PURCHASE,
    RECEIVED_AT,
    STEP,
    TIME,
    TRACK_EVENT,
    TRACK_PURCHASE,
    TRACK_SESSION,
    encoded,
    nested,
)

POLICY = Policy(track_each=None)
READERS: dict[str, Callable[[bytes], Accepted]] = {
    "track": lambda body: read_track(body, RECEIVED_AT, POLICY).accepted,
    "events": lambda body: read_events(body, None, RECEIVED_AT).accepted,
    "exposures": lambda body: read_exposures(body, None, RECEIVED_AT).accepted,
    "step_messages": lambda body: read_step_messages(body, None, RECEIVED_AT).accepted,
    "lines": lambda body: read_events(body, "application/x-ndjson", RECEIVED_AT).accepted,
    "delete": lambda body: read_delete(body).accepted,
    "merge": lambda body: read_merge(body).accepted,
    "alias": lambda body: read_new_alias(body).accepted,
    "identify": lambda body: read_identify(body).accepted,
}
ORDER = {"order_id": "o", "currency": "EUR", "products": [{"product_id": "p", "price": 1}]}
ALIAS = {"alias_name": "n", "alias_label": "l"}
BODIES: list[Any] = [
    {"events": [EVENT, {**PURCHASE, "properties": {"a": [1]}}, OPEN], "exposures": [EXPOSURE], "step_messages": [STEP]},
    {"events": [TRACK_EVENT, {**TRACK_EVENT, "name": "ecommerce.order_placed", "properties": ORDER}]},
    {"attributes": [{"external_id": 5, "a": {"b": [1]}}], "purchases": [TRACK_PURCHASE], "sessions": [TRACK_SESSION]},
    {"external_ids": ["a", 5]},
    {"user_aliases": [{**ALIAS, "external_id": "u"}]},
    {"merge_updates": [{"identifier_to_merge": {"user_alias": ALIAS}, "identifier_to_keep": {"email": "a@b.c"}}]},
    {"aliases_to_identify": [{"external_id": "u", "user_alias": ALIAS}]},
]
PIECES = [
    *(b"\0", b"\xff", b"\\u0000", b"\\ud800", b"\\udc00", b"\\u0024a", b'"', b"{", b"}", b"[", b"]", b",", b":", b"\\"),
    *(
        b"null",
        b"1e400",
        b"-1e400",
        b"NaN",
        b"1" + b"0" * 400,
        b"1" * 5000,
        b"-0",
        b"1e99999999999999999999",
        b"1e9999999",
        b"true",
    ),
    *(b'"x"', b"{}", b"[]", b'{"$a":1}', b"[" * 150 + b"]" * 150, b"[" * 3000 + b"]" * 3000, b"\xef\xbb\xbf", b'""'),
    *(b'"' + b"\xc3\xbc" * 256 + b'"', b'"2024-12-01"', b'"2024-12-01T00:00:00 -5"', b"\xed\xa0\x80"),
]

JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.sampled_from([TIME, "u", "EUR", ""])),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=10,
)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    body = encoded(draw(st.sampled_from(BODIES)))
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(body)))
        end = min(len(body), start + draw(st.integers(0, 12)))
        body = body[:start] + draw(st.sampled_from(PIECES)) + body[end:]
    return body


@st.composite
def with_other_values(draw: st.DrawFn) -> bytes:
    """A well-formed body in which some fields have another value."""
    body = json.loads(json.dumps(draw(st.sampled_from(BODIES))))
    texts: list[str] = []
    for items in body.values():
        for item in [each for each in items if isinstance(each, dict)]:
            for name in draw(st.lists(st.sampled_from([*item, "event_id", "properties", "quantity"]), max_size=2)):
                item[name] = f"@{len(texts)}@"
                texts.append(draw(st.one_of(JSON.map(json.dumps), st.sampled_from(PIECES).map(_json_or_null))))
    text = json.dumps(body)
    for number, value in enumerate(texts):
        text = text.replace(f'"@{number}@"', value)
    return text.encode()


def _json_or_null(piece: bytes) -> str:
    try:
        text = piece.decode()
        if len(text) < 5000:
            json.loads(text)
            return text
    except ValueError:
        pass
    return "null"


@pytest.fixture(scope="module")
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


ANY_BODY = st.one_of(st.binary(max_size=50), JSON.map(encoded), mutated(), with_other_values())


@settings(max_examples=400)
@given(reader=st.sampled_from(sorted(READERS)), body=ANY_BODY)
@example(reader="track", body=encoded({"events": [{**TRACK_EVENT, "properties": json.loads(nested(500))}]}))
@example(reader="events", body=encoded([{**EVENT, "user_id": "\ud800", "x": "\ufdd0"}]))
@example(reader="track", body=b'{"events":[{"external_id":' + b"1" * 5000 + b"}]}")
def test_no_body_escapes(database: duckdb.DuckDBPyConnection, reader: str, body: bytes) -> None:
    try:
        accepted = READERS[reader](body)
    except RequestError as refused:
        error: RequestError | None = refused
    else:
        error = None
        check_database_takes(database, accepted)
    assert error is None or (error.status == 400 and str(error) and "\n" not in str(error))


def check_database_takes(database: duckdb.DuckDBPyConnection, accepted: Accepted) -> None:
    text = msgspec.json.encode(accepted).decode()
    structure = json.dumps({"events": [{"item": "INTEGER", "user_id": "VARCHAR", "properties": "JSON"}]})
    row = database.execute("SELECT from_json($1, $2)", [text, structure]).fetchone()
    assert row is not None
    events = row[0]["events"] or []
    assert [(each["item"], each["user_id"]) for each in events] == [(e.item, e.user_id) for e in accepted.events]


@settings(max_examples=300)
@given(st.one_of(mutated(), with_other_values()))
def test_every_item_is_accepted_or_rejected_and_the_typed_way_is_the_careful_way(body: bytes) -> None:
    try:
        track = read_track(body, RECEIVED_AT, POLICY)
    except RequestError:
        return
    if b"\\ud" in body:  # maybe half a pair, which spoils more than its object for this simple way
        return
    fields = msgspec.json.decode(body.removeprefix(b"\xef\xbb\xbf"), type=dict[str, msgspec.Raw])
    expected, sent = carefully(fields)
    assert msgspec.json.encode(track.accepted) == msgspec.json.encode(expected)
    assert len(track.errors) == len(track.accepted.rejected)
    assert sum(track.processed.values()) + len(track.errors) == sent


def carefully(fields: dict[str, msgspec.Raw]) -> tuple[Accepted, int]:
    """Read every object of a request field by field."""
    accepted, item = Accepted(), 0
    clock = Clock(POLICY.latest(RECEIVED_AT), POLICY.skew_seconds)
    readers = {"events": braze_items.event, "purchases": braze_items.purchase, "sessions": braze_items.session}
    for name in ARRAYS:
        raw = fields.get(name, msgspec.Raw(b"null"))
        for raw_item in msgspec.json.decode(raw, type=list[msgspec.Raw] | None) or ():
            draft: Draft = draft_of(raw_item)
            if name == "attributes":
                fact = braze_items.attributes(item, draft)
                accepted.attributes.extend([] if fact is None else [fact])
            else:
                accepted.events.extend(readers[name](item, draft, clock))
            if draft.faults:
                accepted.rejected.append(draft.rejected(item, "attributes" if name == "attributes" else "events"))
            item += 1
    return accepted, item


@settings(max_examples=300)
@given(st.one_of(mutated(), with_other_values()))
def test_typed_events_are_those_that_are_read_field_by_field(body: bytes) -> None:
    try:
        read = read_events(body, None, RECEIVED_AT)
        careful = read_events(
            b" " + body.removeprefix(b"\xef\xbb\xbf").replace(b'"user_id"', b'"x":0,"user_id"'), None, RECEIVED_AT
        )
    except RequestError:
        return
    assert msgspec.json.encode(read.accepted) == msgspec.json.encode(careful.accepted)


@given(st.lists(st.one_of(st.just(EVENT), st.just(PURCHASE), JSON), max_size=8))
def test_items_are_accepted_or_rejected_and_good_ones_kept(items: list[Any]) -> None:
    body = encoded({"events": items})
    if b"NaN" in body or b"Infinity" in body:  # what Python writes is not always JSON
        return
    read = read_events(body, None, RECEIVED_AT)
    assert len(read.accepted.events) + len(read.accepted.rejected) == read.sent == len(items)
    good = {event.item for event in read.accepted.events}
    assert good >= {number for number, item in enumerate(items) if item in (EVENT, PURCHASE)}


@pytest.mark.parametrize("depth", [1, 99, 100, 101, 300])
def test_depth_is_counted_outside_of_texts(depth: int) -> None:
    properties = json.loads(nested(depth))
    bodies = [{**TRACK_EVENT, "properties": {**properties, "b": '[{"' * 200}}, TRACK_EVENT]
    accepted = read_track(encoded({"events": bodies}), RECEIVED_AT).accepted
    assert len(accepted.events) == (2 if depth <= 100 else 1)
