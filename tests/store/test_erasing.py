"""An erased person is in no file any more, and a replay gives what the store has (rule 36)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from afterword.errors import UserError
from afterword.log import Writer, read
from afterword.log.rewriting import Change
from afterword.store.database_file import rewrite_database
from afterword.store.erasing import erase_waiting, forget, unfinished
from afterword.store.erasing_log import change, known
from afterword.store.loader import Loader
from afterword.store.statements import transaction
from afterword.store.user_hashes import user_hash_sql
from tests.store.world import KEY, TABLES, Request, bought, loaded, opened, rows, write

NAME = "Zoë-Quixote"
OTHER = "zoe.quixote@example.org"
NEEDLES = ("Quixote", "quixote")
END = 1 << 40


def random_bytes(size: int) -> bytes:
    return bytes(range(size))


LEAVES = [pytest.param("counts", id="counts-stay"), pytest.param("nothing", id="nothing-stays")]


def deleted(user: str, leave: str = "counts") -> Request:
    return {"deletions": [{"item": 0, "user_id": user, "leave": leave}]}


def erased(con: duckdb.DuckDBPyConnection) -> str | None:
    """Erase who waits for it, from the tables; return who stands in the place of the last one."""
    with transaction(con):
        found = erase_waiting(con, key=KEY, erased_at=9, random_bytes=random_bytes)
    return found[-1].replacement


def log_change(con: duckdb.DuckDBPyConnection) -> Change:
    return change(known(con, END, KEY))


def exposed(item: int, user: str, at: int, **more: Any) -> dict[str, Any]:
    return {"item": item, "user_id": user, "campaign_id": "c", "exposed_at": at, **more}


REQUESTS: list[Request] = [
    {
        "events": [
            bought(0, NAME, 5, event_id=f"order of {NAME}", device_id="dev", properties={"by": NAME}, price="10.0"),
            bought(1, "bob", 5, event_id="b", properties={"z": 1.10, "a": [12345678901234567890123]}),
            bought(2, OTHER, 6, device_id="dev", order_id=NAME),
            bought(3, OTHER, 6, device_id="dev", order_id=NAME),
            bought(4, OTHER, 7, once=False),
        ],
        "exposures": [exposed(5, NAME, 1, exposure_id="x1", trigger_event_id=f"order of {NAME}", variant_id="a")],
    },
    {
        "events": [
            bought(0, NAME, 5, event_id=f"order of {NAME}", device_id="dev", properties={"by": NAME}, price="10"),
            {"item": 1, "user_id": NAME, "kind": "refund", "occurred_at": 8, "refund_of": f"order of {NAME}"}
            | {"price": "1", "exposure_id": "unknown"},
            bought(2, NAME, 5, event_id="b", device_id="conflict"),
        ],
        "step_messages": [
            {"item": 3, "user_id": NAME, "campaign_id": "c", "step_id": "s", "received_at": 3}
            | {"message_id": f"m/{NAME}", "exposure_id": "x1"}
        ],
        "attributes": [
            {"item": 4, "user_id": NAME, "values": {"name": NAME}},
            {"item": 5, "user_id": "bob", "values": {"n": 1}},
        ],
        "merges": [{"item": 6, "from_user_id": OTHER, "to_user_id": NAME}],
        "rejected": [{"item": 7, "kind": "events", "reason": "bad_time", "message": f"time of {NAME} is no time"}],
    },
]  # fmt: skip


def dumped(con: duckdb.DuckDBPyConnection, log: Path) -> str:
    """All that can be read, of all tables and frames."""
    tables = con.execute("SELECT table_name FROM duckdb_tables()").fetchall()
    texts = [str(con.execute(f"FROM {table}").fetchall()) for (table,) in tables]
    texts += [json_text(entry.frame.body) for entry in read(log, 0)]
    return "\n".join(texts)


def json_text(body: bytes) -> str:
    try:
        return str(json.loads(body))
    except ValueError:
        return body.decode()


def in_file(path: Path) -> bool:
    return any(needle.encode() in path.read_bytes() for needle in NEEDLES)


def names_in(text: str) -> bool:
    return any(needle in text for needle in NEEDLES)


def facts_of(con: duckdb.DuckDBPyConnection) -> dict[str, list[Any]]:
    return {table: rows(con, table) for table in TABLES[:5]}


@pytest.mark.sampled(3)
@pytest.mark.parametrize("leave", LEAVES)
@pytest.mark.parametrize("others", [0, 50])
def test_an_erased_person_is_in_no_file_any_more(tmp_path: Path, leave: str, others: int) -> None:
    log, path = tmp_path / "log", tmp_path / "facts.duckdb"
    strangers = {"deletions": [{"item": n, "user_id": f"nobody {n}"} for n in range(others)]}
    broken = b'{"events": [{"item": 0, "user_id": "Quixote'
    con = loaded(tmp_path, [*REQUESTS, broken, strangers, deleted("Quixote"), deleted(NAME, leave)])
    con.execute("CHECKPOINT").fetchall()
    assert in_file(path)
    assert names_in(dumped(con, log))
    erased(con)
    left = unfinished(con)
    assert (left.persons, left.erased, left.position, left.last) == (0, others + 2, 3 if others else 4, 5)
    with Writer(log) as writer:
        writer.seal().result()
        writer.rewrite(log_change(con))
    forget(con, END)
    assert not names_in(dumped(con, log))
    assert unfinished(con).old_blocks
    stored = facts_of(con)
    tombstones = con.execute("SELECT hash FROM tombstones ORDER BY hash").fetchall()
    assert len(tombstones) == others + 3
    con.close()
    rewrite_database(path, 500_000_000, 1, tmp_path / "spill")
    assert not in_file(path)
    with opened(tmp_path) as again:
        assert facts_of(again) == stored
        assert unfinished(again).position is None
    with opened(tmp_path / "replayed") as replayed:
        Loader(replayed, log).load(6)
        assert facts_of(replayed) == stored
        assert replayed.execute("SELECT hash FROM tombstones ORDER BY hash").fetchall() == tombstones


def test_counts_stay_and_references_follow(tmp_path: Path) -> None:
    with loaded(tmp_path, [*REQUESTS, deleted(OTHER)]) as con:
        before = con.execute("SELECT kind, price, occurred_at FROM events ORDER BY ALL").fetchall()
        replacement = erased(con)
        assert con.execute("SELECT kind, price, occurred_at FROM events ORDER BY ALL").fetchall() == before
        assert con.execute("SELECT DISTINCT user_id FROM events ORDER BY user_id").fetchall() == [
            ("bob",),
            (replacement,),
        ]
        found = con.execute(
            """
            SELECT x.trigger_event_id = e.event_id, r.refund_of = e.event_id, m.exposure_id = x.exposure_id,
                r.exposure_id = x.exposure_id, x.variant_id
            FROM exposures x, events e, events r, step_messages m
            WHERE e.price = 10 AND r.kind = 'refund'"""
        ).fetchall()
        assert found == [(True, True, True, False, "a")]
        assert con.execute("SELECT count(DISTINCT event_id), count(DISTINCT device_id) FROM events").fetchone() == (
            6,
            1,
        )
        assert rows(con, "attributes", "user_id, name, value") == [("bob", "n", "1")]
        assert rows(con, "merges") == []
        for table in ("events", "exposures", "step_messages"):  # a hash of the old id would tell of the person
            assert rows(con, table, f"user_hash = {user_hash_sql('user_id')}").count((False,)) == 0


def test_a_refund_of_anothers_purchase_goes_on_to_refund_it(tmp_path: Path) -> None:
    refund = {"item": 0, "user_id": NAME, "kind": "refund", "occurred_at": 8, "refund_of": "b", "price": "1"}
    with loaded(tmp_path, [*REQUESTS, {"events": [refund]}, deleted(NAME)]) as con:
        erased(con)
        assert con.execute("SELECT count(*) FROM events WHERE refund_of = 'b'").fetchall() == [(1,)]


def test_persons_are_erased_together_and_each_gets_a_stranger_of_its_own(tmp_path: Path) -> None:
    requests: list[Request] = [
        {"events": [bought(0, "ann", event_id="1"), bought(1, "bob", event_id="2"), bought(2, "cy", event_id="3")]},
        {"merges": [{"item": 0, "from_user_id": "ann", "to_user_id": "anna"}]},
        {"deletions": [{"item": 0, "user_id": "ann"}, {"item": 1, "user_id": "anna", "leave": "nothing"}]},
        {"deletions": [{"item": 0, "user_id": "bob"}, {"item": 1, "user_id": "cy"}, {"item": 2, "user_id": "cy"}]},
    ]
    chance = iter(range(100))
    with loaded(tmp_path, requests) as con:
        with transaction(con):
            found = erase_waiting(con, key=KEY, erased_at=9, random_bytes=lambda size: bytes([next(chance)] * size))
        assert [one.user_ids for one in found] == [("ann", "anna"), ("bob",), ("cy",)]
        assert found[0].replacement is None  # of two wishes the stricter one
        assert rows(con, "events", "user_id") == sorted((one.replacement,) for one in found[1:])


def test_without_leaves_only_others(tmp_path: Path) -> None:
    with loaded(tmp_path, [*REQUESTS, deleted(NAME, "nothing")]) as con:
        erased(con)
        assert rows(con, "events", "user_id, event_id") == [("bob", "b")]
        assert rows(con, "exposures") == rows(con, "step_messages") == []


def test_others_keep_the_very_spelling_of_their_facts(tmp_path: Path) -> None:
    with loaded(tmp_path, [*REQUESTS, deleted(NAME, "nothing")]) as con:
        erased(con)
        change_frame = log_change(con)
        changed = [change_frame(entry.position, entry.frame) for entry in read(tmp_path / "log", 0)]
        assert changed[0] is not None
        assert changed[0].body.startswith(b'{"events":[' + json.dumps(REQUESTS[0]["events"][1]).encode())


def test_doing_it_again_after_a_crash_changes_nothing_more(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with loaded(tmp_path, [*REQUESTS, deleted(NAME)]) as con, Writer(log) as writer:
        writer.seal().result()
        erased(con)
        writer.rewrite(log_change(con))
        stored = facts_of(con)
        with transaction(con):
            assert erase_waiting(con, key=KEY, erased_at=10, random_bytes=random_bytes) == []
        assert writer.rewrite(log_change(con)).segments == 0
        assert facts_of(con) == stored
        assert con.execute("SELECT count(*) FROM tombstones").fetchone() == (2,)


def test_what_comes_later_is_refused_and_counted(tmp_path: Path) -> None:
    with loaded(tmp_path, [*REQUESTS, deleted(NAME, "nothing")]) as con:
        erased(con)
        forget(con, END)
        later: Request = {
            "events": [bought(0, NAME, 50), bought(1, "eve", 50)],
            "attributes": [{"item": 2, "user_id": OTHER, "values": {"a": 1}}],
            "merges": [{"item": 3, "from_user_id": "bob", "to_user_id": OTHER}],
        }
        end = write(tmp_path / "log", [later])
        known = Loader(con, tmp_path / "log", tombstone_key=KEY).load(end)
        assert (known.refused, dict(known.rows)) == (3, {"events": 1})


def test_a_deletion_refuses_what_is_logged_after_it_before_the_person_is_erased(tmp_path: Path) -> None:
    requests: list[Request] = [
        {"events": [bought(0, "ann", event_id="1")]},
        {"deletions": [{"item": 0, "user_id": "ann"}]},
        {"events": [bought(0, "ann", event_id="2"), bought(1, "bob", event_id="3")]},
    ]
    with loaded(tmp_path, requests) as con:
        assert rows(con, "events", "event_id") == [("1",), ("3",)]
        assert rows(con, "deletions", "user_id") == [("ann",)]


def test_who_is_meant_is_settled_by_the_merges_before_a_deletion(tmp_path: Path) -> None:
    requests: list[Request] = [
        {"merges": [{"item": 0, "from_user_id": "ann", "to_user_id": "anna"}]},
        {"deletions": [{"item": 0, "user_id": "anna"}]},
        {"merges": [{"item": 0, "from_user_id": "ann", "to_user_id": "bob"}], "events": [bought(1, "ann")]},
        {"events": [bought(0, "bob")]},
    ]
    with loaded(tmp_path, requests) as con:
        assert rows(con, "deletions", "user_id") == [("ann",), ("anna",)]
        assert rows(con, "events", "user_id") == [("bob",)]


def test_a_file_in_use_is_not_rewritten(tmp_path: Path) -> None:
    with loaded(tmp_path, REQUESTS) as con:
        size = (tmp_path / "facts.duckdb").stat().st_size
        with pytest.raises(UserError, match="close it first"):
            rewrite_database(tmp_path / "facts.duckdb", 500_000_000, 1, tmp_path / "spill")
        assert (tmp_path / "facts.duckdb").stat().st_size == size
        assert con.execute("SELECT count(*) FROM events").fetchone() == (6,)


def test_facts_that_came_later_leave_the_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with loaded(tmp_path, [*REQUESTS, deleted(NAME)]) as con:
        erased(con)
        with Writer(log) as writer:
            writer.seal().result()
            writer.rewrite(log_change(con))
        forget(con, END)
        late: Request = {
            "events": [bought(0, NAME, 50), bought(1, "eve", 50)],
            "attributes": [{"item": 2, "user_id": OTHER, "values": {"a": 1}}],
            "merges": [{"item": 3, "from_user_id": "bob", "to_user_id": OTHER}],
            "deletions": [{"item": 4, "user_id": "nobody"}],
        }
        end = write(log, [{"events": [bought(0, "eve", 51)]}, late])
        Loader(con, log, tombstone_key=KEY).load(end)
        assert unfinished(con).refused == 1
        assert names_in(dumped(con, log))
        with Writer(log) as writer:
            writer.seal().result()
            assert writer.rewrite(log_change(con)).segments == 1
        forget(con, END)
        assert not names_in(dumped(con, log))
        (*_, last) = read(log, 0)
        assert [one["user_id"] for one in json.loads(last.frame.body)["events"]] == ["eve"]
