"""Any sequence of requests, in any batches, gives what a naive loader gives."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from afterword.store.loader import Loader, together
from tests.extent import THOROUGH
from tests.store.naive_loader import Naive
from tests.store.world import KEY, Request, opened, rows, write

USERS = st.sampled_from(["ann", "bob"])
IDS = st.sampled_from([None, "1", "2"])
EVENT_IDS = IDS | st.sampled_from(["~0-0", "~1-0", "~1-1", "~2-0", "~x"])
"""Some look like those that the loader gives."""
AT = st.sampled_from([0, 1, 1_790_000_000_000_000])
PROPERTIES: list[Any] = [None, {"a": 1, "b": [1, "x"]}, {"b": [1.0, "x"], "a": 1e0}, {"a": "1"}, {}]


def maybe(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


def both(first: st.SearchStrategy[dict[str, Any]], second: st.SearchStrategy[dict[str, Any]]) -> Any:
    return st.builds(lambda a, b: {**a, **b}, first, second)


EVENTS = both(
    st.fixed_dictionaries({"user_id": USERS, "kind": st.sampled_from(["purchase", "session"]), "occurred_at": AT}),
    maybe(
        event_id=EVENT_IDS,
        once=st.booleans(),
        corrected=st.booleans(),
        price=st.sampled_from(["10", "10.0", "7.5", "much"]),
        quantity=st.sampled_from([1, 2, "some"]),
        properties=st.sampled_from(PROPERTIES),
        occurred_at=st.just("then"),
    ),
)
EXPOSURES = both(
    st.fixed_dictionaries({"user_id": USERS, "campaign_id": st.just("c"), "exposed_at": AT}),
    maybe(exposure_id=IDS, variant_id=st.sampled_from(["a", "b"]), campaign_id=st.none()),
)
STEP_MESSAGES = both(
    st.fixed_dictionaries({"user_id": USERS, "campaign_id": st.just("c"), "step_id": st.just("s"), "received_at": AT}),
    maybe(message_id=IDS),
)
VALUES = st.dictionaries(st.sampled_from(["plan", "city"]), st.sampled_from([None, 1, "x", [1]]))
ATTRIBUTES = st.fixed_dictionaries({"user_id": USERS, "values": VALUES})
MERGES = st.fixed_dictionaries({"from_user_id": USERS, "to_user_id": USERS})
DELETIONS = st.fixed_dictionaries({"user_id": USERS})
REJECTED = st.just({"kind": "events", "reason": "bad_time", "message": "no"})


def items(strategy: st.SearchStrategy[dict[str, Any]], most: int = 4) -> st.SearchStrategy[list[dict[str, Any]]]:
    numbered = st.lists(strategy, min_size=1, max_size=most)
    return numbered.map(lambda each: [{"item": number, **one} for number, one in enumerate(each)])


REQUESTS: st.SearchStrategy[Request] = st.fixed_dictionaries(
    {},
    optional={
        "events": items(EVENTS),
        "exposures": items(EXPOSURES),
        "step_messages": items(STEP_MESSAGES),
        "attributes": items(ATTRIBUTES),
        "merges": items(MERGES, 2),
        "deletions": items(DELETIONS, 1),
        "rejected": items(REJECTED, 2),
    },
)


any_requests = given(
    st.lists(REQUESTS, max_size=6), st.lists(st.integers(0, 6), max_size=3), st.sampled_from([1, 400, 1 << 20])
)


@settings(max_examples=15 if THOROUGH else 5)
@any_requests
def test_any_batches_give_what_a_naive_loader_gives(
    requests: list[Request], stops: list[int], batch_bytes: int
) -> None:
    check(requests, stops, batch_bytes)


@pytest.mark.slow
@settings(max_examples=400)
@any_requests
def test_many_more_batches_give_what_a_naive_loader_gives(
    requests: list[Request], stops: list[int], batch_bytes: int
) -> None:
    check(requests, stops, batch_bytes)


def check(requests: list[Request], stops: list[int], batch_bytes: int) -> None:
    expected = Naive().take_all(requests)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        end = write(directory / "log", requests)
        parts = []
        for stop in [*sorted(min(stop, end) for stop in stops), end]:
            with opened(directory) as con:  # opened anew: nothing is only in memory
                loader = Loader(con, directory / "log", tombstone_key=KEY, batch_bytes=batch_bytes)
                parts += list(loader.batches(stop))
        whole = together(0, parts)
        with opened(directory) as con:
            facts = {
                table: {(row[0], row[1]) for row in rows(con, table, "position, item")}
                for table in ("events", "exposures", "step_messages")
            }
            wanted: dict[str, set[tuple[int, int]]] = {table: set() for table in facts}
            for key, (position, item, _) in expected.facts.items():
                wanted[key[0]].add((position, item))
            assert facts == wanted
            assert sorted(rows(con, "rejected", "position, item, kind, reason")) == sorted(expected.rejected)
            assert set(rows(con, "merges", "from_user_id, to_user_id")) == set(expected.merges)
            assert {user for (user,) in rows(con, "deletions", "user_id")} == set(expected.deleted)
            attributes = {(user, key): value for user, key, value in rows(con, "attributes", "user_id, name, value")}
            assert attributes == {key: value.replace(", ", ",") for key, value in expected.attributes.items()}
            assert con.execute("FROM loaded").fetchall() == ([(end, expected.repetitions)] if end else [])
        assert whole.position == end
        assert (whole.repetitions, whole.refused) == (expected.repetitions, expected.refused)
        assert whole.rejected.total() == len(expected.rejected)
        assert {table: whole.rows[table] for table in wanted} == {table: len(found) for table, found in wanted.items()}
