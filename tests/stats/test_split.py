"""The split check: fair bets against the planned shares, what fires and what it says."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from scipy.stats import chisquare, dirichlet_multinomial, multinomial

from afterword.stats.split import CONCENTRATIONS, FALSE_ALARMS, Split, check, chi_squared, log_e

EMAIL_TEST = (21_307, 21_387, 21_306)
THIRDS = (1.0, 1.0, 1.0)
NAMES = ("a", "b", "control")


def test_evidence_is_the_dirichlet_multinomial_against_the_multinomial_likelihood() -> None:
    for counts in ((12, 9, 4), (0, 3, 40), (500, 480, 90)):
        shares = np.array([0.45, 0.45, 0.1])
        null = multinomial.logpmf(counts, sum(counts), shares)
        bets = [math.exp(dirichlet_multinomial.logpmf(counts, k * shares, sum(counts)) - null) for k in CONCENTRATIONS]
        assert log_e(counts, shares.tolist()) == pytest.approx(math.log(sum(bets) / 2), rel=1e-9)


@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.45, 0.45, 0.1), (0.2, 0.8)])
def test_the_bet_is_fair_while_the_shares_hold(shares: tuple[float, ...]) -> None:
    n, expected = 12, 0.0
    for counts in product(range(n + 1), repeat=len(shares)):
        if sum(counts) == n:
            expected += float(multinomial.pmf(counts, n, shares)) * math.exp(log_e(counts, shares))
    assert expected == pytest.approx(1.0, rel=1e-9)


def test_published_e_mail_test_is_split_as_planned() -> None:
    # shared/data/README.md: chi-squared 0.2025, p 0.904.
    plain = chi_squared(EMAIL_TEST, THIRDS)
    assert plain is not None
    assert plain.statistic == pytest.approx(0.2025, abs=5e-5)
    assert plain.p_value == pytest.approx(0.904, abs=5e-4)
    found = check([Split(EMAIL_TEST, THIRDS)], ("men's", "women's", "none"))
    assert not found.fires
    assert found.p_value == 1.0
    assert found.sentence == "The split is as planned."


@pytest.mark.parametrize("counts", [(50, 61), (400, 390, 320), (10, 20, 30, 40), (7, 9, 4, 3, 8, 12)])
def test_plain_test_equals_scipys(counts: tuple[int, ...]) -> None:
    ours, theirs = chi_squared(counts, (1.0,) * len(counts)), chisquare(counts)
    assert ours is not None
    assert ours.statistic == pytest.approx(theirs.statistic, rel=1e-12)
    assert ours.p_value == pytest.approx(theirs.pvalue, rel=1e-9)


def test_warning_names_shares_expected_and_seen() -> None:
    found = check([Split((4_500, 4_500, 1_000), (45, 45, 10)), Split((4_500, 3_900, 1_000), (45, 45, 10))], NAMES)
    assert found.fires
    assert found.p_value < FALSE_ALARMS
    assert found.days == (1,)
    assert found.sentence == (
        "Of 19,400 users, a got 46.4 % instead of 45.0 %, b 43.3 % instead of 45.0 %, control 10.3 % instead of "
        "10.0 %, which is not chance, on one of the days even by itself."
    )


def test_days_that_hide_each_other_are_found_one_by_one() -> None:
    days = [Split((1_000, 1_000), (1, 1))] * 5 + [Split((1_300, 700), (1, 1)), Split((700, 1_300), (1, 1))]
    found = check(days, ("a", "b"))
    assert found.fires
    assert found.days == (5, 6)
    assert log_e((7_000, 7_000), (1, 1)) < 0


def test_shares_that_were_changed_are_no_deviation() -> None:
    days = [Split((5_000, 5_000), (50, 50)), Split((8_000, 2_000), (80, 20))]
    found = check(days, ("a", "b"))
    assert not found.fires
    assert found.expected == pytest.approx((0.65, 0.35))
    assert found.expected == pytest.approx(found.seen)


def test_user_in_a_variant_without_a_share_cannot_be_chance() -> None:
    found = check([Split((1, 10, 0), (0, 90, 10))], NAMES)
    assert found.fires
    assert found.p_value == 0.0


def test_outcome_that_thins_one_variant_raises_the_warning() -> None:
    days = [Split((4_500, 4_500, 1_000), (45, 45, 10))]
    alike = {"sent": (4_400, 4_390, 0), "bounced": (100, 110, 0), "held_out": (0, 0, 1_000)}
    messages = (True, True, False)
    assert not check(days, NAMES, outcomes=alike, messages=messages).fires
    thinned = check(days, NAMES, outcomes=alike | {"bounced": (100, 260, 0)}, messages=messages)
    assert thinned.fires
    assert thinned.outcomes == ("bounced",)
    assert thinned.sentence.startswith("The outcome `bounced` does not fall on the variants alike")


def test_one_in_a_hundred_users_in_several_variants_raises_the_warning() -> None:
    days = [Split((5_000, 5_000), (1, 1))]
    assert not check(days, ("a", "b"), several=(99, 10_000)).fires
    found = check(days, ("a", "b"), several=(100, 10_000))
    assert found.fires
    assert found.several == 0.01
    assert found.sentence == ("100 of 10,000 users (1.0%) were seen in several variants, which assignment never does.")


def test_without_users_there_is_nothing_to_say() -> None:
    found = check([], NAMES)
    assert not found.fires
    assert (found.expected, found.seen, found.p_value) == ((), (), 1.0)
    assert chi_squared((0, 0), (1, 1)) is None


@pytest.mark.parametrize(
    ("counts", "shares"), [((1, 2), (1,)), ((-1, 2), (1, 1)), ((1, 2), (0, 0))], ids=["lengths", "negative", "no-share"]
)
def test_impossible_splits_are_refused(counts: tuple[int, ...], shares: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="must be"):
        Split(counts, shares)


def test_unknown_outcome_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown outcome `lost`"):
        check([Split((5, 5), (1, 1))], ("a", "b"), outcomes={"lost": (1, 2)})
