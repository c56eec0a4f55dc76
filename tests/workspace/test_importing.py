"""Imported history gives what a run over the same files gives, in whatever order and however often it was stopped."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import tests.engine as engine
from afterword.intake.definitions import load_definitions
from afterword.intake.history import HistoryKind
from afterword.intake.sources import InputFile, find_files
from afterword.model import Counting, Definitions
from afterword.workspace.importing import reading
from afterword.workspace.live import Live
from tests.engine import Layout
from tests.extent import slow_but
from tests.histories import World, generate_world
from tests.oracle_facts import Fact, Facts, FactT, content
from tests.workspace.import_world import Directory, Stopped

KINDS: tuple[HistoryKind, ...] = ("exposures", "events", "step_messages", "merges")
FORMATS = ("csv", "parquet", "ndjson")


def without_conflicts(rows: Sequence[FactT]) -> list[FactT]:
    """Leave one content under each id: which one stays is another on a server than among files (rule 33)."""
    first: dict[tuple[str, str | None], str] = {}
    return [row for row in rows if first.setdefault(row.identity, content(row)) == content(row)]


def some_unnamed(rng: random.Random, rows: Sequence[FactT], pieces: int) -> list[FactT]:
    """Take the ids of some facts away, repeat some of them, and say which file each is in."""
    found: list[FactT] = []
    for row in rows:
        changes: dict[str, Any] = {"source": rng.randrange(pieces)}
        if rng.random() < 0.4:
            changes[{"exposure": "exposure_id", "step_message": "message_id"}.get(row.identity[0], "event_id")] = None
        row = replace(row, **changes)
        found += [row] * (rng.choice((1, 1, 1, 2, 3)) if row.identity[1] is None else 1)
    # The first file says that facts are stated to be in files.
    return [replace(row, source=1) if not any(each.source for each in found) else row for row in found]


def make_world(seed: int, users: int, pieces: int) -> World:
    rng = random.Random(seed)
    world = generate_world(rng, users=users)
    facts = world.facts
    return replace(
        world,
        facts=Facts(
            some_unnamed(rng, without_conflicts(facts.exposures), pieces),
            some_unnamed(rng, without_conflicts(facts.events), pieces),
            some_unnamed(rng, without_conflicts(facts.step_messages), pieces),
            facts.merges,
        ),
    )


def files_in(directory: Path) -> dict[HistoryKind, list[InputFile]]:
    found: dict[HistoryKind, list[InputFile]] = {}
    for kind in KINDS:
        if paths := sorted(path for path in directory.iterdir() if path.name.startswith(kind)):
            found[kind] = find_files(kind, paths)
    return found


def bit_by_bit(rng: random.Random, files: Mapping[HistoryKind, Sequence[InputFile]]) -> Iterator[list[Any]]:
    """Yield the files in any order, in pieces, some of them twice."""
    all_ = [(kind, file) for kind, found in files.items() for file in found]
    all_ += [each for each in all_ if rng.random() < 0.3]
    rng.shuffle(all_)
    while all_:
        count = rng.randint(1, 3)
        yield all_[:count]
        all_ = all_[count:]


def by_kind(some: Sequence[tuple[HistoryKind, InputFile]]) -> dict[HistoryKind, list[InputFile]]:
    found: dict[HistoryKind, list[InputFile]] = {}
    for kind, file in some:
        found.setdefault(kind, []).append(file)
    return found


def latest(facts: Facts) -> int:
    rows: list[Fact] = [*facts.exposures, *facts.events, *facts.step_messages]
    return max(row.at for row in rows)


def conversions_of(live: Live, definitions: Definitions) -> list[tuple[Any, ...]]:
    """Return the conversions with the ids that they have in the result files of a run."""
    rows = live._con.execute(
        """
        SELECT k.campaign_id, c.letter, u.user_id, x.exposure_id, c.event_id, c.variant, c.converted_at, c.after_open
        FROM derived.conversions c JOIN derived.campaigns k USING (campaign) JOIN derived.users u ON u.user = c.user
        JOIN derived.exposures x ON (x.campaign, x.user, x.exposure) = (c.campaign, c.user, c.exposure)"""
    ).fetchall()
    return sorted(
        (campaign, "ABCD"[letter], user, exposure, event, _variant(definitions, campaign, variant), at, after_open)
        for campaign, letter, user, exposure, event, variant, at, after_open in rows
    )


def _variant(definitions: Definitions, campaign: str, place: int) -> str:
    return definitions.campaigns[definitions.index_of(campaign)].variants[place].id


def conversions_in(ran: engine.Ran) -> list[tuple[Any, ...]]:
    names = ("campaign_id", "conversion_event", "user_id", "exposure_id", "event_id", "variant_id", "converted_at")
    return sorted(tuple(row[name] for name in (*names, "after_open")) for row in ran.rows("conversions"))


@pytest.mark.sampled(2)
@pytest.mark.parametrize("seed", slow_but([0, 2], [1, 3]))
def test_an_import_in_any_order_and_pieces_gives_what_a_run_gives(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(seed)
    monkeypatch.setattr(reading, "BATCH_ROWS", rng.choice((3, 7, 50)))
    world = make_world(seed, users=12, pieces=3)
    as_of = latest(world.facts)
    files = tmp_path / "files"
    files.mkdir()
    ran = engine.run(world.definitions, world.facts, files, layout=Layout(FORMATS, seed), as_of=as_of)
    directory = Directory(tmp_path / "data")
    accepted, rejected = Counter[str](), Counter[str]()
    for some in bit_by_bit(rng, files_in(files)):
        for _ in range(rng.choice((0, 0, 1, 3))):
            try:
                directory.take(by_kind(some), stop_after=rng.randrange(6))
            except Stopped:
                continue
            break
        imported = directory.take(by_kind(some))
        accepted += imported.accepted
        rejected += imported.rejected
    assert directory.imports > 3
    definitions = load_definitions(files / "definitions.json")
    with directory.results(definitions, as_of) as live:
        found, expected = (json.loads(json.dumps(each)) for each in (live.report(definitions, as_of), ran.report))
        assert found["campaigns"] == expected["campaigns"]
        assert conversions_of(live, definitions) == conversions_in(ran)
    if all(campaign.counting is not Counting.ONCE_PER_CHANNEL for campaign in world.definitions.campaigns):
        told = ("events", "exposures", "step_messages", "rejected", "refunds_unmatched", "repetitions")
        assert {name: found["facts"][name] for name in told} == {name: expected["facts"][name] for name in told}
    assert not rejected
