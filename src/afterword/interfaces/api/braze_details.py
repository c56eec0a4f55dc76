"""A campaign or Canvas in the form of the Braze-compatible details."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from afterword.model import Campaign, ConversionEvent, ConversionKind
from afterword.reports.braze_series import CHANNEL_NAMES
from afterword.store.campaign_rules import Status
from afterword.store.campaigns import StoredCampaign

UNKNOWN = None
"""What Afterword is not told, because it does not send."""


def edited_at(stored: StoredCampaign) -> str:
    """Return when a campaign was last edited."""
    return iso_offset(stored.updated_at)


def iso_offset(at: int) -> str:
    """Return microseconds since 1970 as ISO 8601 in UTC with an offset."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)).isoformat()


def campaign_details(stored: StoredCampaign, first_sent: int | None, last_sent: int | None) -> dict[str, Any]:
    """Return the answer of `/campaigns/details`."""
    return {**_common(stored, first_sent, last_sent), "messages": _messages(stored.campaign)}


def canvas_details(stored: StoredCampaign, first_sent: int | None, last_sent: int | None) -> dict[str, Any]:
    """Return the answer of `/canvas/details`."""
    common = _common(stored, first_sent, last_sent)
    return {
        **common,
        "first_entry": common["first_sent"],
        "last_entry": common["last_sent"],
        "variants": [
            {
                "id": variant.id,
                "name": variant.name or variant.id,
                "type": "control" if variant.control else "variant",
                "percentage": variant.share_hundredths / 100,
            }
            for variant in stored.campaign.variants
        ],
        "steps": [
            {"id": step.id, "name": step.name or step.id, "channels": common["channels"]}
            for step in stored.campaign.steps
        ],
    }


def _common(stored: StoredCampaign, first_sent: int | None, last_sent: int | None) -> dict[str, Any]:
    campaign = stored.campaign
    return {
        "created_at": iso_offset(stored.created_at),
        "updated_at": iso_offset(stored.updated_at),
        "archived": stored.status is Status.ARCHIVED,
        "draft": stored.status is Status.DRAFT,
        "enabled": stored.status is Status.RUNNING,
        "name": campaign.name,
        "description": stored.description,
        "schedule_type": UNKNOWN,
        "channels": [CHANNEL_NAMES[channel] for channel in campaign.channels],
        "first_sent": None if first_sent is None else iso_offset(first_sent),
        "last_sent": None if last_sent is None else iso_offset(last_sent),
        "tags": list(campaign.tags),
        "conversion_behaviors": [_behavior(event) for event in campaign.conversion_events],
    }


def _messages(campaign: Campaign) -> dict[str, dict[str, Any]]:
    """Return the messages by the id of their variant; what is in a message is the sender's."""
    channels = [CHANNEL_NAMES[channel] for channel in campaign.channels]
    found: dict[str, dict[str, Any]] = {}
    for variant in campaign.variants:
        name = variant.name or variant.id
        if variant.control:
            found[variant.id] = {"type": "control", "name": name}
        else:
            found[variant.id] = {"channel": channels[0] if len(channels) == 1 else None, "name": name}
    return found


def _behavior(event: ConversionEvent) -> dict[str, Any]:
    """Return a conversion event; what the original has no word for keeps a field of its own."""
    window = {"window": event.deadline_seconds}
    filters = {"property_filters": [_filter(one) for one in event.where]} if event.where else {}
    return {**_kind(event), **window, **_scope(event), **filters}


def _kind(event: ConversionEvent) -> dict[str, str]:
    if event.kind is ConversionKind.PURCHASE:
        return {"type": "Makes Specific Purchase" if event.products else "Makes Any Purchase"}
    return {"type": _TYPES[event.kind]}


_TYPES = {
    ConversionKind.SESSION: "Starts Session",
    ConversionKind.UPGRADE: "Upgrades App",
    ConversionKind.CUSTOM: "Performs Custom Event",
    ConversionKind.MESSAGE_OPEN: "Opens Email",
    ConversionKind.MESSAGE_CLICK: "Clicks Email",
}


def _scope(event: ConversionEvent) -> dict[str, Any]:
    if event.kind in (ConversionKind.SESSION, ConversionKind.UPGRADE):
        return {"app_ids": list(event.apps) or None}
    if event.kind is ConversionKind.CUSTOM:
        return {"custom_event_name": event.name}
    if event.kind is ConversionKind.PURCHASE and event.products:
        more = {"products": list(event.products)} if len(event.products) > 1 else {}
        return {"product": event.products[0], **more}
    return {}


def _filter(one: Any) -> dict[str, Any]:
    value = one.value
    if isinstance(value, tuple | list):
        value = [_plain(each) for each in value]
    return {"property": one.property, "op": one.op.value, "value": _plain(value)}


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, str | int | float | bool | list) else str(value)
