"""What applying definitions would do, field by field, before it is done."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from afterword.model import LETTERS, Campaign
from afterword.store.campaign_forms import to_data

WORKSPACE = "workspace"


class Action(StrEnum):
    """What happens to a campaign or to the settings."""

    CREATED = "created"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field with its old and new value, in the form of a definition file; None where there is none."""

    field: str
    """Such as `name`, `variants.a.share`, `conversion_events.B`."""
    old: object
    new: object


@dataclass(frozen=True, slots=True)
class Difference:
    """What happens to one campaign or Canvas, or to the workspace's settings."""

    kind: str
    """`campaign`, `canvas` or `workspace`."""
    id: str
    """Empty for the settings."""
    action: Action
    changes: tuple[FieldChange, ...] = ()
    launches: bool = False
    """Whether it begins to run."""
    version: str | None = None
    """Of the definition afterwards (rule 6); None for the settings."""
    replaces: str | None = None
    """The version that stood so far, where a launched campaign gets another: its results are computed again."""

    @property
    def does_something(self) -> bool:
        """Whether anything is different afterwards."""
        return self.action is not Action.UNCHANGED or self.launches


def campaign_changes(old: Campaign, new: Campaign) -> tuple[FieldChange, ...]:
    """Return the fields in which two definitions of one campaign differ."""
    return tuple(mapping_changes(to_data(old), to_data(new)))


def mapping_changes(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> Iterator[FieldChange]:
    """Yield the fields in which two mappings differ; lists of mappings are compared item by item."""
    for name in [*old, *(name for name in new if name not in old)]:
        before, after = old.get(name), new.get(name)
        if not _same(before, after):
            field = f"{prefix}{name}"
            if _is_items(before) or _is_items(after):
                yield from _item_changes(_by_label(field, before or []), _by_label(field, after or []), field)
            else:
                yield FieldChange(field, before, after)


def _same(before: object, after: object) -> bool:
    # As texts, since Python takes 1 and True for equal.
    return json.dumps(before) == json.dumps(after)


def _is_items(value: object) -> bool:
    return isinstance(value, list) and any("id" in item or "kind" in item for item in value if isinstance(item, dict))


def _by_label(field: str, items: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Conversion events go by their letters, all else by its id."""
    if field == "conversion_events":
        return dict(zip(LETTERS, items, strict=False))
    return {item["id"]: item for item in items}


def _item_changes(old: dict[str, dict[str, Any]], new: dict[str, dict[str, Any]], field: str) -> Iterator[FieldChange]:
    for label in [*old, *(label for label in new if label not in old)]:
        before, after = old.get(label), new.get(label)
        if before is None or after is None:
            yield FieldChange(f"{field}.{label}", before, after)
        else:
            yield from mapping_changes(before, after, f"{field}.{label}.")
    if list(old) != list(new) and sorted(old) == sorted(new):
        yield FieldChange(f"{field} (order)", list(old), list(new))
