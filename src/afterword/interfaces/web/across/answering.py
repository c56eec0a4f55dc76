"""The result as tables and a chart. Nothing is counted here that `/api/attribution` does not say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any

from afterword.interfaces.web import written
from afterword.interfaces.web.across.asking import Asked
from afterword.interfaces.web.details.grids import FEW, Cell, Grid, Heading, Line, Numbers, named
from afterword.interfaces.web.details.plots import Plot, PlotLine, PlotRow, Point, grouped
from afterword.interfaces.web.links import link
from afterword.interfaces.web.manners import Manner
from afterword.money import minor_units
from afterword.reports import wording
from afterword.store.accounts import Role
from afterword.workspace.explorations import Exploration, Stage

VIEWS = {
    "every": "Every campaign",
    "first": "First touch",
    "last": "Last touch",
    "linear": "Linear",
    "position": "Position 40/20/40",
    "time_decay": "Time decay, 7 days",
}
STEPS = {"reached": "Reached", "opened": "Opened", "clicked": "Clicked", "converted": "Converted"}
DRAWN = 6
"""Campaigns that have a line of their own; the others share one."""
LINE_LETTERS = 40


@dataclass(frozen=True, slots=True)
class Head:
    """A figure over everything."""

    label: str
    text: str
    under: str


@dataclass(frozen=True, slots=True)
class Holdout:
    """What a global holdout says of the same event."""

    name: str
    period: str
    conversions: str
    conversions_interval: str
    revenue: str
    revenue_interval: str
    warnings: Sequence[str]


@dataclass(frozen=True, slots=True)
class Result:
    """What came out."""

    heads: Sequence[Head]
    conversions: Grid
    revenue: Grid
    funnel: Grid
    caused: Grid
    holdouts: Sequence[Holdout]
    over_time: Plot | None
    csv: str
    hides: bool
    """Whether small numbers are not told to who asks."""


@dataclass(frozen=True, slots=True)
class Answer:
    """How far it is, or what came out."""

    is_over: bool
    doing: str
    percent: int
    failure: str
    as_of: str
    again: str
    nothing: bool
    """No such event was in the period."""
    whole: str
    """The same question of the whole time; empty if that is asked already."""
    result: Result | None


def answer(one: Exploration, asked: Asked, role: Role) -> Answer:
    """Return what the page shows of a question."""
    told = one.result
    nothing = told is not None and not told["total"]["conversions"]
    whole = next((each.address for each in asked.periods if each.label == "Whole time" and not each.now), "")
    return Answer(
        is_over=one.is_over,
        doing=one.doing or ("waiting for its turn" if one.stage is Stage.WAITING else ""),
        percent=round(100 * one.progress),
        failure=one.failure or "",
        as_of=written.moment(told["as_of"]) if told else "",
        again=asked.address(),
        nothing=nothing,
        whole=whole,
        result=_written(_Told(told), role, asked.address(csv="1"), written.manner()) if told and not nothing else None,
    )


class _Told:
    """What was counted, as itself: two that say the same are two."""

    def __init__(self, told: Mapping[str, Any]) -> None:
        self.told = told

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Told) and other.told is self.told

    def __hash__(self) -> int:
        return id(self.told)


@lru_cache(maxsize=16)  # the page asks again and again, and two hundred campaigns are thousands of cells
def _written(counted: _Told, role: Role, csv: str, _manner: Manner) -> Result:
    return _Teller(counted.told, role).result(csv)


class _Teller:
    """Writes one result for who asks."""

    def __init__(self, told: Mapping[str, Any], role: Role) -> None:
        self._told, self._role, self._currency = told, role, told["currency"]
        self._numbers = Numbers("", role)
        self._campaigns = [one for one in told["campaigns"] if Decimal(one["views"]["every"]["conversions"])]

    def result(self, csv: str) -> Result:
        """Return all of it."""
        return Result(
            heads=self._heads(),
            conversions=self._conversions(),
            revenue=self._revenue(),
            funnel=self._funnel(),
            caused=self._caused(),
            holdouts=[self._holdout(one) for one in self._told["holdouts"]],
            over_time=self._over_time(),
            csv=csv,
            hides=not self._role.includes(Role.ANALYST),
        )

    def _heads(self) -> list[Head]:
        total = self._told["total"]
        what = "users, each once" if self._told["count"] == "users" else "events, each once"
        return [
            Head("Conversions", self._numbers.text(total["conversions"]), what),
            Head("Had a message before", self._numbers.text(total["touched"]), self._of_all(total["touched"])),
            Head("Had none", self._numbers.text(total["untouched"]), self._of_all(total["untouched"])),
            Head(
                "Revenue",
                self._once(total["revenue"], total["conversions"]),
                f"{self._once(total['revenue_touched'], total['touched'])} after a message",
            ),
        ]

    def _of_all(self, count: int) -> str:
        share = self._numbers.part(count, self._told["total"]["conversions"])
        return f"{share} of all" if share else ""

    def _once(self, revenue: Mapping[str, Any], count: int) -> str:
        if self._numbers.is_hidden(count):
            return wording.NOTHING
        return " + ".join([written.money(revenue["amount"], self._currency), *_apart(revenue["unconverted"])])

    def _conversions(self) -> Grid:
        total = self._told["total"]

        def cells(one: Mapping[str, Any]) -> list[Cell]:
            return [self._credit(one["views"][view]["conversions"], view) for view in VIEWS]

        return Grid(
            "Conversions by campaign, in six views",
            self._headings("Campaign"),
            [self._line(one, cells(one)) for one in self._sorted()],
            [
                Line(
                    "Had a message",
                    [Cell(wording.NOTHING, "not to be added up", tone="muted")]
                    + [Cell(self._numbers.text(total["touched"]), tone="strong")] * (len(VIEWS) - 1),
                    "each once",
                ),
                Line("Had none", [Cell(self._numbers.text(total["untouched"]))] * len(VIEWS), "nobody's credit"),
            ],
        )

    def _revenue(self) -> Grid:
        total = self._told["total"]

        def cells(one: Mapping[str, Any]) -> list[Cell]:
            return [self._money(one["views"][view], one["views"]["every"]) for view in VIEWS]

        touched = self._once(total["revenue_touched"], total["touched"])
        untouched = self._once(total["revenue_untouched"], total["untouched"])
        return Grid(
            "Revenue by campaign, in six views",
            self._headings("Campaign"),
            [self._line(one, cells(one)) for one in self._sorted()],
            [
                Line(
                    "Had a message",
                    [Cell(wording.NOTHING, "not to be added up", tone="muted")]
                    + [Cell(touched, tone="strong")] * (len(VIEWS) - 1),
                    "each purchase once",
                ),
                Line("Had none", [Cell(untouched)] * len(VIEWS), "nobody's credit"),
            ],
        )

    def _headings(self, first: str) -> list[Heading]:
        about = {one["view"]: one["about"] for one in self._told["views"]}
        return [Heading(first), *(Heading(label, _sentence(about[view])) for view, label in VIEWS.items())]

    def _sorted(self) -> list[Mapping[str, Any]]:
        return _ranked(self._campaigns)

    def _line(self, one: Mapping[str, Any], cells: Sequence[Cell]) -> Line:
        name, whole = named(one["name"] or one["id"])
        note = "Canvas" if one["kind"] == "canvas" else ""
        return Line(name, cells, note, whole=whole, address=link("/campaign", id=one["id"]))

    def _credit(self, text: str, view: str) -> Cell:
        value = Decimal(text)
        tone = "muted" if not value else "strong" if view == "last" else ""
        return Cell(f"<{wording.NARROW}{FEW}" if self._is_few(value) else credit(text), tone=tone)

    def _is_few(self, value: Decimal) -> bool:
        return 0 < value < FEW and not self._role.includes(Role.ANALYST)

    def _money(self, part: Mapping[str, Any], widest: Mapping[str, Any]) -> Cell:
        if self._is_few(Decimal(widest["conversions"])) or self._is_few(Decimal(part["conversions"])):
            return Cell(wording.NOTHING, tone="muted")
        tone = "" if Decimal(part["revenue"]) else "muted"
        return Cell(written.money(part["revenue"], self._currency), " + ".join(_apart(part["unconverted"])), tone=tone)

    def _caused(self) -> Grid:
        lines = []
        for one in _ranked(self._told["campaigns"]):
            metrics = (one["incremental"] or {}).get("metrics", {})
            on_a, money = metrics.get("A"), metrics.get("revenue")
            missing = Cell(wording.NOTHING, "no control" if one["incremental"] is None else "too early", tone="muted")
            cells = [
                self._credit(one["views"]["last"]["conversions"], ""),
                _brought(on_a, _count) if on_a and self._is_told(on_a) else missing,
                _brought(money, self._amount) if money and self._is_told(money) else missing,
            ]
            lines.append(self._line(one, cells))
        return Grid(
            "What messages caused, against each campaign's control",
            [
                Heading("Campaign"),
                Heading("Credit, last touch", "Of the event chosen above, from the table of conversions."),
                Heading(
                    "Caused on its event A",
                    "How many more, or with a minus fewer, converted on the campaign's own primary event, over its "
                    "whole time, than would have as control did, with the 95 % interval.",
                ),
                Heading("Caused in revenue", "The same for revenue in the campaign's primary window."),
            ],
            lines,
        )

    def _funnel(self) -> Grid:
        about = {one["step"]: _sentence(one["about"]) for one in self._told["funnel"]["steps"]}
        reached = [one for one in self._told["campaigns"] if one["funnel"]["reached"]]
        return Grid(
            "From a message to the conversion, in users",
            [Heading("Campaign"), *(Heading(label, about[step]) for step, label in STEPS.items())],
            [
                self._line(one, self._steps(one["funnel"]))
                for one in sorted(reached, key=lambda one: -one["funnel"]["reached"])
            ],
            [Line("All campaigns", self._steps(self._told["funnel"]["total"]), "each user once")],
        )

    def _steps(self, one: Mapping[str, int | None]) -> list[Cell]:
        cells, reached = [], one["reached"] or 0
        for step in STEPS:
            count = one[step]
            if count is None:
                cells.append(Cell(wording.NOTHING, "not reported", tone="muted"))
            else:
                share = self._numbers.part(count, reached) if step != "reached" else ""
                cells.append(Cell(self._numbers.text(count), share, tone="strong" if step == "converted" else ""))
        return cells

    def _is_told(self, one: Mapping[str, Any]) -> bool:
        """Return whether there is an answer; without an interval it is of few people, whom only analysts may guess."""
        return one["incremental"] is not None and (
            one["incremental_interval"] is not None or self._role.includes(Role.ANALYST)
        )

    def _amount(self, value: float) -> str:
        return written.signed_money(value, self._currency)

    def _holdout(self, one: Mapping[str, Any]) -> Holdout:
        name, _ = named(one["name"])
        conversions, revenue = _beside(one["conversions"], _count), _beside(one["revenue"], self._amount)
        first, last = (written.day(one[edge], year=True) for edge in ("from", "until"))
        return Holdout(name, f"{first} to {last}", *conversions, *revenue, one["warnings"])

    def _over_time(self) -> Plot | None:
        days = self._told["days"]
        if not days:
            return None
        ranked = self._sorted()
        own = ranked if len(ranked) <= DRAWN else ranked[: DRAWN - 1]
        rest = ranked[len(own) :]
        lines, columns = [], []
        for place, one in enumerate(own):
            lines.append(PlotLine(named(one["name"] or one["id"])[0][:LINE_LETTERS], f"v{place}"))
            columns.append(one["last_by_day"])
        if rest:
            lines.append(PlotLine(f"{len(rest)} other campaigns", f"v{DRAWN}"))
            columns.append([sum(each) for each in zip(*(one["last_by_day"] for one in rest), strict=True)])
        lines.append(PlotLine("no message", "vc", dashed=True))
        columns.append(self._told["untouched_by_day"])
        rows = [
            PlotRow(day, written.day(day, year=True), [self._point(n) for n in counts])
            for day, *counts in zip(days, *columns, strict=True)
        ]
        about = f"By the day of the event, for the campaign with the last message before it ({self._told['timezone']})."
        return grouped(Plot("over-time", "Conversions per day", about, "", lines, rows))

    def _point(self, count: int) -> Point:
        return Point("" if self._numbers.is_hidden(count) else str(count), self._numbers.text(count))


def _ranked(campaigns: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return campaigns by the conversions that they had the last touch of."""
    return sorted(campaigns, key=lambda one: -Decimal(one["views"]["last"]["conversions"]))


