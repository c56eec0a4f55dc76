"""Which id stands for a merged person (rule 37): the engine's graph algorithm against the oracle's naive one."""

from __future__ import annotations

import random

from afterword.attribution.people import persons_of
from tests.oracle_people import MergeFact, people


def test_chains_cycles_and_forks_lead_to_the_person_that_the_oracle_finds() -> None:
    for seed in range(1_000):
        rng = random.Random(seed)
        ids = rng.randint(2, 7)
        merges = [MergeFact(f"u{rng.randrange(ids)}", f"u{rng.randrange(ids)}") for _ in range(rng.randint(1, 8))]
        found = persons_of([one.from_user_id for one in merges], [one.to_user_id for one in merges])
        assert found == people(merges), merges


def test_an_id_merged_into_no_other_stands_before_those_of_a_cycle() -> None:
    assert persons_of(["a", "b", "b"], ["b", "a", "z"])["a"] == "z"
