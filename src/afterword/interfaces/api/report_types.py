"""What report.json looks like (docs/report-json.md), for the OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Any, NotRequired, TypedDict

from msgspec import Meta

from afterword.interfaces.api.incremental_types import Incremental

Letter = str
Interval = Annotated[list[float], Meta(min_length=2, max_length=2)]
Money = Annotated[str, Meta(description="decimal text")]


class Facts(TypedDict):
    """What was read."""

    events: int
    exposures: int
    step_messages: int
    repetitions: int
    after_as_of: int
    refunds_unmatched: int
    rejected: dict[str, int]
    notes: list[str]


class Revenue(TypedDict):
    """Revenue of a row."""

    amount: Money
    unconverted: dict[str, Money]
    per_exposed: Money | None
    purchases: int


class TimeToConvert(TypedDict):
    """Quartiles, in seconds."""

    p25: float | None
    median: float | None
    p75: float | None


class Converted(TypedDict):
    """What a row counts of a conversion event."""

    converted: int
    pending: int
    not_converted: int
    rate: float | None
    interval: Interval | None
    matured_n: int
    matured_converted: int
    compared_n: int
    compared_converted: int
    difference: float | None
    difference_interval: Interval | None
    lift: float | None
    confidence: float | None
    after_open: int
    after_click: int
    time_to_convert: TimeToConvert


class Row(TypedDict):
    """A variant, or a total, which has neither id nor name nor share."""

    id: NotRequired[str]
    name: NotRequired[str]
    control: NotRequired[bool]
    share: NotRequired[float]
    exposed: int
    audience_share: float | None
    persons: int
    several_variants: int
    exposures: int
    outcomes: dict[str, int]
    revenue: Revenue
    conversions: dict[Letter, Converted]
    also_converted: dict[Letter, dict[Letter, int]]


class DescribedEvent(TypedDict):
    """A conversion event."""

    letter: Letter
    primary: bool
    kind: str
    deadline_seconds: int
    name: str | None
    apps: list[str]
    products: list[str]
    where: list[dict[str, Any]]


class StepVariant(TypedDict):
    """A step's numbers of a variant."""

    id: str
    received: int
    recipients: int
    conversions: dict[Letter, int]
    revenue: Revenue


class StepRow(TypedDict):
    """A Canvas step."""

    id: str
    name: str
    received: int
    recipients: int
    conversions: dict[Letter, int]
    revenue: Revenue
    variants: list[StepVariant]


class Days(TypedDict):
    """A row's numbers, one for each of the days."""

    exposed: NotRequired[list[int]]
    conversions: dict[Letter, list[int]]
    revenue: list[Money]
    revenue_unconverted: dict[str, list[Money]]


class ByDay(TypedDict):
    """Numbers by day."""

    timezone: str
    days: list[str]
    variants: dict[str, Days]
    total: Days
    total_with_control: Days


class FirstConverted(TypedDict):
    """How many of those first exposed on each of the days converted."""

    converted: list[int]
    matured_n: list[int]
    matured_converted: list[int]


class FirstDays(TypedDict):
    """Units by the day of their first exposure."""

    days: list[str]
    n: list[int]
    conversions: dict[Letter, FirstConverted]


class ByFirstDay(TypedDict):
    """Numbers by the day of the first exposure."""

    timezone: str
    variants: dict[str, FirstDays]
    total: FirstDays
    total_with_control: FirstDays


class PersonSeries(TypedDict):
    """Sums over the persons who came of age on each of the days."""

    n: list[int]
    y: list[float]
    yy: NotRequired[list[float]]
    m: NotRequired[list[int]]
    mm: NotRequired[list[int]]
    my: NotRequired[list[float]]
    x: NotRequired[list[float]]
    xx: NotRequired[list[float]]
    xy: NotRequired[list[float]]
    xm: NotRequired[list[float]]


class PersonsOfVariant(TypedDict):
    """A variant's persons, of no other variant."""

    first_exposed: list[int]
    conversions: dict[Letter, PersonSeries]
    revenue: PersonSeries
    revenue_winsorised: NotRequired[PersonSeries]
    revenue_unconverted: dict[str, Money]
    guardrails: dict[str, list[int]]


class Persons(TypedDict):
    """What comparisons are made of."""

    timezone: str
    days: list[str]
    variants: dict[str, PersonsOfVariant]


class Hours(TypedDict):
    """Numbers for each hour since the exposure."""

    at_risk: list[int]
    converted: list[int]


class Delays(TypedDict):
    """When conversions came."""

    unit: str
    variants: dict[str, dict[Letter, Hours]]


class Warned(TypedDict):
    """Something that a reader should know."""

    code: str
    message: str


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
    worse: Annotated[str, Meta(description="`less` or `more`")]
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
    multiple_testing: Annotated[str, Meta(description="`holm`, `by_variant` or `benjamini_hochberg`")]


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


class CampaignReport(TypedDict):
    """A campaign's report."""

    id: str
    name: str
    kind: str
    definition_version: str | None
    counting: str
    denominator: str
    currency: str
    timezone: str
    channels: list[str]
    tags: list[str]
    revenue_window_seconds: int
    first_exposed_at: str | None
    last_exposed_at: str | None
    conversion_events: list[DescribedEvent]
    variants: list[Row]
    total: Row
    total_with_control: Row
    steps: list[StepRow]
    also_converted: dict[Letter, dict[Letter, int]]
    by_day: ByDay
    by_exposure_day: ByDay
    by_first_exposure_day: ByFirstDay
    persons: Persons
    delays: Delays
    warnings: list[Warned]
    verdict: NotRequired[CampaignVerdict | None]
    comparisons: NotRequired[dict[str, Comparisons]]
    incremental: NotRequired[Incremental | None]
    forecast: NotRequired[dict[Letter, dict[str, Forecast | None]]]


class Report(TypedDict):
    """What report.json says (docs/report-json.md), as of now."""

    as_of: str
    timezone: str
    currency: str
    facts: Facts
    campaigns: list[CampaignReport]
