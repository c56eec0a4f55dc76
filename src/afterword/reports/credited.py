"""The credit of events over campaigns as JSON: six views side by side, and the total that counts each event once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any

from afterword.attribution.compiled import I64
from afterword.attribution.credit import EVERY, VIEWS, WHOLE, Credited, whole
from afterword.model import Campaign
from afterword.money import minor_units
from afterword.reports.exchange import ONE, amount, exact, rounded

ABOUT = {
    "every": "every campaign with a message in the window has the whole credit: these numbers must not be added up",
    "first": "the first message in the window has the whole credit",
    "last": "the last message in the window has the whole credit",
    "linear": "all messages in the window share equally",
    "position": "the first and the last message have 40 % each, those between them share 20 %; two share equally",
    "time_decay": "a message counts half for every 7 days before the event",
}
"""What each view does. In all but the first, credit is conserved."""
CREDIT_DECIMALS = 9


@dataclass(frozen=True, slots=True)
class Sum:
    """What is added up together: one currency at one rate."""

    currency: str
    rate: int | None
    """In 10^-12 of the reporting currency; None where there is no rate (rule 27)."""


@dataclass(frozen=True, slots=True)
class FunnelOf:
    """Persons, each once; a later step needs none of those before it."""

    reached: int
    """With a message in the period or one window before it."""
    opened: int | None
    """None where nobody reports opens."""
    clicked: int | None
    converted: int


@dataclass(frozen=True, slots=True)
class Funnel:
    """From a message to the event."""

    total: FunnelOf
    campaigns: Sequence[FunnelOf]


STEPS = {
    "reached": "had a message of the campaign in the period or at most one window before it",
    "opened": "opened one of these messages up to the end of the period; null where nobody reports opens",
    "clicked": "clicked in one of them, scanners left out; null where nobody reports clicks",
    "converted": "did the chosen event in the period, within the window after a message, whether opened or not",
}
"""What each step of the funnel counts. A person counts once per campaign, and once in the total."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What was shared out."""

    credited: Credited
    money: I64
    """By view, campaign (then: with a touch, without), sum, and limb."""
    sums: Sequence[Sum]
    first_day: int
    """Of the days, since 1970."""
    funnel: Funnel


def credit_data(counted: Counted, campaigns: Sequence[Campaign], currency: str) -> dict[str, Any]:
    """Return the views, the total and each campaign's part; `campaigns` are in the order of the places."""
    credited = counted.credited
    behind = len(campaigns)
    texts = {view: _amounts(counted, number, behind, currency) for number, view in enumerate(VIEWS)}
    touched, untouched = (int(n) for n in credited.counts)
    first = date(1970, 1, 1) + timedelta(days=counted.first_day)
    with_touch, without = (_money(counted, EVERY, place) for place in (behind, behind + 1))
    both = with_touch[0] + without[0], _added(with_touch[1], without[1])
    return {
        "currency": currency,
        "views": [{"view": view, "conserved": view != "every", "about": about} for view, about in ABOUT.items()],
        "total": {
            "conversions": touched + untouched,
            "touched": touched,
            "untouched": untouched,
            "revenue": _revenue(both, currency),
            "revenue_touched": _revenue(with_touch, currency),
            "revenue_untouched": _revenue(without, currency),
        },
        "days": [str(first + timedelta(days=day)) for day in range(len(credited.untouched_days))],
        "untouched_by_day": credited.untouched_days.tolist(),
        "funnel": {
            "steps": [{"step": step, "about": about} for step, about in STEPS.items()],
            "total": asdict(counted.funnel.total),
        },
        "campaigns": [
            {
                "id": campaign.id,
                "name": campaign.name,
                "kind": campaign.kind,
                "views": {
                    view: {
                        "conversions": _conversions(credited, number, place),
                        "revenue": texts[view][place],
                        "unconverted": _apart(_money(counted, number, place)[1]),
                    }
                    for number, view in enumerate(VIEWS)
                },
                "last_by_day": credited.days[place].tolist(),
                "funnel": asdict(counted.funnel.campaigns[place]),
            }
            for place, campaign in enumerate(campaigns)
        ],
    }


def credit_text(billionths: int) -> str:
    """Return credit as decimal text, all of it: 12.333333333."""
    return _trimmed(rounded(billionths, WHOLE, CREDIT_DECIMALS))


def shared_out(parts: Sequence[int], denominator: int, decimals: int) -> list[str]:
    """Return parts / denominator as decimal text such that the texts sum to that of the sum, rounded half to even.

    Each is rounded down, and those with the largest rests get one more of the last digit; of equal ones the first.
    """
    scale = 10**decimals
    floors = [part * scale // denominator for part in parts]
    whole_text = rounded(sum(parts), denominator, decimals)
    missing = int(whole_text.replace(".", "")) - sum(floors)
    order = sorted(range(len(parts)), key=lambda place: -(parts[place] * scale % denominator))
    for place in order[:missing]:
        floors[place] += 1
    return [rounded(floor, scale, decimals) for floor in floors]


def _conversions(credited: Credited, view: int, place: int) -> str:
    return str(int(credited.every[place])) if view == EVERY else credit_text(int(credited.credit[view, place]))


def _amounts(counted: Counted, view: int, campaigns: int, currency: str) -> list[str]:
    """Return the revenue of all campaigns in a view."""
    found = [_money(counted, view, place)[0] for place in range(campaigns)]
    decimals = minor_units(currency)
    if view == EVERY:
        return [rounded(one, ONE * WHOLE, decimals) for one in found]
    return shared_out(found, ONE * WHOLE, decimals)


def _money(counted: Counted, view: int, place: int) -> tuple[int, dict[str, int]]:
    """Return a sum in 10^-18 x 10^-9, and by currency in millionths x 10^-9 what has no rate."""
    converted, apart = 0, dict[str, int]()
    for number, of in enumerate(counted.sums):
        value = whole(counted.money[view, place, number].tolist())
        if of.rate is not None:
            converted += value * of.rate
        elif value:
            apart[of.currency] = apart.get(of.currency, 0) + value
    return converted, apart


def _revenue(money: tuple[int, dict[str, int]], currency: str) -> dict[str, Any]:
    converted, apart = money
    return {"amount": amount(converted // WHOLE, currency), "unconverted": _apart(apart)}


def _apart(found: dict[str, int]) -> dict[str, str]:
    """Return what has no rate as text, in full."""
    return {
        currency: exact(value // WHOLE, currency)
        if value % WHOLE == 0
        else _trimmed(rounded(value, 1_000_000 * WHOLE, 6 + CREDIT_DECIMALS))
        for currency, value in sorted(found.items())
        if value
    }


def _added(one: dict[str, int], other: dict[str, int]) -> dict[str, int]:
    return {currency: one.get(currency, 0) + other.get(currency, 0) for currency in {*one, *other}}


def _trimmed(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text
