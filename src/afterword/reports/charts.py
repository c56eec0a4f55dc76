"""The geometry of the charts: numbers in, coordinates out. Templates only draw what is here.

Coordinates are those of a view box WIDTH wide; texts stay clear of each other at the larger letters of
narrow screens, too.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from afterword.reports.wording import day

WIDTH = 460
LABEL_GAP = 15
LETTER = 7.4
"""About the width of a letter on narrow screens."""
MAX_POINTS = 120
SMALLEST_STEP = 1e-6


@dataclass(frozen=True, slots=True)
class Tick:
    """A grid line with its label."""

    at: float
    label: str
    zero: bool = False


@dataclass(frozen=True, slots=True)
class Bar:
    """One interval: a line from low to high with a dot at the estimate."""

    name: list[str]
    """One line, or two for a long name."""
    colour: str
    y: float
    low: float
    high: float
    dot: float
    label: str
    label_x: float
    title: str


@dataclass(frozen=True, slots=True)
class IntervalChart:
    """Differences from control with their intervals."""

    height: float
    bottom: float
    ticks: list[Tick]
    bars: list[Bar]
    description: str


@dataclass(frozen=True, slots=True)
class Line:
    """One series with its label at the right end."""

    name: str
    label: str
    colour: str
    path: str
    end_x: float
    end_y: float
    label_y: float
    dashed: bool
    lone: bool
    """A single point, drawn as a dot."""


@dataclass(frozen=True, slots=True)
class LineChart:
    """Lines over days."""

    height: float
    left: float
    right: float
    top: float
    bottom: float
    y_ticks: list[Tick]
    x_ticks: list[Tick]
    lines: list[Line]
    description: str


@dataclass(frozen=True, slots=True)
class Estimate:
    """What an interval chart shows of one variant, in percentage points."""

    name: str
    colour: str
    low: float
    value: float
    high: float


@dataclass(frozen=True, slots=True)
class Series:
    """What a line chart shows: one value per day."""

    name: str
    colour: str
    values: Sequence[float]
    dashed: bool = False


def nice_step(span: float, ticks: int) -> float:
    """The smallest of 1, 2, 2.5, 5 times a power of ten that cuts a span into at most so many steps."""
    if span <= 0:
        return 1.0
    raw = max(span / ticks, SMALLEST_STEP)
    power = 10.0 ** math.floor(math.log10(raw))
    return next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= raw * (1 - 1e-9))


def shortened(name: str, limit: int) -> str:
    """A name that fits, with an ellipsis if it was cut."""
    return name if len(name) <= limit else name[: limit - 1].rstrip() + "…"


def breadth(text: str) -> float:
    """About how many small letters are as wide as a text, from the advance widths of Helvetica Bold; never too few."""
    return sum(map(_breadth_of, text))


def _breadth_of(character: str) -> float:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Cf", "Mn"):
        return 0.0
    if unicodedata.east_asian_width(character) in "WF":
        return 1.9
    if character in "WMmw@%—…":
        return 1.7
    if character.isupper():
        return 1.35
    return 0.6 if character in " ijl.,:;!|'()[]/" else 1.0


def within(name: str, limit: float) -> str:
    """As much of a name as is at most so many letters wide, with an ellipsis if it was cut."""
    if breadth(name) <= limit:
        return name
    end, room = 0, limit - breadth("…")
    while (room := room - _breadth_of(name[end])) >= 0:
        end += 1
    return name[:end].rstrip() + "…"


def two_lines(name: str, limit: float) -> list[str]:
    """A name in at most two lines, broken between words where that can be, each at most so many letters wide."""
    if breadth(name) <= limit:
        return [name]
    words = name.split()
    first = 0
    while first < len(words) and breadth(" ".join(words[: first + 1])) <= limit:
        first += 1
    if first:
        return [" ".join(words[:first]), within(" ".join(words[first:]), limit)]
    end = 0
    while breadth(name[: end + 1]) <= limit:
        end += 1
    return [name[:end], within(name[end:].lstrip(), limit)]


def decimals_of(step: float) -> int:
    """How many decimals tell the ticks apart."""
    return next(digits for digits in range(12) if math.isclose(round(step, digits), step, rel_tol=1e-6))


def interval_chart(estimates: Sequence[Estimate], describe: str) -> IntervalChart | None:
    """Lay out intervals around a line at zero; None if there are none."""
    if not estimates:
        return None
    low = min(0.0, *(estimate.low for estimate in estimates))
    high = max(0.0, *(estimate.high for estimate in estimates))
    step = nice_step(high - low, 5)
    low, high = math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step
    if high == low:
        low, high = -step, step
    left, right, top, row = 148.0, WIDTH - 18.0, 34.0, 46.0
    bottom = top + row * len(estimates) - 12

    def x(value: float) -> float:
        return round(left + (value - low) / (high - low) * (right - left), 1)

    digits = decimals_of(step)
    ticks = [
        Tick(x(low + i * step), _signed(low + i * step, digits), zero=abs(low + i * step) < step / 1e6)
        for i in range(round((high - low) / step) + 1)
    ]
    value_digits = max(2, digits)
    bars = [
        Bar(
            name=two_lines(estimate.name, 19),
            colour=estimate.colour,
            y=round(top + row * i, 1),
            low=x(estimate.low),
            high=x(estimate.high),
            dot=x(estimate.value),
            label=_signed(estimate.value, value_digits),
            label_x=min(max(x(estimate.value), left + 16), right - 16),
            title=f"{estimate.name}: {_signed(estimate.value, value_digits)} percentage points, "
            f"{_signed(estimate.low, value_digits)} to {_signed(estimate.high, value_digits)}",
        )
        for i, estimate in enumerate(estimates)
    ]
    return IntervalChart(bottom + 26, bottom, ticks, bars, describe + " " + "; ".join(bar.title for bar in bars) + ".")


def line_chart(
    series: Sequence[Series], days: Sequence[str], unit: str, describe: str, height: float = 250
) -> LineChart | None:
    """Lay out lines over days from zero up; None if there is nothing to draw."""
    count = len(days)
    top_value = max((max(one.values, default=0.0) for one in series), default=0.0)
    if not count or top_value <= 0:
        return None
    step = nice_step(top_value, 5)
    if unit != "%":
        step = max(1.0, step)
    high = math.ceil(top_value / step - 1e-9) * step
    digits = decimals_of(step)
    left = 12 + LETTER * len(f"{high:,.{digits}f}")
    right = WIDTH - 12 - LETTER * max(breadth(within(one.name, 16)) for one in series)
    top, bottom = 14.0, height - 30.0

    def x(position: int) -> float:
        return round(left + (position / (count - 1) if count > 1 else 0.5) * (right - left), 1)

    def y(value: float) -> float:
        return round(bottom - value / high * (bottom - top), 1)

    label_ys = spread([y(one.values[-1]) for one in series], top + 4, bottom - 3)
    lines = [
        Line(
            name=one.name,
            label=within(one.name, 16),
            colour=one.colour,
            path=_path(one.values, left, right - left, bottom, (bottom - top) / high),
            end_x=x(count - 1),
            end_y=y(one.values[-1]),
            label_y=label_y,
            dashed=one.dashed,
            lone=count == 1,
        )
        for one, label_y in zip(series, label_ys, strict=True)
    ]
    return LineChart(
        height=height,
        left=left,
        right=right,
        top=top,
        bottom=bottom,
        y_ticks=[Tick(y(i * step), f"{i * step:,.{digits}f}") for i in range(round(high / step) + 1)],
        x_ticks=[Tick(x(i), day(days[i])) for i in _spaced(count, 5)],
        lines=lines,
        description=describe
        + " "
        + "; ".join(f"{one.name} ends at {one.values[-1]:,.{2 if unit == '%' else 0}f}{unit}" for one in series)
        + ".",
    )


def spread(wanted: Sequence[float], low: float, high: float, gap: float = LABEL_GAP) -> list[float]:
    """Move label positions apart to at least `gap`, as little as needed, in order, within low..high."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    gap = min(gap, (high - low) / max(1, len(wanted) - 1))
    groups: list[list[int]] = []
    centres: list[float] = []
    for index in order:
        groups.append([index])
        centres.append(_clamped(wanted[index], 1, low, high, gap))
        # Groups that touch become one, centred on the mean of what its members want.
        while len(groups) > 1 and centres[-1] - centres[-2] < gap * (len(groups[-1]) + len(groups[-2])) / 2 - 1e-9:
            last = groups.pop()
            centres.pop()
            groups[-1] += last
            mean = sum(wanted[i] for i in groups[-1]) / len(groups[-1])
            centres[-1] = _clamped(mean, len(groups[-1]), low, high, gap)
    placed = [0.0] * len(wanted)
    for members, centre in zip(groups, centres, strict=True):
        for position, index in enumerate(members):
            placed[index] = round(centre + (position - (len(members) - 1) / 2) * gap, 1)
    return placed


