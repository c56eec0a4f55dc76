"""Requests that are logged as they were sent give the very facts that they give object by object (decision 0037)."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from afterword.intake.accepted import Accepted
from afterword.intake.bodies import Policy
from afterword.intake.braze import Track, read_track
from afterword.intake.braze_usual import ARRAYS, unfold, unfolded
from afterword.log import Frame
from afterword.store.erasing_log import Known, change
from tests.extent import THOROUGH
from tests.intake.requests import AT, RECEIVED_AT, facts, nested
from tests.store.world import everything, loaded, rows


class Logged(msgspec.Struct):
    """How the log has a list that was kept as it was sent."""

    first: int
    objects: msgspec.Raw


POLICY = Policy(track_each=None, track_in_all=225)

USERS = (
    '"ann"', '"bob"', '"Zoë"', '"0017"', '"a\\/b"', "17", '""', f'"{"u" * 256}"', "null", '"tab\\t"', '"\\u0041"',
)  # fmt: skip
TIMES = (
    '"2024-12-01T09:30:00Z"', '"2024-12-01T09:30:00.5Z"', '"2024-12-01T09:30:00.123456+05:30"',
    '"2024-12-01 09:30:00Z"', '"2024-12-01T09:30:00.1234567Z"', '"2024-12-01T09:30:00.9999999Z"',
    '"2024-12-01T09:30:00"', '"2024-12-01T09:30:00+0100"', '"2024-12-01T09:30:00-00:00"', '"2024-12-01T09:30:00+23:00"',
    '"2024-12-01T24:00:00Z"', '"1969-12-31T23:59:59Z"',
    '"2300-01-01T00:00:00Z"', '"2025-01-01T00:05:00Z"', '"2025-01-01T00:05:00.000001Z"', '"2024-12-01T09:30Z"', "5",
    '"0001-01-01T00:00:00Z"',
)  # fmt: skip
NAMES = ('"seen"', '"added to cart"', '"ecommerce.order_placed"', '"Größe"', '""', "7", f'"{"n" * 255}"')
PROPERTIES = (
    "{}", '{"total": 50}', '{"a": {"b": [1, 2.50, "x"]}}', '{"time": "x", "price": 1, "external_id": 3}', '{"$a": 1}',
    '{"a": 1, "a": 2}', "null", "[]", '"text"', '{"q": "say \\"hi\\""}', '{"path": "a\\\\b"}', '{"u": "\\u00e9"}',
    '{"f": 1.23456789012345678}', '{"f": 52.5200066}', '{ "spaced" : [ 1 , { } ] }', '{"n": 1e400}', '{"n": -0}',
    nested(40), nested(99), nested(101), f'{{"{"k" * 256}": 1}}', f'{{"k": "{"v" * 300}"}}', '{"money": "5$"}',
)  # fmt: skip
PRICES = ("19.99", "0", "5", "0.000001", "123456789.123456", "1e2", "-1", '"12.50"', "1.1234567", "1000000000")
CURRENCIES = ('"EUR"', '"usd"', '"EURO"', '"E1R"', '"äöü"', '""')
QUANTITIES = ("1", "100", "0", "101", "1.0", "null", '"2"', "3")
IDS = ('"e-1"', '"e-2"', '""', "null", "5", f'"{"i" * 256}"')
USUAL: dict[str, Any] = {
    "external_id": USERS[:3], "time": TIMES[:3], "name": NAMES[:2], "product_id": ('"p-1"', '"P 2"'),
    "price": PRICES[:5], "currency": CURRENCIES[:2], "properties": PROPERTIES[:4], "quantity": QUANTITIES[:2],
    "event_id": IDS[:3], "app_id": ('"ios"', '""'),
}  # fmt: skip
ANY: dict[str, Any] = {
    "external_id": USERS, "time": TIMES, "name": NAMES, "product_id": NAMES, "price": PRICES, "currency": CURRENCIES,
    "properties": PROPERTIES, "quantity": QUANTITIES, "event_id": IDS, "app_id": IDS, "other": PROPERTIES,
}  # fmt: skip
FIELDS = {
    "events": ("external_id", "time", "name"),
    "purchases": ("external_id", "time", "product_id", "price", "currency"),
}
OPTIONAL = ("properties", "event_id", "app_id")


@st.composite
def objects(draw: st.DrawFn, array: str, values: dict[str, Any]) -> str:
    """An object as text, now and then with a field that is there twice."""
    names = [*FIELDS[array], *draw(st.lists(st.sampled_from((*OPTIONAL, "quantity", "other")), max_size=4))]
    names = [name for name in names if name in values]
    fields = [f'"{name}":{draw(st.sampled_from(values[name]))}' for name in draw(st.permutations(names))]
    return "{" + draw(st.sampled_from((",", " , "))).join(fields) + "}"


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """A request, mostly of usual objects."""
    values = {**USUAL, **{name: ANY[name] for name in draw(st.sets(st.sampled_from(sorted(ANY)), max_size=2))}}
    arrays = draw(st.permutations(["events", "purchases"]))[: draw(st.integers(1, 2))]
    parts = [f'"{name}": [{",".join(draw(st.lists(objects(name, values), max_size=4)))}]' for name in arrays]
    parts += draw(st.sampled_from(([], [], [], ['"attributes": [{"external_id": "ann", "x": 1}]'], ['"sessions": []'])))
    return ("{" + ", ".join(parts) + "}").encode()


def both(body: bytes) -> tuple[Track, Track]:
    """A request, read as the server does and object by object."""
    return read_track(body, RECEIVED_AT, POLICY, keep_usual=True), read_track(body, RECEIVED_AT, POLICY)


def is_kept(accepted: Accepted) -> bool:
    """Whether a request goes into the log as it was sent."""
    return accepted.usual_events is not None or accepted.usual_purchases is not None


@settings(max_examples=1000 if THOROUGH else 150, suppress_health_check=[HealthCheck.too_slow])
@given(bodies())
def test_what_is_read_as_a_whole_is_answered_and_means_the_same(body: bytes) -> None:
    kept, single = both(body)
    assert (kept.status, kept.answer) == (single.status, single.answer)
    logged = msgspec.json.decode(msgspec.json.encode(kept.accepted), type=dict[str, msgspec.Raw])
    for name in ARRAYS:
        if name in logged:
            usual = msgspec.json.decode(logged[name], type=Logged)
            kept_ones = getattr(kept.accepted, name).objects
            assert unfolded(name, usual.first, usual.objects) == unfolded(name, usual.first, kept_ones)
    unfold(kept.accepted)
    assert facts(kept.accepted) == facts(single.accepted)


@settings(max_examples=100 if THOROUGH else 12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(bodies(), min_size=1, max_size=8))
def test_the_loader_makes_the_same_facts_of_it(tmp_path_factory: pytest.TempPathFactory, sent: list[bytes]) -> None:
    read = [both(body) for body in sent]
    stores = []
    for which in (0, 1):
        directory = tmp_path_factory.mktemp("usual")
        con = loaded(directory, [msgspec.json.encode(pair[which].accepted) for pair in read])
        stores.append((everything(con), rows(con, "events", "event_id, position, item, digest")))
        con.close()
    assert stores[0] == stores[1]


def test_usual_requests_are_kept_as_they_were_sent() -> None:
    values = {name: some[0] for name, some in USUAL.items()}
    for array, names in FIELDS.items():
        one = "{" + ",".join(f'"{name}":{values[name]}' for name in (*names, *OPTIONAL)) + "}"
        kept, _ = both(f'{{"{array}": [{one}, {one}]}}'.encode())
        assert is_kept(kept.accepted)


@pytest.mark.parametrize(
    "odd",
    [
        '{"external_id":"u","name":"n","time":"2024-12-01T09:30:00Z","properties":{"a\\u0000":1}}',
        '{"external_id":"u","name":"n","time":"2024-12-01T09:30:00Z","properties":{"$a":1}}',
        f'{{"external_id":"u","name":"n","time":"2024-12-01T09:30:00Z","properties":{nested(101)}}}',
        f'{{"external_id":"u","name":"n","time":"2024-12-01T09:30:00Z","properties":{{"{"k" * 256}":1}}}}',
        '{"external_id":"u","name":"ecommerce.order_placed","time":"2024-12-01T09:30:00Z"}',
        '{"external_id":"u","name":"n","time":"2024-12-01T09:30:00.1234567Z"}',
        '{"external_id":"u","name":"n","time":"2026-12-01T09:30:00Z"}',
    ],
)
def test_what_needs_a_look_gets_one(odd: str) -> None:
    kept, _ = both(f'{{"events": [{odd}]}}'.encode())
    assert not is_kept(kept.accepted)


@pytest.mark.parametrize("others", [0, 100])
def test_a_person_is_erased_from_what_was_logged_as_it_was_sent(others: int) -> None:
    body = {
        "events": [{"external_id": user, "name": "seen", "time": "2024-12-01T09:30:00Z"} for user in ("ann", "bob")],
        "purchases": [
            {"external_id": "ann", "product_id": "p", "price": 5, "currency": "EUR", "time": "2024-12-01T09:30:00Z"}
        ],
    }
    accepted = both(json.dumps(body).encode())[0].accepted
    assert is_kept(accepted)
    frame = Frame(RECEIVED_AT, "facts", "k", msgspec.json.encode(accepted))
    many = [f"nobody {n}" for n in range(others)]
    changed = change(Known(["ann", *many], {}, {}, [], [], ""))(0, frame)
    assert changed is not None
    assert b"ann" not in changed.body
    left = json.loads(changed.body)["events"]
    assert left == [{"item": 1, "user_id": "bob", "kind": "custom", "occurred_at": AT, "once": False, "name": "seen"}]
