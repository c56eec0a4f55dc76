"""What verdicts and comparisons in report.json look like (docs/report-json.md), for the OpenAPI document."""

from __future__ import annotations

from typing import Annotated, TypedDict

from msgspec import Meta

Letter = str
Interval = Annotated[list[float], Meta(min_length=2, max_length=2)]
Money = Annotated[str, Meta(description="decimal text")]


class RateOfAge(TypedDict):
    """A variant's users whose window has passed."""

    n: int
    waiting: int
    rate: float | None
    probability_best: float | None
    expected_loss: float | None


class Pair(TypedDict):
    """One variant against another, over users whose windows have passed."""

    variant: str
    against: str
    difference: float | None
    interval: Interval | None
    single_look_interval: Interval | None


class AdjustedDifference(TypedDict):
    """A difference adjusted by what users did before their first exposure (CUPED)."""

    difference: float
    interval: Interval | None
    single_look_interval: Interval | None


class ComparedVariant(TypedDict):
    """A variant against control, over users whose windows have passed."""

    difference: float | None
    interval: Interval | None
    single_look_interval: Interval | None
    lift: float | None
    lift_interval: Interval | None
    p_value: float | None
    adjusted_p_value: float | None
    decided: bool | None
    adjusted: AdjustedDifference | None


class Comparisons(TypedDict):
    """All variants on one conversion event, or in revenue."""

    against: str
    level: float
    variance_saved: float | None
    variants: dict[str, ComparedVariant]


class Forecast(TypedDict):
    """What open windows will bring."""

    rate: float
    interval: Interval
    more: float
    hours: int
    complete: bool


class Missing(TypedDict):
    """What is missing for a verdict."""

    users: int
    days: int | None
    difference: float | None


class Guarded(TypedDict):
    """A guardrail of a variant."""

    variant: str
    event: str
    margin: float
    against: str | None
    harm: float | None
    interval: Interval | None
    state: Annotated[str, Meta(description="`kept`, `open` or `breached`")]


class Split(TypedDict):
    """Whether users came into the variants as planned."""

    broken: bool
    reasons: list[str]
    p_value: float
    expected: dict[str, float]
    seen: dict[str, float]


class OtherTools(TypedDict):
    """What commercial products compute from the same counts."""

    variant: str
    against: str
    difference: float
    confidence: float
    sentence: str


class PlanOfVerdict(TypedDict):
    """The plan by which was judged."""

    plan: str
    alpha: float
    smallest_effect: float
    minimum_sample: int
    winsorize: Money | None
    rule: str


class CampaignVerdict(TypedDict):
    """The verdict on the primary conversion event."""

    answer: Annotated[
        str,
        Meta(
            description="`winner`, `leading`, `control_best`, `no_difference`, `no_winner`, `too_early`, `split_broken`"
        ),
    ]
    variant: str | None
    sentence: str
    remarks: list[str]
    because: str | None
    redefined: bool
    conversion_event: Letter
    plan: PlanOfVerdict
    level: float
    rates: dict[str, RateOfAge]
    pairs: list[Pair]
    missing: Missing | None
    guardrails: list[Guarded]
    split: Split
    other_tools: OtherTools | None


class Caused(TypedDict):
    """What all messages together caused of a conversion event or of revenue, against control."""

    against: str
    level: float
    persons: int
    difference: float | None
    interval: Interval | None
    single_look_interval: Interval | None
    amount: float | None
    amount_interval: Interval | None
