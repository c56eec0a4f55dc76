"""Paths of the engine that small data would not take by itself give what the usual ones give."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from afterword.attribution import labels
from afterword.workspace import session
from tests import engine
from tests.histories import World, generate_world


@pytest.fixture(scope="module")
def world() -> World:
    return generate_world(random.Random(11), users=40)


def results(world: World, directory: Path, threads: int | None = None) -> tuple[Any, Any, Any]:
    directory.mkdir()
    ran = engine.run(world.definitions, world.facts, directory, as_of=world.as_of, threads=threads)
    report = ran.report
    report.pop("fingerprint")
    return engine.table_of(ran.conversions()), engine.table_of(ran.credited()), report


def test_more_labels_than_the_table_has_places_at_first(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = results(world, tmp_path / "usual")
    monkeypatch.setattr(labels, "FIRST_PLACES", 2)
    assert results(world, tmp_path / "grown") == usual


@pytest.mark.slow
def test_stores_on_disk_give_what_stores_in_memory_give(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_memory = results(world, tmp_path / "memory")
    monkeypatch.setattr(session, "STORE_SHARE", 0.0)
    assert results(world, tmp_path / "disk") == in_memory


@pytest.mark.sampled(3)
@pytest.mark.parametrize("rows", ["1", "7", "100000"])
def test_batches_of_any_size_give_the_same(
    rows: str, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = results(world, tmp_path / "usual")
    monkeypatch.setenv(session.BATCH_ROWS_VARIABLE, rows)
    assert results(world, tmp_path / "batches", threads=1) == usual
