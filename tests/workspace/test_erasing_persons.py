"""`afterword erase`: a person is in no file of a data directory any more (rule 36)."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import msgspec
import pytest

from afterword.errors import UserError
from afterword.intake.accepted import DIALECT
from afterword.intake.definitions import parse_definitions
from afterword.interfaces.cli import main
from afterword.log import Frame, read
from afterword.store.erasing_log import change, concerns
from afterword.workspace.answering import DataDirectory, open_data_directory
from afterword.workspace.cleaning import Stage
from afterword.workspace.data_directory import FACTS, LOG
from tests.workspace.feed_world import read_all

NAME, ALIAS = "Quixote-7", "don@mancha.example"
HOUR = 3_600_000_000
NOW = 500_000 * HOUR
CAMPAIGN = {
    "id": "c",
    "name": "c",
    "variants": [{"id": "a", "share": 50}, {"id": "b", "share": 50}],
    "conversion_events": [{"kind": "purchase", "deadline": "1 day"}],
}


def bought(item: int, user: str, at: int) -> dict[str, object]:
    return {
        "item": item, "user_id": user, "kind": "purchase", "occurred_at": at, "price": "5", "currency": "EUR",
        "event_id": f"of {user}", "device_id": f"phone of {user}", "properties": {"name": user},
    }  # fmt: skip


def exposed(item: int, user: str, variant: str) -> dict[str, object]:
    return {"item": item, "user_id": user, "campaign_id": "c", "variant_id": variant, "exposed_at": NOW - 3 * HOUR}


def fill(data: DataDirectory) -> None:
    body = {
        "exposures": [exposed(0, NAME, "a"), exposed(1, "bob", "b")],
        "events": [bought(0, ALIAS, NOW - HOUR), bought(1, "bob", NOW - HOUR)],
        "attributes": [{"item": 0, "user_id": NAME, "values": {"name": NAME}}],
        "merges": [{"item": 0, "from_user_id": ALIAS, "to_user_id": NAME}],
        "rejected": [{"item": 9, "kind": "events", "reason": "bad_time", "message": f"time of {NAME} is no time"}],
    }
    (campaign,) = parse_definitions({"campaigns": [CAMPAIGN]}, "test").campaigns
    data.metadata.campaigns.create(campaign, NOW)
    data.metadata.campaigns.launch("c", NOW)
    data.log.append(Frame(NOW, DIALECT, "k", msgspec.json.encode(body))).result()
    assert data.keeper.caught_up(60)


def opened(path: Path) -> Iterator[DataDirectory]:
    with open_data_directory(
        path, memory="500MB", threads=1, clock=lambda: NOW, chance=os.urandom, tell=lambda said, _: pytest.fail(said)
    ) as data:
        yield data


def found_in(path: Path) -> set[str]:
    """Return the files under a directory that name the person; the log's bodies are decompressed."""
    names = (NAME.encode(), ALIAS.encode())
    found = {
        str(file.relative_to(path))
        for file in path.rglob("*")
        if file.is_file() and any(name in file.read_bytes() for name in names)
    }
    if any(name in entry.frame.body for entry in read(path / LOG, 0) for name in names):
        found.add(LOG)
    return found


def converted(data: DataDirectory) -> list[tuple[str, int, int]]:
    report = data.live.report(data.definitions(), NOW)
    variants = report["campaigns"][0]["variants"]
    return [(v["id"], v["exposed"], v["conversions"]["A"]["converted"]) for v in variants]


@pytest.mark.parametrize(
    ("leave", "expected"),
    [
        pytest.param("counts", [("a", 1, 1), ("b", 1, 1)], id="counts-stay"),
        pytest.param("nothing", [("a", 0, 0), ("b", 1, 1)], id="nothing-stays"),
    ],
)
def test_an_erased_person_is_in_no_file(
    leave: str, expected: list[tuple[str, int, int]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "data"
    for data in opened(path):
        fill(data)
        assert converted(data) == [("a", 1, 1), ("b", 1, 1)]
        assert NAME in {change["user_id"] for change in read_all(data.live)}
    assert {FACTS, LOG} <= found_in(path)  # the scan finds what is there

    assert main(["erase", ALIAS, "--leave", leave, "--data", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"erased": [{"user_id": ALIAS, "ids": 2, "facts": 2}]}
    assert found_in(path) == set()

    for data in opened(path):
        assert converted(data) == expected
        assert data.live.recompute(data.definitions()) == []
        assert data.live.feed.state.last == 2
        assert len(read_all(data.live)) == sum(number for _, _, number in expected)
        body = {"exposures": [exposed(0, NAME, "b")]}
        data.log.append(Frame(NOW, DIALECT, "k", msgspec.json.encode(body))).result()
        assert data.keeper.caught_up(60)
        assert converted(data) == expected  # a tombstone refuses what comes later


def test_a_directory_that_is_none_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["erase", "x", "--data", str(tmp_path / "none")]) == UserError.exit_code
    assert "there is no data directory" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


def test_a_directory_in_use_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "data"
    for _data in opened(path):
        assert main(["erase", "x", "--data", str(path)]) == UserError.exit_code
    assert "held by" in capsys.readouterr().err


def test_old_blocks_that_cannot_be_freed_now_are_freed_at_a_later_start(tmp_path: Path) -> None:
    path, said = tmp_path / "data", list[str]()

    def tell(what: str, _error: BaseException | None) -> None:
        said.append(what)

    def served() -> AbstractContextManager[DataDirectory]:
        return open_data_directory(
            path,
            memory="500MB",
            threads=1,
            clock=lambda: NOW,
            chance=os.urandom,
            tell=tell,
        )

    with served() as data:
        fill(data)
        asked = msgspec.json.encode({"deletions": [{"item": 0, "user_id": NAME}]})
        data.log.append(Frame(NOW, DIALECT, "k", asked)).result()
        assert data.keeper.caught_up(60)
        persons = data.erasing.for_the_log(data.log.durable)
        data.log.rewrite(change(persons), concerns(persons))
        data.erasing.forget(persons, data.log.durable)
    assert found_in(path) == {FACTS}
    in_the_way = path / f"{FACTS}.new"
    in_the_way.mkdir()
    with served() as data:
        assert len(said) == 1
        assert "cannot be rewritten yet, its old blocks may name erased persons" in said[0]
        assert (data.cleaning.status.stage, data.cleaning.status.done) == (Stage.WAITING, 1)
        assert converted(data) == [("a", 1, 1), ("b", 1, 1)]
    in_the_way.rmdir()
    with served() as data:
        assert (data.cleaning.status.stage, data.cleaning.status.done) == (Stage.NOTHING, 2)
    assert found_in(path) == set()
