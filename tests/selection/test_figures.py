"""Which differences from control are decided, over all variants and conversion events, as the plan names it."""

from __future__ import annotations

import pytest

from afterword.model import AnalysisPlan, MultipleTesting, PlanKind
from afterword.selection.figures import figures_of
from afterword.stats.multiple import benjamini_hochberg, gatekeeping
from tests.selection.worlds import arm, experiment


def judged(how: MultipleTesting) -> dict[tuple[str, str], tuple[float | None, float | None, bool | None]]:
    """P value, adjusted one and whether decided, by variant and metric: b is better only on B, c on A and C."""
    arms = (
        arm("a", 5_000, 500, letters={"B": 510, "C": 505}),
        arm("b", 5_000, 520, letters={"B": 700, "C": 500}),
        arm("c", 5_000, 650, letters={"B": 505, "C": 620}),
        arm("control", 5_000, 500, letters={"B": 500, "C": 500}),
    )
    plan = AnalysisPlan(plan=PlanKind.FIXED, multiple_testing=how)
    return {
        (one.pair.arm, of.metric.name): (one.p_value, one.adjusted_p_value, one.decided)
        for of in figures_of(experiment(*arms, plan=plan, letters="ABC"))
        for one in of.figures
    }


def decided(how: MultipleTesting) -> set[tuple[str, str]]:
    return {key for key, (_, _, yes) in judged(how).items() if yes}


def test_other_events_wait_for_the_primary_of_all_variants() -> None:
    assert decided(MultipleTesting.HOLM) == {("c", "A")}


def test_other_events_of_a_variant_follow_its_own_primary() -> None:
    assert decided(MultipleTesting.BY_VARIANT) == {("c", "A"), ("c", "C")}


def test_by_the_false_discovery_rate_all_events_are_alike() -> None:
    assert decided(MultipleTesting.BENJAMINI_HOCHBERG) == {("c", "A"), ("b", "B"), ("c", "C")}


@pytest.mark.parametrize("how", MultipleTesting)
def test_the_adjusted_values_are_those_of_the_whole_family(how: MultipleTesting) -> None:
    found, variants = judged(how), ("a", "b", "c")
    raw = {key: p for key, (p, _, _) in found.items()}
    if how is MultipleTesting.BENJAMINI_HOCHBERG:
        family = [(variant, letter) for variant in variants for letter in "ABC"]
        expected = dict(zip(family, benjamini_hochberg([raw[key] for key in family]), strict=True))
    else:
        passed_on = 0.5 if how is MultipleTesting.BY_VARIANT else 0.0
        firsts, others = [raw[v, "A"] for v in variants], [[raw[v, letter] for letter in "BC"] for v in variants]
        kept = gatekeeping(firsts, others, passed_on)
        expected = {(v, "A"): p for v, p in zip(variants, kept.primary, strict=True)}
        for v, of in zip(variants, kept.secondary, strict=True):
            expected |= {(v, letter): p for letter, p in zip("BC", of, strict=True)}
    assert {key: p for key, (_, p, _) in found.items() if key[1] != "revenue"} == expected
    assert all(found[v, "revenue"][1:] == (None, None) for v in variants if (v, "revenue") in found)
