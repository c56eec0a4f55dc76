"""One verdict per campaign: which answer, and what blocks it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from afterword.model import AnalysisPlan, Guardrail, GuardrailEvent, PlanKind, WinnerRule, Worse
from afterword.selection.experiment import Epoch, Experiment, Metric
from afterword.selection.missing import Basis, Missing
from afterword.selection.winner import Answer, Because, Verdict, judge
from tests.selection.worlds import DAY, TODAY, arm, experiment

FIXED = AnalysisPlan(plan=PlanKind.FIXED)
PLANS = [pytest.param(AnalysisPlan(), id="always-valid"), pytest.param(FIXED, id="fixed")]


def verdict(one: Experiment) -> Verdict:
    found = judge(one)
    assert found is not None
    return found


def answer(one: Experiment) -> tuple[Answer, str | None, Because | None]:
    found = verdict(one)
    return found.answer, found.best, found.because


# --- the answers --------------------------------------------------------------------------------------


@pytest.mark.parametrize("plan", PLANS)
def test_a_variant_that_is_better_than_every_other_arm_is_the_winner(plan: AnalysisPlan) -> None:
    arms = arm("a", 10_000, 1_000), arm("b", 10_000, 1_300), arm("control", 10_000, 900)
    found = verdict(experiment(*arms, plan=plan))
    assert (found.answer, found.best, found.second) == (Answer.WINNER, "b", "a")
    assert found.pair("b", "a").is_ahead
    assert found.pair("b", "control").is_ahead


@pytest.mark.parametrize("plan", PLANS)
def test_to_be_better_than_control_alone_does_not_win(plan: AnalysisPlan) -> None:
    arms = arm("a", 10_000, 1_290), arm("b", 10_000, 1_300), arm("control", 10_000, 900)
    assert verdict(experiment(*arms, plan=plan)).answer is not Answer.WINNER


@pytest.mark.parametrize("plan", PLANS)
def test_control_is_never_the_winner(plan: AnalysisPlan) -> None:
    arms = arm("a", 10_000, 1_000), arm("control", 10_000, 1_300)
    assert answer(experiment(*arms, plan=plan)) == (Answer.CONTROL_BEST, "control", None)


@pytest.mark.parametrize("plan", PLANS)
def test_all_bounds_within_the_smallest_effect_are_no_difference_worth_having(plan: AnalysisPlan) -> None:
    wide = replace(plan, smallest_effect=Decimal("0.2"))
    arms = arm("a", 50_000, 5_010), arm("b", 50_000, 5_000), arm("control", 50_000, 4_990)
    assert answer(experiment(*arms, plan=wide)) == (Answer.NO_DIFFERENCE, None, None)
    # 2 % of a tenth is 0.2 percentage points, and 50,000 users do not show that much
    assert verdict(experiment(*arms, plan=plan)).answer is not Answer.NO_DIFFERENCE


def test_one_bound_outside_is_a_difference_that_may_be_worth_having() -> None:
    wide = AnalysisPlan(smallest_effect=Decimal("0.2"))
    arms = arm("a", 50_000, 5_010), arm("b", 50_000, 5_000), arm("control", 500, 50)
    assert answer(experiment(*arms, plan=wide)) == (Answer.TOO_EARLY, None, Because.UNDECIDED)


def test_ahead_for_a_single_look_is_leading() -> None:
    # z is 2.2: once in thirty looks at nothing
    found = verdict(experiment(arm("a", 10_000, 1_095), arm("control", 10_000, 1_000)))
    assert (found.answer, found.best, found.second, found.because) == (
        Answer.LEADING,
        "a",
        "control",
        Because.UNDECIDED,
    )
    assert found.pair("a", "control").seems_ahead


def test_nobody_ahead_is_too_early() -> None:
    found = verdict(experiment(arm("a", 10_000, 1_040), arm("control", 10_000, 1_000)))
    assert (found.answer, found.best, found.because) == (Answer.TOO_EARLY, None, Because.UNDECIDED)


def test_less_than_the_minimum_is_too_early_whatever_the_difference() -> None:
    plan = AnalysisPlan(minimum_sample=5_000)
    found = verdict(experiment(arm("a", 4_990, 2_000, waiting=500), arm("control", 6_000, 100, waiting=600), plan=plan))
    assert (found.answer, found.because) == (Answer.TOO_EARLY, Because.MINIMUM_SAMPLE)
    assert found.missing is not None
    assert (found.missing.users, found.missing.days) == (10, 2)  # those of yesterday, three days after


def test_a_fixed_plan_looks_once_when_all_windows_have_closed() -> None:
    arms = arm("a", 10_000, 1_300, waiting=4), arm("control", 10_000, 1_000, waiting=3)
    found = verdict(experiment(*arms, plan=FIXED))
    assert (found.answer, found.because) == (Answer.TOO_EARLY, Because.WINDOWS_OPEN)
    assert found.missing is not None
    assert (found.missing.users, found.missing.days) == (7, 2)


def test_a_fixed_plan_that_found_nothing_says_so() -> None:
    arms = arm("a", 10_000, 1_040), arm("control", 10_000, 1_000)
    assert answer(experiment(*arms, plan=FIXED)) == (Answer.NO_WINNER, None, None)


def test_users_in_several_variants_break_the_split_from_one_percent_on() -> None:
    arms = arm("a", 990, 500, waiting=10), arm("control", 1_000, 100)
    found = verdict(experiment(*arms, several=20))
    assert found.answer is Answer.SPLIT_BROKEN
    assert found.split.several == 0.01
    assert verdict(experiment(*arms, several=19)).answer is Answer.WINNER


def test_users_who_did_not_come_as_planned_break_the_split() -> None:
    as_planned = experiment(arm("a", 5_400, 1_000), arm("control", 4_600, 500))
    assert verdict(as_planned).answer is Answer.WINNER
    half = tuple(replace(one, share=0.5) for one in as_planned.arms)
    assert answer(replace(as_planned, arms=half)) == (Answer.SPLIT_BROKEN, None, None)


def test_shares_that_were_changed_are_held_against_their_own_days() -> None:
    arms = arm("a", 9_000, 1_000, over_days=2, ago=1), arm("control", 1_000, 50, over_days=2, ago=1)
    later = [*arms[0].first_exposed, (TODAY - 1, 500)], [*arms[1].first_exposed, (TODAY - 1, 500)]
    changed = experiment(*(replace(one, first_exposed=days) for one, days in zip(arms, later, strict=True)))
    assert verdict(changed).answer is Answer.SPLIT_BROKEN
    epochs = Epoch(0, {"a": 0.9, "control": 0.1}), Epoch(TODAY - 2, {"a": 0.5, "control": 0.5})
    assert verdict(replace(changed, epochs=epochs)).answer is Answer.WINNER


def test_shares_that_change_every_day_leave_nothing_to_compare() -> None:
    one = experiment(arm("a", 9_000, 1_000), arm("control", 9_000, 500))
    daily = tuple(Epoch(TODAY - ago, {"a": 0.5 + ago / 100, "control": 0.5 - ago / 100}) for ago in range(20, 0, -1))
    assert answer(replace(one, epochs=daily)) == (Answer.TOO_EARLY, None, Because.SHARES_MOVING)


def moving(ago: int) -> Missing | None:
    """Shares changed daily up to some days ago; 900 users a day of each arm, up to yesterday, windows of three days."""
    came = [(TODAY - day, 900) for day in range(12, 0, -1)]
    arms = [replace(arm(name, 9_000, 1_000), first_exposed=came) for name in ("a", "control")]
    epochs = tuple(Epoch(TODAY - day, {"a": 0.5 + day / 100, "control": 0.5 - day / 100}) for day in range(20, ago, -1))
    found = verdict(replace(experiment(*arms), epochs=epochs))
    assert found.because is Because.SHARES_MOVING
    return found.missing


def test_how_many_users_must_come_while_shares_stand_still() -> None:
    # None of the 18,000 of age came between changes. Of the 3,600 that are waiting all came after the last change.
    assert moving(ago=2) == Missing(18_000, 3 + round((18_000 - 3_600) / 1_800), None, by_pace=True)
    # Here none of them did, and they have to be outweighed too.
    assert moving(ago=0) == Missing(21_600, 3 + round(21_600 / 1_800), None, by_pace=True)


def test_waiting_users_may_be_enough_when_shares_stand_still() -> None:
    came = [(TODAY - day, 900) for day in range(12, 2, -1)] + [(TODAY - 2, 9_500), (TODAY - 1, 9_500)]
    arms = [replace(arm(name, 9_000, 1_000), first_exposed=came) for name in ("a", "control")]
    epochs = tuple(Epoch(TODAY - day, {"a": 0.5 + day / 1e4, "control": 0.5 - day / 1e4}) for day in range(20, 2, -1))
    found = verdict(replace(experiment(*arms), epochs=epochs))
    assert found.missing == Missing(18_000, 1, None)  # those of the day before yesterday


def test_a_variant_without_any_conversion_is_told_what_it_takes_all_the_same() -> None:
    of_one = verdict(experiment(arm("a", 500, 0), arm("control", 500, 6)))
    assert of_one.because is Because.FEW_CONVERSIONS
    assert of_one.missing is not None
    assert (of_one.missing.users, of_one.missing.basis) == (834, Basis.TOGETHER)  # 5 of 834 at 6 of 1,000
    of_none = verdict(experiment(arm("a", 600, 0), arm("control", 900, 0)))
    assert of_none.missing is not None
    assert (of_none.missing.users, of_none.missing.basis) == (1_500, Basis.AT_LEAST)  # 5 / (3 / 900)


def test_messages_that_reach_the_users_of_one_variant_less_break_the_split() -> None:
    arms = arm("a", 5_000, 1_000), arm("b", 5_000, 500), arm("control", 5_000, 500)
    bounced = tuple(replace(one, outcomes={"bounced": n}) for one, n in zip(arms, (50, 250, 0), strict=True))
    assert verdict(experiment(*bounced)).answer is Answer.SPLIT_BROKEN
    alike = tuple(replace(one, outcomes={"bounced": n}) for one, n in zip(arms, (140, 150, 0), strict=True))
    assert verdict(experiment(*alike)).answer is Answer.WINNER


def test_nothing_to_compare_is_no_verdict() -> None:
    assert judge(experiment(arm("a", 1_000, 100))) is None
    assert judge(experiment(arm("a", 1_000, 100), arm("b", 1_000, 100), letters="")) is None


def test_clicks_are_judged_among_the_variants_with_a_message() -> None:
    arms = arm("a", 10_000, 1_000), arm("b", 10_000, 1_300), arm("control", 10_000, 0)
    clicks = replace(experiment(*arms), metrics=(Metric("A", DAY, compared_with_control=False),))
    found = verdict(clicks)
    assert (found.answer, found.best, found.second) == (Answer.WINNER, "b", "a")
    assert judge(replace(clicks, arms=clicks.arms[1:])) is None


def test_empty_arms_are_too_early() -> None:
    nobody = verdict(experiment(arm("a"), arm("control")))
    assert (nobody.answer, nobody.because, nobody.plain) == (Answer.TOO_EARLY, Because.MINIMUM_SAMPLE, None)


@pytest.mark.parametrize("plan", PLANS)
def test_nobody_converted_is_no_answer(plan: AnalysisPlan) -> None:
    found = verdict(experiment(arm("a", 10_000, 0), arm("control", 10_000, 0), plan=plan))
    assert found.answer in (Answer.TOO_EARLY, Answer.NO_WINNER)
    assert (found.missing and found.missing.basis) == (None if plan is FIXED else Basis.AT_LEAST)


# --- several arms -------------------------------------------------------------------------------------


def test_more_arms_ask_for_more() -> None:
    two = verdict(experiment(arm("a", 1_000, 100), arm("b", 1_000, 100)))
    nine = verdict(experiment(*(arm(name, 1_000, 100) for name in "abcdefgh"), arm("control", 1_000, 100)))
    assert two.level == pytest.approx(0.95)
    assert nine.level == pytest.approx(1 - 0.1 / 9)


# --- guardrails ---------------------------------------------------------------------------------------


def guarded(unsubscribed: int, *, n: int = 20_000, b: int = 2_000, plan: AnalysisPlan | None = None) -> Verdict:
    """A variant that converts best, with so many who unsubscribed, and so many conversions on B against 2,000."""
    rails = (
        Guardrail(GuardrailEvent.UNSUBSCRIBE, Decimal("0.005")),
        Guardrail(GuardrailEvent.B, Decimal("0.01")),
    )
    best = arm("a", n, n * 15 // 100, letters={"B": b}, guards={"unsubscribes": unsubscribed})
    control = arm("control", 20_000, 2_000, letters={"B": 2_000}, guards={"unsubscribes": 0})
    return verdict(experiment(best, control, plan=replace(plan or AnalysisPlan(), guardrails=rails), letters="AB"))


@pytest.mark.parametrize("plan", PLANS)
def test_a_winner_keeps_its_guardrails(plan: AnalysisPlan) -> None:
    found = guarded(40, plan=plan)
    assert [one.state for one in found.guardrails] == ["kept", "kept"]
    assert found.answer is Answer.WINNER


@pytest.mark.parametrize("plan", PLANS)
def test_a_breached_guardrail_blocks_the_winner(plan: AnalysisPlan) -> None:
    found = guarded(300, plan=plan)
    assert [one.state for one in found.guardrails] == ["breached", "kept"]
    assert (found.answer, found.best, found.because) == (Answer.LEADING, "a", Because.GUARDRAIL_BREACHED)


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize(
    ("worse", "b", "state"),
    [("less", 1_500, "breached"), ("less", 2_500, "kept"), ("more", 1_500, "kept"), ("more", 2_500, "breached")],
)
def test_an_event_may_get_worse_in_either_direction(plan: AnalysisPlan, worse: str, b: int, state: str) -> None:
    rails = (Guardrail(GuardrailEvent.B, Decimal("0.01"), Worse(worse)),)
    arms = arm("a", 20_000, 3_000, letters={"B": b}), arm("control", 20_000, 2_000, letters={"B": 2_000})
    found = verdict(experiment(*arms, plan=replace(plan, guardrails=rails), letters="AB"))
    (rail,) = found.guardrails
    assert rail.state == state
    assert rail.harm == pytest.approx(0.025 if state == "breached" else -0.025)
    assert found.answer is (Answer.LEADING if state == "breached" else Answer.WINNER)


@pytest.mark.parametrize("plan", PLANS)
def test_a_guardrail_that_is_not_shown_to_be_kept_blocks_it_too(plan: AnalysisPlan) -> None:
    found = guarded(95, plan=plan)
    assert [one.state for one in found.guardrails] == ["open", "kept"]
    assert (found.answer, found.because) == (Answer.LEADING, Because.GUARDRAIL_OPEN)


@pytest.mark.parametrize("plan", PLANS)
def test_a_conversion_event_can_be_a_guardrail(plan: AnalysisPlan) -> None:
    found = guarded(40, b=1_300, plan=plan)
    assert [(one.state, one.against) for one in found.guardrails] == [("kept", None), ("breached", "control")]
    assert found.because is Because.GUARDRAIL_BREACHED


@pytest.mark.parametrize("plan", PLANS)
def test_that_nobody_unsubscribed_is_shown_by_enough_users(plan: AnalysisPlan) -> None:
    assert guarded(0, n=400, b=40, plan=plan).guardrails[0].state == "open"
    assert guarded(0, plan=plan).guardrails[0].state == "kept"


# --- as other tools compute it ------------------------------------------------------------------------


def test_the_plain_confidence_stands_apart() -> None:
    found = verdict(experiment(arm("a", 10_000, 1_095), arm("b", 10_000, 1_050), arm("control", 10_000, 1_000)))
    assert found.plain is not None
    assert (found.plain.best, found.plain.against) == ("a", "control")
    assert found.plain.confidence == pytest.approx(97.173654, abs=1e-5)  # 100 (1 - p) of the z-test, by statsmodels


def test_the_chi_squared_rule_by_name() -> None:
    rule = AnalysisPlan(rule=WinnerRule.CHI_SQUARED)
    arms = arm("a", 10_000, 1_095), arm("b", 10_000, 1_090), arm("control", 10_000, 1_000)
    assert answer(experiment(*arms, plan=rule)) == (Answer.WINNER, "a", None)
    same = arm("a", 10_000, 1_050), arm("b", 10_000, 1_060), arm("control", 10_000, 1_000)
    assert answer(experiment(*same, plan=rule)) == (Answer.NO_WINNER, None, None)
    worse = arm("a", 10_000, 500), arm("control", 10_000, 1_000)
    assert answer(experiment(*worse, plan=rule)) == (Answer.NO_WINNER, None, None)
    without_control = arm("a", 10_000, 1_095), arm("b", 10_000, 1_000), arm("c", 10_000, 900)
    assert answer(experiment(*without_control, plan=rule)) == (Answer.WINNER, "a", None)
