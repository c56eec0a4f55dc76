"""The analysis plan: how results will be judged, as a definition says it."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from afterword.intake.definitions import definitions_to_data
from afterword.model import (
    AnalysisPlan,
    Definitions,
    Guardrail,
    GuardrailEvent,
    MultipleTesting,
    PlanKind,
    WinnerRule,
    Worse,
)
from tests.intake.definition_data import EXAMPLE, Data, campaign_data, load, parse, problems_of

EVERYTHING = """
    analysis:
      plan: fixed
      alpha: 0.10
      smallest_effect: 2.5 %
      minimum_sample: 1000
      guardrails: [{event: unsubscribe, margin: 0.3%}, {event: C, margin: 1%, worse: more}]
      winsorize: 499.90
      rule: chi_squared
      multiple_testing: benjamini_hochberg
canvases:"""


def with_plan(**fields: object) -> Data:
    return {**campaign_data(), "analysis": fields}


def test_everything_that_a_plan_says(tmp_path: Path) -> None:
    plan = load(tmp_path, EXAMPLE.replace("\ncanvases:", EVERYTHING)).campaigns[0].analysis
    assert plan == AnalysisPlan(
        PlanKind.FIXED,
        Decimal("0.10"),
        Decimal("0.025"),
        1000,
        (
            Guardrail(GuardrailEvent.UNSUBSCRIBE, Decimal("0.003")),
            Guardrail(GuardrailEvent.C, Decimal("0.01"), Worse.MORE),
        ),
        Decimal("499.90"),
        WinnerRule.CHI_SQUARED,
        MultipleTesting.BENJAMINI_HOCHBERG,
    )


@pytest.mark.parametrize("data", [campaign_data(), with_plan(), {**campaign_data(), "analysis": None}])
def test_without_a_plan_one_may_look_whenever_one_likes(data: Data) -> None:
    plan = parse(data).campaigns[0].analysis
    assert (plan.plan, plan.alpha, plan.smallest_effect) == (PlanKind.ALWAYS_VALID, Decimal("0.05"), Decimal("0.02"))


def test_a_plan_is_written_out_in_full_so_that_later_defaults_leave_it_alone() -> None:
    definitions = Definitions(campaigns=parse(campaign_data()).campaigns)
    campaigns = definitions_to_data(definitions)["campaigns"]
    assert isinstance(campaigns, list)
    assert campaigns[0]["analysis"] == {
        "plan": "always_valid",
        "alpha": 0.05,
        "smallest_effect": "2%",
        "minimum_sample": 100,
        "rule": "every_other",
        "multiple_testing": "holm",
    }


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        pytest.param({"plans": "fixed"}, ': unknown key "plans", did you mean "plan"?', id="unknown"),
        pytest.param({"plan": "fix"}, '.plan: unknown plan "fix", did you mean "fixed"?', id="plan"),
        pytest.param({"alpha": "5%"}, '.alpha: alpha is "5%", must be a number such as 0.05', id="alpha-percent"),
        pytest.param({"alpha": 5}, ".alpha: alpha is 5, must be from 0.001 to 0.2, usually 0.05", id="alpha"),
        pytest.param(
            {"smallest_effect": 0.02},
            ".smallest_effect: smallest_effect is 0.02, must be a percentage with its sign, such as 2%",
            id="no-sign",
        ),
        pytest.param(
            {"smallest_effect": "0%"},
            '.smallest_effect: smallest_effect is "0%", must be above 0% and at most 100%',
            id="no-effect",
        ),
        pytest.param(
            {"minimum_sample": 0.5},
            ".minimum_sample: minimum_sample is 0.5, must be a whole number of users per variant from 1 to",
            id="half-a-person",
        ),
        pytest.param({"winsorize": 0}, ".winsorize: winsorize is 0, must be above 0 and at most", id="nothing"),
        pytest.param(
            {"winsorize": "x"}, '.winsorize: winsorize is "x", must be an amount of the reporting currency', id="amount"
        ),
        pytest.param(
            {"rule": "pearson"}, '.rule: unknown rule "pearson", must be one of every_other, chi_squared', id="rule"
        ),
        pytest.param(
            {"multiple_testing": "fdr"},
            '.multiple_testing: unknown multiple_testing "fdr", must be one of holm, by_variant, benjamini_hochberg',
            id="multiple-testing",
        ),
        pytest.param(
            {"guardrails": [{"event": "unsubscribes", "margin": "1%"}]},
            '.guardrails[0].event: unknown event "unsubscribes", did you mean "unsubscribe"?',
            id="unknown-guardrail",
        ),
        pytest.param(
            {"guardrails": [{"event": "bounce", "margin": "1%", "worse": "less"}]},
            ".guardrails[0].worse: worse is for conversion events only: more of bounce is always worse",
            id="worse",
        ),
        pytest.param(
            {"guardrails": [{"event": "bounce"}]},
            ".guardrails[0].margin: margin is missing, must be a percentage such as 0.5%: how much worse is too much",
            id="no-margin",
        ),
        pytest.param(
            {"guardrails": [{"event": "bounce", "margin": "60%"}]},
            '.guardrails[0].margin: margin is "60%", must be above 0% and at most 50%',
            id="margin",
        ),
        pytest.param(
            {"guardrails": [{"event": "B", "margin": "1%"}, {"event": "B", "margin": "2%"}]},
            ".guardrails[1].event: there is a guardrail on B already",
            id="twice",
        ),
        pytest.param(
            {"guardrails": [{"event": "D", "margin": "1%"}]},
            ".guardrails[0].event: there is no conversion event D, the last is C",
            id="no-such-letter",
        ),
    ],
)
def test_what_a_plan_may_not_say(fields: Data, problem: str) -> None:
    (found, *more) = problems_of({"campaigns": [with_plan(**fields)]})
    assert found.startswith(f'campaigns[0] "c" analysis{problem}')
    assert more == []


def test_no_guardrail_on_clicks() -> None:
    data = with_plan(guardrails=[{"event": "B", "margin": "1%"}])
    data["conversion_events"][1] = {"kind": "message_click", "deadline": 60}
    (problem,) = problems_of({"campaigns": [data]})
    assert problem.endswith("event: B is message_click, which is never compared with control (rule 17)")


def test_a_plan_is_a_mapping() -> None:
    (problem,) = problems_of({"campaigns": [{**campaign_data(), "analysis": "fixed"}]})
    assert problem.startswith('campaigns[0] "c" analysis: analysis is "fixed", must be a mapping of plan, alpha')
