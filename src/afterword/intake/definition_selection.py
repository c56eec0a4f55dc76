"""The `selection` of a definition: whether and how Intelligent Selection chooses a campaign's shares."""

from __future__ import annotations

from enum import StrEnum

from afterword.durations import describe_duration, parse_duration
from afterword.errors import UserError
from afterword.intake.definition_fields import Record, show, written_duration, written_number, written_text
from afterword.model import ConversionEvent, Selection, Variant

SELECTION_KEYS = ("mode", "every", "floor", "training_users", "training_conversions", "half_life", "automatic")
HOUR, DAY = 3600, 86_400
NEVER = "never"
_MOST_USERS = 10_000_000


class Mode(StrEnum):
    """Who chooses the shares."""

    INTELLIGENT = "intelligent"
    FIXED = "fixed"


def read_selection(
    campaign: Record, variants: tuple[Variant, ...], events: tuple[ConversionEvent, ...]
) -> Selection | None:
    """Read a campaign's `selection`; None if it has none, or says that shares are fixed."""
    record = campaign.record("selection", SELECTION_KEYS)
    if record is None:
        return None
    mode = record.choice("mode", Mode, required=True)
    if mode is Mode.FIXED:
        for name in SELECTION_KEYS[1:]:
            if record.has(name):
                record.problem(name, f"{name} belongs to mode intelligent, with fixed shares it has no meaning")
        return None
    _check_campaign(campaign, record, variants, events)
    default = Selection()
    return Selection(
        every_seconds=_read_duration(record, "every", HOUR, 30 * DAY, "12 hours") or default.every_seconds,
        floor_hundredths=_read_floor(record, variants, default.floor_hundredths),
        training_users=_read_number(record, "training_users", 10, default.training_users),
        training_conversions=_read_number(record, "training_conversions", 1, default.training_conversions),
        half_life_seconds=_read_half_life(record, default.half_life_seconds),
        automatic=record.flag("automatic") if record.has("automatic") else default.automatic,
    )


def _check_campaign(
    campaign: Record, record: Record, variants: tuple[Variant, ...], events: tuple[ConversionEvent, ...]
) -> None:
    if len([one for one in variants if not one.control]) < 2:
        record.problem("mode", "intelligent needs at least two variants with a message to choose from")
    if not events and not campaign.data.get("conversion_events"):  # one that cannot be read is said already
        record.problem("mode", "intelligent needs a conversion event: the primary says which variant is better")


def _read_floor(record: Record, variants: tuple[Variant, ...], default: int) -> int:
    messages = max(1, len([one for one in variants if not one.control]))
    if not record.has("floor"):
        return min(default, 10_000 // messages)
    value = record.data["floor"]
    floor = written_number(value)
    if floor is None:
        record.problem("floor", f"floor is {show(value)}, must be a percentage such as 1 or 2.5")
    elif not 0 < floor <= 100 / messages:
        most = f"{100 / messages:.2f}".rstrip("0").rstrip(".")
        record.problem("floor", f"floor is {show(value)}, must be above 0 and at most {most}, the equal share")
    elif floor != round(floor, 2):
        record.problem("floor", f"floor is {show(value)}, must have at most two decimals")
    else:
        return int(floor * 100)
    return default


def _read_number(record: Record, name: str, least: int, default: int) -> int:
    value = record.data.get(name, default)
    number = written_number(value)
    if number is None or number != int(number) or not least <= number <= _MOST_USERS:
        record.problem(name, f"{name} is {show(value)}, must be a whole number from {least} to {_MOST_USERS:,}")
        return default
    return int(number)


def _read_half_life(record: Record, default: int | None) -> int | None:
    if not record.has("half_life"):
        return default
    if written_text(record.data["half_life"]) == NEVER:
        return None
    return _read_duration(record, "half_life", DAY, 3650 * DAY, f"30 days, or {NEVER}") or default


def _read_duration(record: Record, name: str, least: int, most: int, example: str) -> int | None:
    if not record.has(name):
        return None
    value = record.data[name]
    text = written_duration(value)
    if text is None:
        record.problem(name, f"{name} is {show(value)}, must be a duration such as {example}")
        return None
    try:
        seconds = parse_duration(text)
    except UserError as error:
        record.problem(name, f"{name}: {error}")
        return None
    if not least <= seconds <= most:
        bounds = f"from {describe_duration(least)} to {describe_duration(most)}"
        record.problem(name, f"{name} is {describe_duration(seconds)}, must be {bounds}")
        return None
    return seconds
