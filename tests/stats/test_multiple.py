"""Several variants and events: published examples, statsmodels, and the family-wise error by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import false_discovery_control
from statsmodels.stats.multitest import multipletests

from afterword.stats.multiple import (
    Gatekept,
    PValues,
    benjamini_hochberg,
    decided,
    gatekeeping,
    graphical,
    holm,
)
from tests.extent import slow_but


def test_published_example_of_holm() -> None:
    # The worked example of the encyclopaedia article "Holm-Bonferroni method": of four hypotheses the first and the
    # fourth are refuted at 5 %, the others not. The adjusted values are 2 x 0.03 (twice), 3 x 0.01 and 4 x 0.005.
    adjusted = holm([0.01, 0.03, 0.04, 0.005])
    assert adjusted == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert decided(adjusted, 0.05) == [True, False, False, True]


def test_published_example_of_benjamini_and_hochberg() -> None:
    # Benjamini and Hochberg (1995), section 4.1, quoted in SciPy's documentation of `false_discovery_control`: fifteen
    # comparisons of two treatments of infarction. At 5 % their procedure refutes four where Bonferroni's refutes three.
    p = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459]
    p += [0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0]
    adjusted = benjamini_hochberg(p)
    assert adjusted == pytest.approx(false_discovery_control(p).tolist(), abs=1e-9)
    assert sum(decided(adjusted, 0.05)) == 4
    assert sum(decided(holm(p), 0.05)) == 3


def test_published_example_of_a_graph() -> None:
    # Vignette `shortcut-testing` of the R package graphicalMCP, after Bretz et al. (2009): two doses, two endpoints; at
    # 2.5 % H1, H2 and H4 are refuted. The adjusted values by hand: H2 0.01 / 0.5; H1 0.018 / 0.75; H4 0.006 / 0.25.
    edges = [[0.0, 0.5, 0.5, 0.0], [0.5, 0.0, 0.0, 0.5], [0.0, 1.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]]
    adjusted = graphical([0.018, 0.01, 0.105, 0.006], [0.5, 0.5, 0, 0], edges)
    assert adjusted == pytest.approx((0.024, 0.02, 0.105, 0.024))
    assert decided(adjusted, 0.025) == [True, True, False, True]


@pytest.mark.parametrize("size", slow_but([2, 32], [1, 5]))
def test_adjusted_values_equal_statsmodels(size: int) -> None:
    rng = np.random.default_rng(size)
    for _ in range(3):
        p = (rng.random(size) ** 3).tolist()
        assert holm(p) == pytest.approx(multipletests(p, method="holm")[1], abs=1e-9)
        assert benjamini_hochberg(p) == pytest.approx(multipletests(p, method="fdr_bh")[1], abs=1e-9)


def test_a_graph_of_equals_is_holm_and_a_chain_is_a_fixed_order() -> None:
    p = [0.012, 0.02, 0.004, 0.3, 0.009]
    equals = [[0.0 if i == j else 0.25 for j in range(5)] for i in range(5)]
    chain = [[1.0 if j == i + 1 else 0.0 for j in range(5)] for i in range(5)]
    assert graphical(p, [0.2] * 5, equals) == pytest.approx(holm(p))
    assert graphical(p, [1, 0, 0, 0, 0], chain) == pytest.approx((0.012, 0.02, 0.02, 0.3, 0.3))


def test_primaries_are_tested_by_holm_whatever_the_secondary_events_say() -> None:
    primary = [0.01, 0.04, 0.02]
    found = gatekeeping(primary, [[0.0, 0.0]] * 3)
    assert found.primary == pytest.approx(holm(primary))


def test_one_variant_passes_its_whole_level_to_its_secondary_events() -> None:
    found = gatekeeping([0.03], [[0.02, 0.2, 0.01]])
    assert found.primary == pytest.approx((0.03,))
    # Holm over the three, but none below the primary's.
    assert found.secondary[0] == pytest.approx((0.04, 0.2, 0.03))
    assert gatekeeping([0.03], [[0.02, 0.2, 0.01]], passed_on=0.7) == found


def test_a_secondary_event_is_never_decided_before_its_primary() -> None:
    rng = np.random.default_rng(1)
    for passed_on in (0.0, 0.3, 1.0):
        for _ in range(100):
            primary, secondary = rng.random(4) ** 4, rng.random((4, 3)) ** 6
            found = gatekeeping(primary.tolist(), secondary.tolist(), passed_on)
            for first, others in zip(found.primary, found.secondary, strict=True):
                assert all(p is not None and first is not None and p >= first for p in others)


def test_a_share_passed_on_decides_the_events_of_one_variant_while_others_are_open() -> None:
    primary, secondary = [0.001, 0.6], [[0.004, 0.9], [0.0, 0.0]]
    assert gatekeeping(primary, secondary).secondary[0] == pytest.approx((0.6, 0.9))
    # 0.025 of the first variant's primary, of which half is for its two events: 0.00625 each at 5 %.
    found = gatekeeping(primary, secondary, passed_on=0.5)
    assert found.secondary[0][0] == pytest.approx(0.004 * 8)
    # 0.75 of the level is the second primary's: 0.6 / 0.75.
    assert found.secondary[1] == pytest.approx((0.8, 0.8), rel=1e-5)


def test_level_returns_to_the_open_primaries_when_all_events_of_a_variant_are_decided() -> None:
    found = gatekeeping([0.001, 0.04], [[0.001, 0.002], []], passed_on=1.0)
    assert found.primary[1] == pytest.approx(0.04, rel=1e-5)
    assert gatekeeping([0.001, 0.04], [[0.001, 0.2], []], passed_on=1.0).primary[1] == pytest.approx(0.08, rel=1e-5)


def test_what_has_no_p_value_keeps_its_place_in_the_family() -> None:
    assert holm([0.01, None, 0.02]) == pytest.approx((0.03, None, 0.04))
    assert gatekeeping([0.01, None], [[0.5], [None]]) == Gatekept((0.02, None), ((1.0,), (None,)))
    assert decided([0.01, None], 0.05) == [True, False]


def test_nothing_to_test_is_no_error() -> None:
    assert holm([]) == ()
    assert benjamini_hochberg([]) == ()
    assert gatekeeping([], []) == Gatekept((), ())


@pytest.mark.parametrize("procedure", [holm, benjamini_hochberg])
def test_impossible_p_values_are_refused(procedure: object) -> None:
    assert callable(procedure)
    with pytest.raises(ValueError, match=r"p value is 1\.2"):
        procedure([0.1, 1.2])
    with pytest.raises(ValueError, match="p value is nan"):
        procedure([math.nan])


def test_impossible_families_are_refused() -> None:
    with pytest.raises(ValueError, match="of 1 variants for primaries of 2"):
        gatekeeping([0.1, 0.2], [[0.1]])
    with pytest.raises(ValueError, match=r"passed_on is 1\.5"):
        gatekeeping([0.1], [[0.1]], passed_on=1.5)
    with pytest.raises(ValueError, match="as many weights"):
        graphical([0.1, 0.2], [1.0], [[0.0]])
    with pytest.raises(ValueError, match="sum to at most 1"):
        graphical([0.1, 0.2], [0.6, 0.6], [[0.0, 1.0], [1.0, 0.0]])


def test_smaller_p_values_never_decide_less() -> None:
    # What makes always-valid p values usable: what was decided yesterday stays decided.
    rng = np.random.default_rng(2)
    for passed_on in (0.0, 0.5, 1.0):
        for _ in range(50):
            p = rng.random(3 + 6) ** 3
            lower = p * rng.random(9)
            before, after = (
                gatekeeping(of[:3].tolist(), of[3:].reshape(3, 2).tolist(), passed_on) for of in (p, lower)
            )
            for old, new in zip(_all(before), _all(after), strict=True):
                assert new <= old + 1e-9


def _all(found: Gatekept) -> list[float]:
    return [p for of in (found.primary, *found.secondary) for p in of if p is not None]


VARIANTS, EVENTS = 8, 4


def p_values(runs: int, seed: int, effect: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> list[list[PValues]]:
    """Two-sided p values per run and variant: a shared control, events that correlate by a half."""
    rng = np.random.default_rng(seed)
    person = rng.normal(size=(runs, VARIANTS + 1, 1))
    arms = math.sqrt(0.5) * person + math.sqrt(0.5) * rng.normal(size=(runs, VARIANTS + 1, EVENTS))
    z = (arms[:, :-1] - arms[:, -1:]) / math.sqrt(2) + effect
    return [[[math.erfc(abs(x) / math.sqrt(2)) for x in of] for of in run] for run in z.tolist()]


@pytest.mark.parametrize("passed_on", [0.0, 0.5])
@pytest.mark.parametrize("real", [0, 1, 4], ids=lambda n: f"{n}-real-primaries")
def test_family_wise_error_of_eight_variants_and_four_events(real: int, passed_on: float) -> None:
    # The first `real` variants have an overwhelming effect on the primary and none on the secondary events; the rest
    # none.
    effect, runs = np.zeros((VARIANTS, EVENTS)), 1_000
    effect[:real, 0] = 20
    wrong = 0
    for run in p_values(runs, 30 + real, effect):
        found = gatekeeping([of[0] for of in run], [of[1:] for of in run], passed_on)
        false_primary = decided(found.primary, 0.05)[real:]
        false_secondary = [one for of in found.secondary for one in decided(of, 0.05)]
        wrong += any(false_primary) or any(false_secondary)
    # At most 5 %, with two standard errors of the simulation.
    assert wrong / runs <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / runs)
