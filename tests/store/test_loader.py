"""Single requests and what becomes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from afterword.store.loader import Loader
from tests.store.world import KEY, RECEIVED, Request, bought, loaded, opened, rows, write

PROPERTIES = {"total": 10, "items": [{"sku": "a", "n": 1}]}
SPELT = {"items": [{"n": 1.0, "sku": "a"}], "total": 10.0}


def one(**more: Any) -> Request:
    return {"events": [bought(event_id="1", **more)]}


def named(event_id: str, **more: Any) -> Request:
    return {"events": [bought(event_id=event_id, **more)]}


REPETITION, CONFLICT, ANOTHER = "repetition", "conflict", "another"
SECOND = [
    pytest.param(one(), one(), REPETITION, id="same"),
    pytest.param(one(), {"events": [bought(7, event_id="1")]}, REPETITION, id="another-place-in-the-request"),
    pytest.param(one(price="10"), one(price="10.0"), REPETITION, id="price-spelt-otherwise"),
    pytest.param(one(), one(quantity=1, machine=False), REPETITION, id="defaults-written-out"),
    pytest.param(one(properties=PROPERTIES), one(properties=SPELT), REPETITION, id="properties-spelt-otherwise"),
    pytest.param(one(at=1, corrected=True), one(at=2, corrected=True), REPETITION, id="times-that-we-corrected"),
    pytest.param(one(properties=PROPERTIES), one(properties={"total": 11}), CONFLICT, id="other-properties"),
    pytest.param(one(properties=PROPERTIES), one(), CONFLICT, id="properties-missing"),
    pytest.param(one(properties=PROPERTIES), one(properties=SPELT, price="1"), CONFLICT, id="spelt-and-another-price"),
    pytest.param(one(), one(at=6), CONFLICT, id="another-time"),
    pytest.param(one(at=1), one(at=1_790_000_000_000_000), CONFLICT, id="a-time-far-away"),
    pytest.param(one(), one(user="bob"), CONFLICT, id="another-user"),
    pytest.param(one(price="10"), one(price="10.01"), CONFLICT, id="another-price"),
    pytest.param(one(), {"events": [{**bought(event_id="1"), "kind": "session"}]}, ANOTHER, id="another-kind"),
    pytest.param({"events": [bought()]}, {"events": [bought()]}, REPETITION, id="no-id-same"),
    pytest.param({"events": [bought(at=5)]}, {"events": [bought(at=6)]}, ANOTHER, id="no-id-another-time"),
    pytest.param(
        {"events": [bought(properties=PROPERTIES)]},
        {"events": [bought(properties=SPELT)]},
        REPETITION,
        id="no-id-spelt",
    ),
    pytest.param({"events": [bought(once=False)]}, {"events": [bought(once=False)]}, ANOTHER, id="no-id-not-once"),
]


@pytest.mark.sampled(3)
@pytest.mark.parametrize("together", [True, False], ids=["one-batch", "two-batches"])
@pytest.mark.parametrize(("first", "second", "expected"), SECOND)
def test_an_item_that_looks_like_one_before(
    tmp_path: Path, first: Request, second: Request, expected: str, together: bool
) -> None:
    with loaded(tmp_path, [first, second], 1 << 20 if together else 1) as con:
        stored = rows(con, "events", "position")
        assert stored == ([(0,), (1,)] if expected == ANOTHER else [(0,)])
        assert con.execute("SELECT repetitions FROM loaded").fetchone() == (expected == REPETITION,)
        conflicts = rows(con, "rejected", "position, kind, reason")
        assert conflicts == ([(1, "events", "id_conflict")] if expected == CONFLICT else [])


@pytest.mark.sampled(3)
@pytest.mark.parametrize("apart", [False, True], ids=["one-loader", "opened-anew"])
@pytest.mark.parametrize("together", [True, False], ids=["one-batch", "two-batches"])
@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        pytest.param({"events": [bought(once=False)]}, named("~0-0"), REPETITION, id="the-same"),
        pytest.param({"events": [bought(once=False)]}, named("~0-0", at=6), CONFLICT, id="another"),
        pytest.param({"events": [bought(once=False)]}, named("~0-1"), ANOTHER, id="of-nobody"),
        pytest.param(named("~1-0"), {"events": [bought(once=False)]}, REPETITION, id="before-the-same"),
        pytest.param(named("~1-0", at=6), {"events": [bought(once=False)]}, CONFLICT, id="before-another"),
    ],
)
def test_a_senders_id_that_looks_like_one_of_ours_is_an_id_like_any(
    tmp_path: Path, first: Request, second: Request, expected: str, together: bool, apart: bool
) -> None:
    if apart:
        loaded(tmp_path, [first]).close()
    with loaded(tmp_path, [second] if apart else [first, second], 1 << 20 if together else 1) as con:
        assert rows(con, "events", "position") == ([(0,), (1,)] if expected == ANOTHER else [(0,)])
        assert con.execute("SELECT repetitions FROM loaded").fetchone() == (expected == REPETITION,)
        assert len(rows(con, "rejected")) == (expected == CONFLICT)


@pytest.mark.parametrize(
    ("table", "fact", "other"),
    [
        ("exposures", {"campaign_id": "c", "exposed_at": 1, "exposure_id": "1"}, {"variant_id": "b"}),
        ("step_messages", {"campaign_id": "c", "step_id": "s", "received_at": 1, "message_id": "1"}, {"step_id": "t"}),
    ],
)
def test_exposures_and_step_messages_have_one_set_of_ids_each(
    tmp_path: Path, table: str, fact: dict[str, Any], other: dict[str, Any]
) -> None:
    first = {"item": 0, "user_id": "ann", **fact}
    with loaded(tmp_path, [{table: [first]}, {table: [first]}, {table: [{**first, **other}]}]) as con:
        assert rows(con, table, "position") == [(0,)]
        assert rows(con, "rejected", "position, kind, reason") == [(2, table, "id_conflict")]
        assert con.execute("SELECT repetitions FROM loaded").fetchone() == (1,)


def test_equal_items_of_one_request_are_two_facts_and_sending_it_again_adds_none(tmp_path: Path) -> None:
    request: Request = {"events": [bought(0), bought(1), bought(2, at=6)]}
    with loaded(tmp_path, [request, request]) as con:
        assert rows(con, "events", "position, item") == [(0, 0), (0, 1), (0, 2)]


def test_an_item_becomes_a_row(tmp_path: Path) -> None:
    event = bought(
        *(3, "änn", 7), event_id="e", name="n", product_id="p", order_id="o", app_id="a", app_version="017",
        from_version="1", device_id="d", price="12.50", quantity=2, currency="EUR", campaign_id="c", channel="email",
        exposure_id="x", machine=True, properties={"b": [1.50, None]}, refund_of="r",
    )  # fmt: skip
    with loaded(tmp_path, [{"events": [event]}]) as con:
        (row,) = rows(con, "events", "* EXCLUDE (digest, user_hash)")
        assert [str(value) for value in row] == [
            *("e", "änn", "purchase", "7", "n", "p", "o", "a", "017", "1", "d", "12.500000", "2", "EUR", "c", "email"),
            *("x", "True", '{"b":[1.5,null]}', "r", "0", "3", str(RECEIVED)),
        ]


GOOD = bought(9, "bob", event_id="good")
BAD = [
    pytest.param({**GOOD, "item": 0, "occurred_at": "soon"}, "whole number", id="no-time"),
    pytest.param({**GOOD, "item": 0, "occurred_at": 2**63}, "whole number", id="time-too-large"),
    pytest.param({**GOOD, "item": 0, "occurred_at": None}, "missing", id="time-missing"),
    pytest.param({**GOOD, "item": 0, "user_id": None}, "missing", id="user-missing"),
    pytest.param({**GOOD, "item": 0, "price": "cheap"}, "decimal number", id="no-price"),
    pytest.param({**GOOD, "item": 0, "price": "1" * 30}, "decimal number", id="price-too-large"),
    pytest.param({**GOOD, "item": 0, "quantity": "many"}, "whole number", id="no-quantity"),
    pytest.param({**GOOD, "item": 0, "machine": "perhaps"}, "true or false", id="no-boolean"),
    pytest.param({**GOOD, "item": 0, "properties": [1]}, "JSON object", id="no-properties"),
    pytest.param({**GOOD, "item": 0, "kind": "party"}, "unknown kind", id="no-kind"),
    pytest.param({**GOOD, "item": "x"}, "item", id="no-item"),
    pytest.param({}, "item", id="nothing-in-it"),
    pytest.param(5, "item", id="a-number"),
    pytest.param(None, "item", id="null"),
    pytest.param([], "item", id="a-list"),
]


@pytest.mark.parametrize(("bad", "message"), BAD)
def test_what_cannot_be_cast_is_rejected_and_the_rest_is_kept(tmp_path: Path, bad: Any, message: str) -> None:
    with loaded(tmp_path, [{"events": [bad, GOOD]}]) as con:
        assert rows(con, "events", "event_id") == [("good",)]
        ((item, kind, reason, sentence),) = rows(con, "rejected", "item, kind, reason, message")
        assert (item, kind, reason) == (
            0 if isinstance(bad, dict) and bad.get("item") == 0 else -1,
            "events",
            "bad_type",
        )
        assert message in sentence


DEEP = b"[" * 20_000 + b"]" * 20_000
ODD = [
    pytest.param(b"", 1, id="empty"),
    pytest.param(b'{"events": [', 1, id="cut"),
    pytest.param(b"[]", 1, id="a-list"),
    pytest.param(b"null", 1, id="null"),
    pytest.param(b"\xff\xfe", 1, id="no-text"),
    pytest.param(b'{"events": [{"item": 0, "user_id": "\xff"}]}', 1, id="no-utf-8-inside"),
    pytest.param(b'{"events": 5}', 1, id="no-list"),
    pytest.param(b'{"exposures": {"item": 1}, "attributes": "x", "merges": true, "rejected": 1}', 4, id="no-lists"),
    pytest.param(b'{"events": [' + DEEP + b"]}", 1, id="very-deep"),
    pytest.param(b"{}", 0, id="nothing"),
    pytest.param(b'{"events": [ ], "merges": null, "news": [1]}', 0, id="nothing-of-ours"),
    pytest.param(b'{"attributes": [{"item": 0, "user_id": "a", "values": [1]}, 7], "merges": [{}]}', 3, id="people"),
]


@pytest.mark.parametrize(("body", "rejected"), ODD)
def test_no_body_stops_the_loader(tmp_path: Path, body: bytes, rejected: int) -> None:
    with loaded(tmp_path, [{"events": [bought(user="ann")]}, body, {"events": [bought(user="bob")]}]) as con:
        assert rows(con, "events", "user_id") == [("ann",), ("bob",)]
        reasons = con.execute("SELECT position, reason, count(*)::INT FROM rejected GROUP BY ALL").fetchall()
        assert reasons == ([(1, "bad_type", rejected)] if rejected else [])
        assert con.execute("SELECT position FROM loaded").fetchone() == (3,)


def test_half_a_surrogate_pair_costs_a_character_and_not_the_request(tmp_path: Path) -> None:
    body = b'{"events":[{"item":0,"user_id":"a","kind":"purchase","occurred_at":1,"properties":{"x":"\\ud800"}}]}'
    with loaded(tmp_path, [body]) as con:
        assert rows(con, "events", "user_id, properties") == [("a", '{"x":"?"}')]


def test_another_dialect_is_counted(tmp_path: Path) -> None:
    end = write(tmp_path / "log", [b"anything"], dialect="telex")
    with opened(tmp_path) as con:
        told = Loader(con, tmp_path / "log").load(end)
        assert (told.position, told.rejected) == (1, {"bad_type": 1})
        assert "telex" in rows(con, "rejected", "item, message")[0][1]


def test_attributes_are_the_latest(tmp_path: Path) -> None:
    requests: list[Request] = [
        {"attributes": [{"item": 0, "user_id": "a", "values": {"x": 1, "y": {"z": "s"}, "gone": 1}}]},
        {"attributes": [{"item": i, "user_id": "a", "values": {"x": i, "gone": None}} for i in (3, 2)]},
    ]
    with loaded(tmp_path, requests, 1) as con:
        assert sorted(rows(con, "attributes", "name, value, item")) == [("x", "3", 3), ("y", '{"z":"s"}', 0)]


def test_it_tells_what_came(tmp_path: Path) -> None:
    requests: list[Request] = [
        {"events": [bought(0, "a", event_id="1"), bought(1, "b", event_id="2")]},
        {"events": [bought(0, "a", event_id="1"), bought(1, "c", event_id="2")]},
        {"merges": [{"item": 0, "from_user_id": "m", "to_user_id": "a"}], "deletions": [{"item": 1, "user_id": "d"}]},
    ]
    end = write(tmp_path / "log", requests)
    with opened(tmp_path) as con:
        loader = Loader(con, tmp_path / "log", tombstone_key=KEY, batch_bytes=1)
        told = loader.load(end)
        assert told.rows == {"events": 2, "merges": 1, "deletions": 1}
        assert (told.position, told.repetitions, told.rejected, told.refused) == (3, 1, {"id_conflict": 1}, 0)
        assert (told.oldest, told.newest) == (RECEIVED, RECEIVED + 2)
        nothing = loader.load(end)
        assert (nothing.position, nothing.rows, nothing.oldest) == (3, {}, None)
