"""Each verdict in plain language, as it is read."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from afterword.model import AnalysisPlan, Guardrail, GuardrailEvent, PlanKind, WinnerRule, Worse
from afterword.selection import sentences
from afterword.selection.experiment import Arm, Epoch, Experiment
from afterword.selection.winner import judge
from tests.selection.worlds import TODAY, arm, experiment

FIXED = AnalysisPlan(plan=PlanKind.FIXED)
CHI_SQUARED = AnalysisPlan(rule=WinnerRule.CHI_SQUARED)
UNSUBSCRIBES = (Guardrail(GuardrailEvent.UNSUBSCRIBE, Decimal("0.005")),)
ON_B = (Guardrail(GuardrailEvent.B, Decimal("0.01")),)


def read(text: str) -> str:
    """Return a text with ordinary spaces."""
    return text.replace("\u202f", " ")


def said(*arms: Arm, plan: AnalysisPlan | None = None, letters: str = "A") -> str:
    one = experiment(*arms, plan=plan, letters=letters)
    found = judge(one)
    assert found is not None
    return read(sentences.sentence(found, one))


def named(name: str, one: Arm) -> Arm:
    return replace(one, name=name)


CONTROL = arm("control", 20_000, 2_000, letters={"B": 2_000}, guards={"unsubscribes": 0})


def best(unsubscribed: int = 0, b: int = 2_000) -> Arm:
    return arm("a", 20_000, 3_000, letters={"B": b}, guards={"unsubscribes": unsubscribed})


@pytest.mark.parametrize(
    ("arms", "plan", "sentence"),
    [
        pytest.param(
            (named("Free shipping", arm("a", 10_000, 1_300)), arm("b", 10_000, 1_000), arm("control", 10_000, 900)),
            AnalysisPlan(),
            '"Free shipping" is the winner: 13.00 % converted, against 10.00 % of "b", the next best.',
            id="winner",
        ),
        pytest.param(
            (arm("a", 10_000, 1_000), arm("control", 10_000, 1_300)),
            AnalysisPlan(),
            'No message is better than none: of control 13.00 % converted, against 10.00 % of "a", the best variant '
            "with a message.",
            id="control-is-best",
        ),
        pytest.param(
            (arm("a", 10_000, 1_095), arm("control", 10_000, 1_000)),
            AnalysisPlan(),
            '"a" is leading, but that may still be chance: 10.95 % converted, against 10.00 % of control, the next '
            "best.",
            id="leading",
        ),
        pytest.param(
            (arm("a", 10_000, 1_000), arm("control", 10_000, 1_095)),
            AnalysisPlan(),
            'Control is leading, but that may still be chance: 10.95 % converted, against 10.00 % of "a", the next '
            "best.",
            id="control-leads",
        ),
        pytest.param(
            (best(300), CONTROL),
            AnalysisPlan(guardrails=UNSUBSCRIBES),
            '"a" converts best, but is not the winner: 1.50 % of its users unsubscribed, and the plan allows 0.50 %.',
            id="breached",
        ),
        pytest.param(
            (best(95), CONTROL),
            AnalysisPlan(guardrails=UNSUBSCRIBES),
            '"a" converts best, but is not the winner: it is not shown yet that at most 0.50 % of its users '
            "unsubscribed.",
            id="guardrail-open",
        ),
        pytest.param(
            (best(b=1_300), CONTROL),
            AnalysisPlan(guardrails=ON_B),
            '"a" converts best, but is not the winner: on B it is 3.50 percentage points below control, and the plan '
            "allows 1.00 percentage points.",
            id="conversion-event-breached",
        ),
        pytest.param(
            (best(b=2_700), CONTROL),
            AnalysisPlan(guardrails=(replace(ON_B[0], worse=Worse.MORE),)),
            '"a" converts best, but is not the winner: on B it is 3.50 percentage points above control, and the plan '
            "allows 1.00 percentage points.",
            id="more-is-worse",
        ),
        pytest.param(
            (best(b=1_850), CONTROL),
            AnalysisPlan(guardrails=ON_B),
            '"a" converts best, but is not the winner: it is not shown yet that on B it is at most 1.00 percentage '
            "points below control.",
            id="conversion-event-open",
        ),
        pytest.param(
            (arm("a", 50_000, 5_010), arm("control", 50_000, 4_990)),
            AnalysisPlan(smallest_effect=Decimal("0.2")),
            "There is no difference worth having: no two variants differ by more than 20 % of the rate (2.00 "
            "percentage points).",
            id="no-difference",
        ),
        pytest.param(
            (arm("a", 10_000, 1_040), arm("control", 10_000, 1_000)),
            FIXED,
            "There is no winner: at the one look that was planned no variant was ahead of every other.",
            id="no-winner",
        ),
        pytest.param(
            (arm("a", 10_000, 1_040, waiting=634), arm("control", 10_000, 1_000, waiting=600)),
            FIXED,
            "It is too early: the plan is one look when all windows have closed, and 1,234 are open, for about 2 days.",
            id="windows-open",
        ),
        pytest.param(
            (arm("a", 90, 9, waiting=1_234), arm("control", 95, 9, waiting=900)),
            AnalysisPlan(),
            "It is too early: the plan asks for 100 users in each variant whose window has passed; 10 more are "
            "missing, which takes about 2 days.",
            id="minimum-sample",
        ),
        pytest.param(
            (arm("a", 10, 1, waiting=20), arm("control", 95, 9, waiting=20)),
            AnalysisPlan(),
            "It is too early: the plan asks for 100 users in each variant whose window has passed; 90 more are "
            "missing, which at the pace so far takes about 23 days.",
            id="minimum-sample-at-this-pace",
        ),
        pytest.param(
            (arm("a", 90, 9, ago=20), arm("control", 95, 9, ago=20)),
            AnalysisPlan(),
            "It is too early: the plan asks for 100 users in each variant whose window has passed; 10 more are "
            "missing, and nobody new comes into the campaign.",
            id="minimum-sample-never",
        ),
        pytest.param(
            (arm("a", 10_000, 60), arm("control", 1_000, 4)),
            AnalysisPlan(),
            "It is too early: control has fewer than 5 users who converted, or fewer who did not; at the rate so far "
            "that takes about 250 more, at the pace so far about 7 days.",
            id="few-conversions",
        ),
        pytest.param(
            (arm("a", 10_000, 3, ago=20), arm("control", 1_000, 4, ago=20)),
            AnalysisPlan(),
            'It is too early: "a" and control have fewer than 5 users who converted, or fewer who did not; at the rate '
            "so far that takes about 6,700 more, but nobody new comes into the campaign.",
            id="few-conversions-never",
        ),
        pytest.param(
            (arm("a", 10_000, 60), arm("control", 1_000, 0)),
            AnalysisPlan(),
            "It is too early: control has fewer than 5 users who converted, or fewer who did not; at the rate of all "
            "variants together that takes about 920 more, at the pace so far about 16 days.",
            id="no-conversions",
        ),
        pytest.param(
            (arm("a", 10_000, 0), arm("control", 1_000, 0)),
            AnalysisPlan(),
            'It is too early: "a" and control have fewer than 5 users who converted, or fewer who did not; at the '
            "highest rate that fits so far that takes at least 17,000 more, at the pace so far about 26 days.",
            id="no-conversions-at-all",
        ),
        pytest.param(
            (arm("a", 10_000, 1_040), arm("control", 10_000, 1_000)),
            AnalysisPlan(),
            "It is too early to tell: no variant is clearly ahead.",
            id="undecided",
        ),
        pytest.param(
            (arm("a", 10_000, 1_095), arm("b", 10_000, 1_090), arm("control", 10_000, 1_000)),
            CHI_SQUARED,
            'By the chi-squared rule "a" is the winner: 10.95 % converted, against 10.90 % of "b", the next best.',
            id="chi-squared",
        ),
        pytest.param(
            (arm("a", 10_000, 1_010), arm("control", 10_000, 1_000)),
            CHI_SQUARED,
            "By the chi-squared rule there is no winner so far.",
            id="chi-squared-names-none",
        ),
    ],
)
def test_sentence(arms: tuple[Arm, ...], plan: AnalysisPlan, sentence: str) -> None:
    letters = "AB" if plan.guardrails else "A"
    assert said(*arms, plan=plan, letters=letters) == sentence


def test_a_broken_split() -> None:
    one = experiment(arm("a", 1_000, 90), arm("control", 1_000, 90), several=32)
    found = judge(one)
    assert found is not None
    assert read(sentences.sentence(found, one)) == (
        "There is no verdict, because the split is broken: 32 of 2,000 users (1.6%) were seen in several variants, "
        "which assignment never does."
    )


def more(one: Experiment) -> list[str]:
    found = judge(one)
    assert found is not None
    return [read(remark) for remark in sentences.remarks(found, one)]


def test_what_a_winner_rests_on() -> None:
    arms = arm("a", 10_000, 1_300), arm("control", 10_000, 1_000)
    assert more(experiment(*arms)) == [
        "Where there is no difference, such a verdict comes in at most 5 of 100 campaigns, however often one looks."
    ]
    assert more(experiment(*arms, plan=FIXED)) == [
        "Where there is no difference, such a verdict comes in at most 5 of 100 campaigns, at the one look planned."
    ]


def test_what_is_missing_to_be_sure() -> None:
    leading = experiment(arm("a", 10_000, 1_095), arm("control", 10_000, 1_000))
    assert more(leading) == [
        "To be sure of a difference as large as this one (0.95 percentage points) takes about 24,000 more users in "
        "each variant, at the pace so far about 36 days."
    ]
    undecided = experiment(arm("a", 10_000, 1_010), arm("control", 10_000, 1_000))
    assert more(undecided) == [
        "To be sure of a difference worth having (0.20 percentage points) takes about 890,000 more users in each "
        "variant, at the pace so far about 3 years."
    ]
    over = experiment(arm("a", 10_000, 1_010, ago=30), arm("control", 10_000, 1_000, ago=30))
    (remark,) = more(over)
    assert remark.endswith("more users in each variant, but nobody new comes into the campaign.")


def test_shares_that_were_changed_are_said() -> None:
    one = experiment(arm("a", 10_000, 1_300), arm("control", 10_000, 1_000))
    once = replace(one, epochs=(Epoch(0, {"a": 0.4, "control": 0.6}), Epoch(TODAY - 9, {"a": 0.5, "control": 0.5})))
    found = judge(replace(once, arms=one.arms))
    assert found is not None
    assert [read(remark) for remark in sentences.remarks(found, once)][-1] == (
        "Shares were changed while users came in; variants are compared among users who came at the same time."
    )
    daily = [Epoch(TODAY - ago, {"a": 0.5 + ago / 100, "control": 0.5 - ago / 100}) for ago in range(20, 0, -1)]
    often = replace(one, epochs=tuple(daily))
    found = judge(often)
    assert found is not None
    assert sentences.sentence(found, often) == (
        "It is too early: the shares were changed so often that no two variants have enough users who came at the same "
        "time. If they stay as they are now, that takes about 20,000 more users in all, at the pace so far about 17 "
        "days."
    )


def test_a_changed_definition_is_said_for_ever() -> None:
    arms = arm("a", 10_000, 1_300), arm("control", 10_000, 1_000)
    assert more(experiment(*arms, redefined=True))[-1] == (
        "The conversion events were changed after the first exposure, so this is not the verdict that was planned."
    )


@pytest.mark.parametrize(
    ("arms", "plan", "sentence"),
    [
        pytest.param(
            (arm("a", 10_000, 1_095), arm("control", 10_000, 1_000)),
            AnalysisPlan(),
            'Other tools would show 97.2 % confidence for "a" against control. That figure is meant for one look at '
            "one comparison, both fixed beforehand; the verdict holds however often one looks.",
            id="two-arms",
        ),
        pytest.param(
            (arm("a", 10_000, 1_095), arm("b", 10_000, 1_000, waiting=5), arm("c", 10_000, 900)),
            AnalysisPlan(),
            'Other tools would show 97.3 % confidence for "a" against "b". That figure is meant for one look at '
            "one comparison, both fixed beforehand, and it takes users whose windows are still open for users who did "
            "not convert; the verdict holds for all 3 comparisons together, however often one looks.",
            id="without-control",
        ),
        pytest.param(
            (arm("a", 10_000, 1_095), arm("control", 10_000, 1_000)),
            FIXED,
            'Other tools would show 97.2 % confidence for "a" against control. That figure is meant for one look at '
            "one comparison, both fixed beforehand; the verdict holds at the one look planned.",
            id="fixed",
        ),
    ],
)
def test_what_other_tools_would_show_and_why_it_is_not_the_verdict(
    arms: tuple[Arm, ...], plan: AnalysisPlan, sentence: str
) -> None:
    one = experiment(*arms, plan=plan)
    found = judge(one)
    assert found is not None
    assert read(sentences.plain_sentence(found, one) or "") == sentence


def test_where_nobody_has_converted_other_tools_show_nothing_either() -> None:
    one = experiment(arm("a", 1_000), arm("control", 1_000))
    found = judge(one)
    assert found is not None
    assert sentences.plain_sentence(found, one) is None