def _clamped(centre: float, size: int, low: float, high: float, gap: float) -> float:
    half = (size - 1) / 2 * gap
    return min(max(centre, low + half), high - half)


def _signed(value: float, digits: int) -> str:
    text = f"{abs(value):.{digits}f}"
    if float(text) == 0:
        return "0" if digits == 0 or value == 0 else text
    return ("+" if value > 0 else "\u2212") + text


def _path(values: Sequence[float], left: float, width: float, bottom: float, scale: float) -> str:
    """An SVG path in tenths (drawn at scale .1); of very many points as many as can be told apart."""
    stride = -(-len(values) // MAX_POINTS)
    last = len(values) - 1
    positions = [*range(0, last, stride), last]
    step = 10 * width / max(1, last)
    points = [(int(10 * left + step * i + 0.5), int(10 * (bottom - values[i] * scale) + 0.5)) for i in positions]
    moves = [f"{x - x0} {y - y0}" for (x0, y0), (x, y) in pairwise(points)]
    # A minus sign separates as well as a space does, and one `l` serves for all that follows.
    return f"M{points[0][0]} {points[0][1]}" + ("l" + " ".join(moves)).replace(" -", "-") if moves else ""


def _spaced(count: int, at_most: int) -> list[int]:
    """Evenly spread positions with the first and the last."""
    if count <= at_most:
        return list(range(count))
    return sorted({round(i * (count - 1) / (at_most - 1)) for i in range(at_most)})
