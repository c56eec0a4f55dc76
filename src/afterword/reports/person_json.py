"""`PersonDays` in report.json, and back. Lists are left out where they say nothing (docs/report-json.md)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from afterword.model import LETTERS, Campaign
from afterword.reports.exchange import exact
from afterword.reports.persons import GUARDRAILS, REVENUE, SUMS, WINSORISED, DaySums, PersonDays
from afterword.reports.series import EPOCH, Axis
from afterword.reports.sql import Ints

EXACT = 1 << 53
"""Below this every whole number is a float."""
USUAL = {"yy": "y", "m": "n", "mm": "n", "my": "y", "x": None, "xx": None, "xy": None, "xm": "x"}
"""What a list is that is left out: another one, or zeros. So it is of persons who are one unit each, converted or not,
and of whom nothing is known from before."""


def as_json(persons: PersonDays, campaign: Campaign, timezone: str) -> dict[str, Any]:
    """Return the block `persons` of a campaign."""
    of_age = [days.days for metrics in persons.metrics for days in metrics.values()]
    axis = Axis.over(*of_age, *([day for day, _ in days] for days in persons.first_exposed))
    return {
        "timezone": timezone,
        "days": axis.days(),
        "variants": {
            variant.id: _variant(persons, place, campaign, axis) for place, variant in enumerate(campaign.variants)
        },
    }


def _variant(persons: PersonDays, place: int, campaign: Campaign, axis: Axis) -> dict[str, Any]:
    metrics = persons.metrics[place]
    first = np.array(persons.first_exposed[place], np.int64).reshape(-1, 2)
    return {
        "first_exposed": _listed(axis, first[:, 0], first[:, 1]),
        "conversions": {
            letter: _series(axis, metrics[letter]) for letter in LETTERS[: len(campaign.conversion_events)]
        },
        **{name: _series(axis, metrics[name]) for name in (REVENUE, WINSORISED) if name in metrics},
        "revenue_unconverted": {
            currency: exact(amount, currency) for currency, amount in sorted(persons.unconverted[place].items())
        },
        "guardrails": {name: _bad_news(axis, metrics[name]) for name in GUARDRAILS},
    }


def _bad_news(axis: Axis, days: DaySums) -> list[float]:
    return _listed(axis, days.days, days.columns[SUMS.index("y")])


def _listed(axis: Axis, days: Ints, values: NDArray[Any]) -> list[float]:
    """Return a number for each day of the axis; whole ones as such, as most are counts."""
    listed = np.zeros(axis.count)
    listed[days - axis.first] = values
    whole = bool((np.abs(listed) < EXACT).all()) and np.array_equal(np.floor(listed), listed)
    numbers: NDArray[Any] = listed.astype(np.int64) if whole else listed
    return list(numbers.tolist())


def _series(axis: Axis, days: DaySums) -> dict[str, list[float]]:
    columns = dict(zip(SUMS, days.columns, strict=True))
    said = {
        name: column
        for name, column in columns.items()
        if name not in USUAL or not np.array_equal(column, _usual(columns, name))
    }
    return {name: _listed(axis, days.days, column) for name, column in said.items()}


def _usual(columns: Mapping[str, NDArray[Any]], name: str) -> NDArray[Any]:
    usual = USUAL[name]
    return np.zeros_like(columns["n"]) if usual is None else columns[usual]


def read_json(block: Mapping[str, Any], campaign: Campaign) -> PersonDays:
    """Return what `as_json` was made of."""
    days = np.array([(date.fromisoformat(day) - EPOCH).days for day in block["days"]], np.int64)
    variants = [block["variants"][variant.id] for variant in campaign.variants]
    return PersonDays(
        [_read_variant(days, one) for one in variants],
        [[(day, n) for day, n in zip(days.tolist(), one["first_exposed"], strict=True) if n] for one in variants],
        [
            {currency: int(Decimal(amount) * 1_000_000) for currency, amount in one["revenue_unconverted"].items()}
            for one in variants
        ],
    )


def _read_variant(days: Ints, variant: Mapping[str, Any]) -> dict[str, DaySums]:
    n = variant["revenue"]["n"]
    guardrails = {name: {"n": n, "y": counts} for name, counts in variant["guardrails"].items()}
    revenue = {name: variant[name] for name in (REVENUE, WINSORISED) if name in variant}
    series = variant["conversions"] | revenue | guardrails
    return {name: _read(days, lists) for name, lists in series.items()}


def _read(days: Ints, lists: Mapping[str, list[float]]) -> DaySums:
    columns = {name: np.array(values, np.float64) for name, values in lists.items()}
    for name in USUAL:
        columns.setdefault(name, _usual(columns, name))
    somebody = columns["n"] > 0
    return DaySums(days[somebody], np.stack([columns[name][somebody] for name in SUMS]))