def credit(text: str) -> str:
    """Return credit as people read it: whole, or with two decimals."""
    value = Decimal(text)
    if value == value.to_integral_value():
        return written.number(int(value))
    return written.rewritten(f"{value:,.2f}")


def _brought(one: Mapping[str, Any], write: Callable[[float], str]) -> Cell:
    bounds = one["incremental_interval"]
    if bounds is None:
        return Cell(write(float(one["incremental"])), "too early for an interval", tone="muted")
    low, high = map(float, bounds)
    tone = "good" if low > 0 else "bad" if high < 0 else ""
    return Cell(write(float(one["incremental"])), f"{write(low)} to {write(high)}", tone=tone)


def _beside(one: Mapping[str, Any], write: Callable[[float], str]) -> tuple[str, str]:
    if one["incremental"] is None:
        return wording.NOTHING, "too early"
    bounds = one["incremental_interval"]
    between = f"{write(float(bounds[0]))} to {write(float(bounds[1]))}" if bounds else "too early for an interval"
    return write(float(one["incremental"])), between


def _count(value: float) -> str:
    return written.signed(value, 0)


def _apart(unconverted: Mapping[str, str]) -> list[str]:
    return [
        written.money(f"{Decimal(amount):.{minor_units(currency)}f}", currency)
        for currency, amount in unconverted.items()
    ]


def _sentence(about: str) -> str:
    return about[:1].upper() + about[1:] + "."
