"""How many users it takes (`sizing`), as the API has it and in words that all interfaces share."""

from __future__ import annotations

from typing import Any

from afterword.durations import describe_duration
from afterword.model import LETTERS, PlanKind
from afterword.reports import wording
from afterword.selection.sizing import Collected, Sizing

FROM = {
    "given": "the rate that was given",
    "control": "control's rate so far",
    "all": "the rate of all variants so far",
    "seen": "the share of the people seen in the last 30 days",
}
HUNDRED = 100


def sizing_data(sizing: Sizing) -> dict[str, Any]:
    """Return everything that is said of it."""
    terms, users = sizing.terms, sizing.users
    of_age = sizing.collected.users if sizing.collected else {}
    return {
        "campaign": terms.campaign,
        "conversion_event": None if terms.campaign is None else LETTERS[0],
        "plan": terms.plan.value,
        "alpha": terms.alpha,
        "level": terms.level,
        "power": sizing.power,
        "minimum_sample": terms.minimum_sample,
        "deadline_seconds": terms.deadline_seconds,
        "rate": sizing.rate,
        "rate_from": sizing.rate_from,
        "effect": {"relative": sizing.difference / sizing.rate, "difference": sizing.difference},
        "users": sizing.total,
        "variants": [
            {
                "id": arm.id,
                "name": arm.name,
                "control": arm.control,
                "share": HUNDRED * arm.share,
                "users": None if users is None else users[arm.id],
                "of_age": of_age.get(arm.id),
            }
            for arm in terms.arms
        ],
        "users_per_day": sizing.per_day,
        "days": sizing.days,
        "collected": _collected(sizing.collected),
        "sentences": sentences(sizing),
    }


def _collected(found: Collected | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "users": sum(found.users.values()),
        "power": found.power,
        "missing_users": found.missing,
        "missing_days": found.days,
    }


def sentences(sizing: Sizing) -> list[str]:
    """Return how many users it takes, how long, and what those who are there can show."""
    return [one for one in (_needed(sizing), _how_long(sizing), _so_far(sizing)) if one]


def _needed(sizing: Sizing) -> str:
    relative, points = sizing.difference / sizing.rate, HUNDRED * sizing.difference
    arms = len(sizing.terms.compared)
    whom = "the other" if arms == 2 else "every other"
    aim = (
        f"To show with a probability of {_percent(sizing.power)} that one variant is better than {whom} by "
        f"{_percent(relative)} of a rate of {_percent(sizing.rate)} ({points:.3g} percentage points; "
        f"{FROM[sizing.rate_from]})"
    )
    when = (
        "looking whenever one likes"
        if sizing.terms.plan is PlanKind.ALWAYS_VALID
        else "with one look when all windows have passed"
    )
    if sizing.users is None:
        return f"{aim}, {when}, takes more users than there are people."
    return f"{aim}, {when}, takes {_per_arm(sizing)}: {wording.number(sizing.total)} users in all."


def _per_arm(sizing: Sizing) -> str:
    assert sizing.users is not None
    numbers = set(sizing.users.values())
    if len(numbers) == 1:
        return f"{wording.number(numbers.pop())} users of each variant"
    arms = {arm.id: arm for arm in sizing.terms.arms}
    said = [
        f"{wording.number(users)} of {'control' if arms[name].control else _quoted(arms[name].name)}"
        for name, users in sizing.users.items()
    ]
    return f"{', '.join(said[:-1])} and {said[-1]}"


def _how_long(sizing: Sizing) -> str:
    if sizing.per_day is None or sizing.users is None:
        return ""
    if sizing.days is None:
        return "Nobody was exposed in the last week, so how long that takes cannot be said."
    return (
        f"At {sizing.per_day:,.0f} users a day that is about {_days(sizing.days)} from the first user on, with the "
        f"{describe_duration(sizing.terms.deadline_seconds)} until the last window has passed."
    )


def _so_far(sizing: Sizing) -> str:
    found = sizing.collected
    if found is None:
        return ""
    there = sum(found.users.values())
    said = (
        f"The windows of {wording.number(there)} users have passed: with them such a difference would be shown with a "
        f"probability of {_percent(found.power, whole=True)}"
    )
    if not found.missing:
        return f"{said}."
    users = f"{wording.number(found.missing)} more {'user' if found.missing == 1 else 'users'}"
    if found.days is None:
        return f"{said}; {users} are missing, and nobody has come of late."
    return f"{said}; {users} are missing, which takes about {_days(found.days)}."


def _days(days: int) -> str:
    return f"{days:,} {'day' if days == 1 else 'days'}"


def _percent(fraction: float, *, whole: bool = False) -> str:
    if whole:
        if 0 < fraction < 0.01:
            return f"less than 1{wording.NARROW}%"
        if 0.99 < fraction < 1:
            return f"more than 99{wording.NARROW}%"
        return wording.percent(fraction, 0)
    return f"{HUNDRED * fraction:.4g}{wording.NARROW}%"


def _quoted(name: str) -> str:
    return f'"{name}"'
