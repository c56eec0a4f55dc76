"""`PersonDays` in report.json, and back. Lists are left out where they say nothing (docs/report-json.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from afterword.model import LETTERS, Campaign
from afterword.reports.exchange import exact
from afterword.reports.persons import GUARDRAILS, REVENUE, Days, PersonDays
from afterword.reports.series import EPOCH, iso_day
from afterword.stats.rates import Counts
from afterword.stats.sums import Sums

_USUAL = {"yy": "y", "m": "n", "mm": "n", "my": "y", "x": None, "xx": None, "xy": None, "xm": "x"}
"""What a list is that is left out: another one, or zeros. So it is of persons who are one unit each, converted or not,
and of whom nothing is known from before."""


def as_json(persons: PersonDays, campaign: Campaign, timezone: str) -> dict[str, Any]:
    """Return the block `persons` of a campaign."""
    return {
        "timezone": timezone,
        "variants": {
            variant.id: {
                "first_exposed": _listed(persons.first_exposed[place]),
                "conversions": {
                    letter: _series(persons.of(place, letter)) for letter in LETTERS[: len(campaign.conversion_events)]
                },
                "revenue": _series(persons.of(place, REVENUE)),
                "revenue_unconverted": {
                    currency: exact(amount, currency) for currency, amount in sorted(persons.unconverted[place].items())
                },
                "guardrails": _guardrails(persons, place),
            }
            for place, variant in enumerate(campaign.variants)
        },
    }


def _listed(days: Sequence[tuple[int, int]]) -> dict[str, Any]:
    return {"days": [iso_day(day) for day, _ in days], "n": [n for _, n in days]}


def _series(days: Days) -> dict[str, Any]:
    lists: dict[str, Any] = _listed([(day, sums.n) for day, sums in days])
    lists["y"] = [_number(sums.y) for _, sums in days]
    for name, usual in _USUAL.items():
        numbers = [_number(getattr(sums, name)) for _, sums in days]
        if numbers != _as_usual(lists, usual):
            lists[name] = numbers
    return lists


def _as_usual(lists: Mapping[str, Any], usual: str | None) -> list[float]:
    nothing: list[float] = [0] * len(lists["n"])
    found: list[float] = nothing if usual is None else lists.get(usual, nothing)
    return found


def _number(value: float) -> float:
    """Whole numbers as such: most are counts."""
    return int(value) if value == int(value) else value


def _guardrails(persons: PersonDays, place: int) -> dict[str, Any]:
    lists = _listed([(day, sums.n) for day, sums in persons.of(place, REVENUE)])
    return lists | {name: [int(sums.y) for _, sums in persons.of(place, name)] for name in GUARDRAILS}


def read_json(block: Mapping[str, Any], campaign: Campaign) -> PersonDays:
    """Return what `as_json` was made of."""
    variants = [block["variants"][variant.id] for variant in campaign.variants]
    return PersonDays(
        [
            {letter: _read(series) for letter, series in one["conversions"].items()}
            | {REVENUE: _read(one["revenue"])}
            | {name: _read_counts(one["guardrails"], name) for name in GUARDRAILS}
            for one in variants
        ],
        [list(zip(_days(one["first_exposed"]), one["first_exposed"]["n"], strict=True)) for one in variants],
        [
            {currency: int(Decimal(amount) * 1_000_000) for currency, amount in one["revenue_unconverted"].items()}
            for one in variants
        ],
    )


def _days(lists: Mapping[str, Any]) -> list[int]:
    return [(date.fromisoformat(day) - EPOCH).days for day in lists["days"]]


def _read(lists: Mapping[str, Any]) -> list[tuple[int, Sums]]:
    whole = dict(lists)
    for name, usual in _USUAL.items():
        whole.setdefault(name, _as_usual(whole, usual))
    columns = zip(*(whole[name] for name in Sums.__slots__), strict=True)
    return [(day, Sums(*sums)) for day, sums in zip(_days(lists), columns, strict=True)]


def _read_counts(lists: Mapping[str, Any], name: str) -> list[tuple[int, Sums]]:
    sums = [Sums.of_counts(Counts(n, y)) for n, y in zip(lists["n"], lists[name], strict=True)]
    return list(zip(_days(lists), sums, strict=True))
