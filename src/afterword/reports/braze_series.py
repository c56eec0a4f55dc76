"""A campaign's days in the form of the Braze-compatible answers: `data_series` and `data_summary`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from afterword.model import MAX_CONVERSION_EVENTS, Channel
from afterword.reports.daily import (
    EXPOSURES,
    FAILED,
    RECEIVED,
    RECIPIENTS,
    SENT,
    DailyNumbers,
    Sums,
    converted,
    first_of,
)

CHANNEL_NAMES = {
    Channel.EMAIL: "email",
    Channel.PUSH: "push",
    Channel.SMS: "sms",
    Channel.WEBHOOK: "webhook",
    Channel.IN_APP: "trigger_in_app_message",
    Channel.CONTENT_CARD: "content_cards",
}
NO_CHANNEL = "other"
"""Where nobody says which channel it was."""
CONTROL_NAME = "Control Group"

UNKNOWN = None
"""A counter that no fact can fill."""
COUNTERS: dict[Channel, dict[str, str | None]] = {
    Channel.EMAIL: {
        "sent": SENT,
        "opens": "message_open",
        "unique_opens": first_of("message_open"),
        "clicks": "message_click",
        "unique_clicks": first_of("message_click"),
        "unsubscribes": "message_unsubscribe",
        "bounces": "message_bounced",
        "delivered": "message_delivered",
        "reported_spam": "message_complaint",
    },
    Channel.PUSH: {
        "sent": SENT,
        "direct_opens": "message_open",
        "total_opens": "message_open",
        "bounces": "message_bounced",
        "body_clicks": "message_click",
    },
    Channel.SMS: {
        "sent": SENT,
        "sent_to_carrier": UNKNOWN,
        "delivered": "message_delivered",
        "rejected": UNKNOWN,
        "delivery_failed": "message_bounced",
        "clicks": "message_click",
        "opt_out": "message_unsubscribe",
        "help": UNKNOWN,
    },
    Channel.WEBHOOK: {"sent": SENT, "errors": FAILED},
    Channel.IN_APP: {
        "impressions": "message_impression",
        "clicks": "message_click",
        "first_button_clicks": UNKNOWN,
        "second_button_clicks": UNKNOWN,
    },
    Channel.CONTENT_CARD: {
        "sent": SENT,
        "total_impressions": "message_impression",
        "unique_impressions": first_of("message_impression"),
        "total_clicks": "message_click",
        "unique_clicks": first_of("message_click"),
        "total_dismissals": UNKNOWN,
        "unique_dismissals": UNKNOWN,
    },
}
"""What each channel counts, and the measure behind it."""


def channel_name(code: int) -> str:
    """Return the name of a channel in answers."""
    return NO_CHANNEL if code == -1 else CHANNEL_NAMES[list(Channel)[code]]


def campaign_series(numbers: DailyNumbers, days: Sequence[date]) -> list[dict[str, Any]]:
    """Return the rows of `/campaigns/data_series`, one for each of the days."""
    return [_campaign_row(numbers, day) for day in days]


def _campaign_row(numbers: DailyNumbers, day: date) -> dict[str, Any]:
    total = numbers.total
    return {
        "time": day.isoformat(),
        "unique_recipients": total.count(RECIPIENTS, [day]),
        "revenue": total.revenue([day]),
        **_conversions(total, [day], "send_time"),
        "messages": {channel_name(channel): _variations(numbers, channel, day) for channel in numbers.channels},
    }


def _variations(numbers: DailyNumbers, channel: int, day: date) -> list[dict[str, Any]]:
    """Return the entries of a channel: one for each variant, which is named where there are several."""
    several = len(numbers.campaign.variants) > 1
    entries = []
    for place, variant in enumerate(numbers.campaign.variants):
        sums = numbers.by_channel.get((place, channel), Sums())
        name = CONTROL_NAME if variant.control else variant.name or variant.id
        counters = (
            {"enrolled": sums.count(EXPOSURES, [day])} if variant.control else _counters(numbers, sums, channel, [day])
        )
        entries.append(
            ({"variation_name": name, "variation_api_id": variant.id} if several else {})
            | counters
            | {"revenue": sums.revenue([day]), "unique_recipients": sums.count(RECIPIENTS, [day])}
            | _conversions(sums, [day], "send_time")
        )
    return entries


def _counters(numbers: DailyNumbers, sums: Sums, channel: int, days: Sequence[date]) -> dict[str, int | None]:
    named = {"sent": SENT} if channel == -1 else COUNTERS[list(Channel)[channel]]
    found: dict[str, int | None] = {}
    for name, measure in named.items():
        known = measure == SENT or (
            measure is not None and numbers.is_reported(measure.removeprefix(first_of("")), channel)
        )
        found[name] = sums.count(measure, days) if measure is not None and known else None
    return found


def _conversions(sums: Sums, days: Sequence[date], by: str) -> dict[str, int]:
    """Return all counts of conversions: plain by their own day, the others by that of the exposure."""
    found = {}
    for letter in range(MAX_CONVERSION_EVENTS):
        name = f"conversions{letter or ''}"
        found[name] = sums.count(converted(letter), days)
        found[f"{name}_by_{by}"] = sums.count(converted(letter, by_exposure=True), days)
    return found


def canvas_series(numbers: DailyNumbers, days: Sequence[date], *, variants: bool, steps: bool) -> list[dict[str, Any]]:
    """Return the `stats` of `/canvas/data_series`, one entry for each of the days."""
    return [{"time": day.isoformat(), **_canvas_stats(numbers, [day], variants, steps)} for day in days]


def canvas_summary(numbers: DailyNumbers, days: Sequence[date], *, variants: bool, steps: bool) -> dict[str, Any]:
    """Return what `/canvas/data_summary` says of all the days together."""
    return _canvas_stats(numbers, days, variants, steps)


def _canvas_stats(numbers: DailyNumbers, days: Sequence[date], variants: bool, steps: bool) -> dict[str, Any]:
    stats: dict[str, Any] = {"total_stats": _entered(numbers.total, days)}
    if variants:
        stats["variant_stats"] = {
            variant.id: {
                "name": CONTROL_NAME if variant.control else variant.name or variant.id,
                **_entered(numbers.by_variant.get(place, Sums()), days),
            }
            for place, variant in enumerate(numbers.campaign.variants)
        }
    if steps:
        stats["step_stats"] = {
            step.id: {"name": step.name or step.id, **_step(numbers, numbers.by_step.get(place, Sums()), days)}
            for place, step in enumerate(numbers.campaign.steps)
        }
    return stats


def _entered(sums: Sums, days: Sequence[date]) -> dict[str, Any]:
    return {
        "revenue": sums.revenue(days),
        **_conversions(sums, days, "entry_time"),
        "entries": sums.count(EXPOSURES, days),
    }


def _step(numbers: DailyNumbers, sums: Sums, days: Sequence[date]) -> dict[str, Any]:
    """Return a step's numbers. News about messages do not say of which step they are, so only `sent` is known."""
    channels = numbers.campaign.channels
    only = channels[0] if len(channels) == 1 else None
    counters: dict[str, int | None] = dict.fromkeys(COUNTERS[only] if only else ())
    counters["sent"] = sums.count(RECEIVED, days)
    name = CHANNEL_NAMES[only] if only else NO_CHANNEL
    return {
        "revenue": sums.revenue(days),
        **_conversions(sums, days, "entry_time"),
        "messages": {name: [counters]},
    }
