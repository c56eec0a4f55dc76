"""What the templates of report.html show: texts are ready, geometry is computed."""

from __future__ import annotations

from dataclasses import dataclass

from afterword.reports.charts import IntervalChart, LineChart
from afterword.reports.text_table import TextTable


@dataclass(frozen=True, slots=True)
class Card:
    """A headline number."""

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class VariantRow:
    """A row of the variant table; `colour` is empty for totals, `badge` but for the winner or who leads."""

    name: str
    note: str
    colour: str
    badge: str
    exposed: str
    converted: str
    rate: str
    interval: str
    pending: str
    lift: str
    lift_class: str
    lift_note: str
    confidence: str
    revenue: str
    revenue_note: str
    per_exposed: str


@dataclass(frozen=True, slots=True)
class TimeRow:
    """A row of the table of times to convert and of opens and clicks."""

    name: str
    colour: str
    p25: str
    median: str
    p75: str
    after_open: str
    after_click: str
    also: list[str]


@dataclass(frozen=True, slots=True)
class Panel:
    """Everything about one conversion event."""

    letter: str
    title: str
    sentence: str
    primary: bool
    remark: str
    rows: list[VariantRow]
    totals: list[VariantRow]
    differences: IntervalChart | None
    cumulative: LineChart | None
    daily: LineChart | None
    times: list[TimeRow]
    others: list[str]


@dataclass(frozen=True, slots=True)
class StepRow:
    """A Canvas step."""

    name: str
    received: str
    recipients: str
    conversions: list[str]
    revenue: str


@dataclass(frozen=True, slots=True)
class OutcomeRow:
    """What became of a variant's messages."""

    name: str
    colour: str
    exposures: str
    counts: list[str]


@dataclass(frozen=True, slots=True)
class VerdictView:
    """The verdict: a sentence, and behind a fold what it rests on."""

    sentence: str
    remarks: list[str]
    tables: list[TextTable]
    other_tools: str


@dataclass(frozen=True, slots=True)
class Section:
    """One campaign."""

    anchor: str
    title: str
    kind: str
    status: str
    summary: str
    verdict: VerdictView | None
    remarks: list[str]
    warnings: list[str]
    cards: list[Card]
    exposed_heading: str
    per_heading: str
    counting: str
    panels: list[Panel]
    recipients: LineChart | None
    period: str
    plain_rows: list[VariantRow]
    """Rows without conversion events: exposed and revenue only."""
    plain_totals: list[VariantRow]
    letters: list[str]
    steps: list[StepRow]
    outcome_names: list[str]
    outcomes: list[OutcomeRow]
    timezone: str
    version: str


@dataclass(frozen=True, slots=True)
class IndexRow:
    """A campaign in the list at the top of a page of several."""

    anchor: str
    title: str
    kind: str
    status: str
    values: list[str]


@dataclass(frozen=True, slots=True)
class Page:
    """The page of a run."""

    title: str
    as_of: str
    timezone: str
    sections: list[Section]
    index_headings: list[str]
    index: list[IndexRow]
    facts: list[Card]
    rejected: list[tuple[str, str]]
    notes: list[str]
