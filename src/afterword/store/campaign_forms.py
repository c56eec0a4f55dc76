"""A campaign as JSON in the form of a definition file, and back."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from afterword.intake.definitions import definitions_to_data, parse_definitions
from afterword.model import Campaign, Definitions

_LISTS = {"campaign": "campaigns", "canvas": "canvases"}
_VERSIONED = ("counting", "conversion_events")


def to_data(campaign: Campaign) -> dict[str, Any]:
    """Return the campaign's entry of a definition file."""
    data: Any = definitions_to_data(Definitions(campaigns=(campaign,)))
    entry: dict[str, Any] = data[_LISTS[campaign.kind]][0]
    return entry


def to_document(campaign: Campaign) -> str:
    """Return the campaign's entry as JSON text. It is ASCII, so that any database can hold it."""
    return json.dumps(to_data(campaign))


def from_document(kind: str, data: object) -> Campaign:
    """Return the campaign of an entry."""
    [campaign] = parse_definitions({_LISTS[kind]: [data]}, "metadata").campaigns
    return campaign


def versioned_document(campaign: Campaign) -> str:
    """Return what makes a version (rule 6), conversion events and counting, as JSON text."""
    data = to_data(campaign)
    return json.dumps({name: data[name] for name in _VERSIONED if name in data})


def with_version(campaign: Campaign, document: str) -> Campaign:
    """Return the campaign with the conversion events and counting of another version."""
    data = {name: value for name, value in to_data(campaign).items() if name not in _VERSIONED}
    found = data | json.loads(document)
    if "conversion_events" not in found:  # then there was nothing by which shares could be chosen
        found.pop("selection", None)
    return from_document(campaign.kind, found)


def with_shares(campaign: Campaign, shares: dict[str, int]) -> Campaign:
    """Return the campaign with other shares, in hundredths of a percent; a variant not named had none."""
    variants = tuple(replace(v, share_hundredths=shares.get(v.id, 0)) for v in campaign.variants)
    return replace(campaign, variants=variants)
