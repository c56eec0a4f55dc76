"""Writes definitions: as the data that a file would hold, and in the canonical form of rule 6."""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal

from afterword.model import (
    AnalysisPlan,
    Campaign,
    ConversionEvent,
    Definitions,
    Guardrail,
    PropertyFilter,
    Selection,
    Step,
    Variant,
    Worse,
)

_VERSION_DIGITS = 16


def definitions_to_data(definitions: Definitions) -> dict[str, object]:
    """Return what a JSON file of these definitions holds; `parse_definitions` reads it back."""
    data: dict[str, object] = {
        "workspace": {"timezone": definitions.workspace.timezone, "currency": definitions.workspace.currency}
    }
    for key, kind in (("campaigns", "campaign"), ("canvases", "canvas")):
        members = [_campaign_data(campaign) for campaign in definitions.campaigns if campaign.kind == kind]
        if members:
            data[key] = members
    return data


def canonical_form(campaign: Campaign) -> str:
    """Return the JSON of what decides who converts: conversion events and counting, each in one spelling.

    Names, tags, shares, channels and the order of filters, apps and products do not matter; the
    order of the conversion events does, the first is the primary. What is not restricted is left
    out, so that a kind of restriction added one day leaves the old versions as they are.
    """
    return _json(
        {
            "conversion_events": [canonical_event(event) for event in campaign.conversion_events],
            "counting": str(campaign.counting),
        }
    )


def definition_version(campaign: Campaign) -> str:
    """Return the version of a campaign's definition: the first 16 hex digits of its form's SHA-256 (rule 6)."""
    return hashlib.sha256(canonical_form(campaign).encode()).hexdigest()[:_VERSION_DIGITS]


def canonical_event(event: ConversionEvent) -> dict[str, object]:
    """Return a conversion event as canonical data."""
    fields: dict[str, object] = {
        "kind": str(event.kind),
        "deadline_seconds": event.deadline_seconds,
        "name": event.name,
        "apps": sorted(set(event.apps)),
        "products": sorted(set(event.products)),
        "where": _sorted_unique([_canonical_filter(condition) for condition in event.where]),
    }
    return _present(fields)


def _canonical_filter(condition: PropertyFilter) -> dict[str, object]:
    value = condition.value
    if isinstance(value, tuple | list):
        value = _sorted_unique([_canonical_scalar(item) for item in value])
    elif value is not None:
        value = _canonical_scalar(value)
    fields: dict[str, object] = {"property": condition.property, "op": str(condition.op)}
    return fields if value is None else {**fields, "value": value}


def _canonical_scalar(value: object) -> object:
    """Numbers are written apart from texts, `50`, `50.0` and `5e1` alike."""
    if isinstance(value, bool | str):
        return value
    return {"number": _plain_digits(Decimal(repr(value)) if isinstance(value, float) else value)}


def _plain_digits(value: object) -> str:
    text = format(value, "f") if isinstance(value, Decimal) else str(value)
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _sorted_unique(values: list[object] | list[dict[str, object]]) -> list[object]:
    # By their JSON, because Python takes 1 and True for equal.
    return [value for _, value in sorted({_json(value): value for value in values}.items())]


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


# --- the data of a file -----------------------------------------------------------------------------


def _campaign_data(campaign: Campaign) -> dict[str, object]:
    return _present(
        {
            "id": campaign.id,
            "name": campaign.name,
            "channels": _list(campaign.channels),
            "tags": _list(campaign.tags),
            "counting": str(campaign.counting),
            "steps": [_step_data(step) for step in campaign.steps],
            "variants": [_variant_data(variant) for variant in campaign.variants],
            "conversion_events": [_event_data(event) for event in campaign.conversion_events],
            "analysis": _analysis_data(campaign.analysis),
            "selection": _selection_data(campaign.selection),
        }
    )


def _selection_data(selection: Selection | None) -> dict[str, object] | None:
    """Return the settings, defaults too, so that they stay."""
    if not isinstance(selection, Selection):
        return selection  # not ours: left for the check to name
    half_life = selection.half_life_seconds
    return {
        "mode": "intelligent",
        "every": selection.every_seconds,
        "floor": _share_data(selection.floor_hundredths),
        "training_users": selection.training_users,
        "training_conversions": selection.training_conversions,
        "half_life": "never" if half_life is None else half_life,
        "automatic": selection.automatic,
    }


def _analysis_data(plan: AnalysisPlan) -> dict[str, object]:
    """Return the whole plan, defaults too: what is pinned stays, whatever the defaults of a later version are."""
    return _present(
        {
            "plan": str(plan.plan),
            "alpha": _number_data(plan.alpha),
            "smallest_effect": _percent_data(plan.smallest_effect),
            "minimum_sample": plan.minimum_sample,
            "guardrails": [_guardrail_data(one) for one in plan.guardrails],
            "winsorize": _number_data(plan.winsorize),
            "rule": str(plan.rule),
            "multiple_testing": str(plan.multiple_testing),
        }
    )


def _guardrail_data(one: Guardrail) -> dict[str, object]:
    data: dict[str, object] = {"event": str(one.event), "margin": _percent_data(one.margin)}
    return data if one.worse is Worse.LESS else {**data, "worse": str(one.worse)}


def _percent_data(fraction: object) -> object:
    # What is no decimal stays as it is, for the check to name it.
    return f"{_plain_digits(fraction * 100)}%" if isinstance(fraction, Decimal) else fraction


def _step_data(step: Step) -> dict[str, object]:
    return _present({"id": step.id, "name": step.name})


def _variant_data(variant: Variant) -> dict[str, object]:
    data = _present({"id": variant.id, "name": variant.name, "share": _share_data(variant.share_hundredths)})
    return {**data, "control": variant.control} if variant.control is not False else data


def _share_data(hundredths: object) -> object:
    # What is no integer stays as it is, for the check to name it.
    return _number_data(Decimal(hundredths) / 100) if isinstance(hundredths, int) else hundredths


def _event_data(event: ConversionEvent) -> dict[str, object]:
    return _present(
        {
            "kind": str(event.kind),
            "name": event.name,
            "apps": _list(event.apps),
            "products": _list(event.products),
            "deadline": event.deadline_seconds,
            "where": [_filter_data(condition) for condition in event.where],
        }
    )


def _filter_data(condition: PropertyFilter) -> dict[str, object]:
    value = condition.value
    if isinstance(value, tuple | list):
        value = [_number_data(item) for item in value]
    data: dict[str, object] = {"property": condition.property, "op": str(condition.op)}
    return data if value is None else {**data, "value": _number_data(value)}


def _number_data(value: object) -> object:
    """Return a decimal as a number of JSON, or spelled out where a double would lose digits."""
    if not isinstance(value, Decimal):
        return value
    if value == value.to_integral_value():
        return int(value)
    # The shortest text of a double is what JSON's readers and writers keep.
    return float(value) if Decimal(repr(float(value))) == value else {"number": format(value, "f")}


def _list(values: object) -> object:
    # A text in place of a list stays a text, for the check to name it.
    return [str(value) for value in values] if isinstance(values, tuple | list) else values


def _present(fields: dict[str, object]) -> dict[str, object]:
    """Leave out what says nothing: None, empty text, empty lists."""
    return {key: value for key, value in fields.items() if value is not None and value != "" and value != []}
