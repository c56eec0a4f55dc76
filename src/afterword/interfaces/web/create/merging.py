"""Two people at one draft: what each has changed is kept, and where both changed the same, both are shown."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from afterword.durations import describe_duration
from afterword.interfaces.web.create.form import Form
from afterword.model import Campaign
from afterword.store.campaign_forms import to_data
from afterword.store.differences import campaign_changes, mapping_changes

_DIGITS = 16
_SECONDS = ("deadline", "every", "half_life")
_CALLED = {
    "type": "Type",
    "name": "Name",
    "id": "Id",
    "channels": "Channels",
    "tags": "Tags",
    "description": "Description",
    "steps": "Steps",
    "variants": "Variants",
    "conversion_events": "Conversion events",
    "counting": "Counting",
    "analysis": "Analysis plan",
    "selection": "Intelligent Selection",
}


@dataclass(frozen=True, slots=True)
class Differing:
    """A value that two people have given differently."""

    label: str
    mine: str
    theirs: str


@dataclass(frozen=True, slots=True)
class Contested:
    """A field of the form that both have changed."""

    field: str
    label: str
    differences: Sequence[Differing]


def digest(form: Form, field: str) -> str:
    """Return a short hash of a field, by which a page knows later what it began with."""
    return hashlib.sha256(_text(getattr(form, field)).encode()).hexdigest()[:_DIGITS]


def merge(
    mine: Form, theirs: Form, fields: Sequence[str], began: Callable[[str], str], yielded: Callable[[str], bool]
) -> tuple[Form, list[Contested]]:
    """Return a form with what both have changed, mine where they differ, and the fields in which they do.

    Args:
        mine: as it was sent.
        theirs: as it is kept now.
        fields: that were sent; of all others theirs stand.
        began: the digest of a field that my page began with.
        yielded: whether theirs is to stand in a field, whatever mine is.

    """
    form, contested = theirs, []
    for field in fields:
        own, other = getattr(mine, field), getattr(theirs, field)
        if _text(own) == _text(other) or yielded(field):
            continue
        if digest(mine, field) == began(field):
            continue  # only they have changed it
        form = replace(form, **{field: own})
        if digest(theirs, field) != began(field):
            contested.append(Contested(field, _CALLED[field], differences(mine, theirs, field)))
    return form, contested


def rebased(draft: Form, base: Form, now: Form) -> Form:
    """Return a campaign as it stands now with what a draft changes: what it left alone follows the campaign."""
    changed: dict[str, Any] = {
        field: getattr(draft, field) for field in _CALLED if _text(getattr(draft, field)) != _text(getattr(base, field))
    }
    return replace(now, **changed)


def untouched(draft: Form, base: Form, campaign: Campaign) -> dict[str, Any]:
    """Return the fields of a campaign's definition that a draft left alone, as they are: a form may say less."""
    changed = {field for field in _CALLED if _text(getattr(draft, field)) != _text(getattr(base, field))}
    if "type" in changed:
        changed.add("channels")
    return {name: value for name, value in to_data(campaign).items() if name not in changed}


def differences(mine: Form, theirs: Form, field: str) -> list[Differing]:
    """Return in what two forms differ within a field."""
    own, other = ({field: msgspec.to_builtins(getattr(one, field))} for one in (mine, theirs))
    try:
        found = [(one.field, one.old, one.new) for one in mapping_changes(own, other)]
    except KeyError:  # rows without an id, or of the same id
        found = [(field, own[field], other[field])]
    return [Differing(_label(name), shown(old), shown(new)) for name, old, new in found]


def differing_definitions(old: Campaign, new: Campaign) -> list[Differing]:
    """Return in what two definitions of a campaign differ; `mine` is new, `theirs` is old."""
    return [
        Differing(_label(one.field), shown(one.new, _leaf(one.field)), shown(one.old, _leaf(one.field)))
        for one in campaign_changes(old, new)
    ]


def _label(name: str) -> str:
    first, dot, rest = name.partition(".")
    return _CALLED.get(first, first) + (f": {rest.replace('.', ', ').replace('_', ' ')}" if dot else "")


def shown(value: object, name: str = "") -> str:
    """Return a value of a form or a definition as people read it; nothing is a dash.

    Args:
        value: of the field.
        name: of the field; lengths of time are in seconds there.

    """
    if value is None or value in ("", [], ()):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and name in _SECONDS:
        return describe_duration(value)
    if isinstance(value, dict):
        said = {key: one for key, one in value.items() if one not in ("", [], None)}
        return ", ".join(f"{key.replace('_', ' ')} {shown(one, key)}" for key, one in said.items())
    if isinstance(value, list | tuple):
        return "; ".join(shown(one, name) for one in value)
    return str(value)


def _leaf(field: str) -> str:
    return field.rpartition(".")[2]


def _text(value: object) -> str:
    return json.dumps(msgspec.to_builtins(value), sort_keys=True)
