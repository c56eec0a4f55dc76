"""Definitions that are right, and ways to spoil them in one place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from afterword.errors import DefinitionError
from afterword.intake.definitions import (
    load_definitions,
    parse_definitions,
)
from afterword.model import (
    Definitions,
    PropertyFilter,
)

Data = dict[str, Any]
Edit = Callable[[Data], object]

EXAMPLE = """
workspace: {timezone: Europe/Berlin, currency: EUR}
campaigns:
  - id: cart-rescue
    name: Cart rescue
    channels: [email]
    tags: [holiday]
    counting: once_per_user
    variants:
      - {id: a, name: Your cart is waiting, share: 45}
      - {id: b, name: Free shipping, share: 45}
      - {id: control, control: true, share: 10}
    conversion_events:
      - {kind: purchase, deadline: 3 days}
      - {kind: custom, name: added_to_cart, deadline: 1 day, where: [{property: cart.total, op: ">=", value: 50}]}
      - {kind: session, apps: [ios], deadline: 2 days}
      - {kind: upgrade, deadline: 7 days}
canvases:
  - id: welcome
    steps: [{id: hello}, {id: tips, name: Tips}]
    variants: [{id: only}]
    conversion_events: [{kind: message_click, deadline: PT90M}]
"""


def campaign_data() -> Data:
    """A campaign with everything, to be spoiled in one place."""
    return {
        "id": "c",
        "channels": ["email", "push"],
        "tags": ["t"],
        "counting": "once_per_user",
        "variants": [
            {"id": "a", "share": 45},
            {"id": "b", "share": 45},
            {"id": "control", "control": True, "share": 10},
        ],
        "conversion_events": [
            {"kind": "purchase", "products": ["p-1", "p-2"], "deadline": 3600},
            {
                "kind": "custom",
                "name": "seen",
                "deadline": "1 day",
                "where": [
                    {"property": "n", "op": ">", "value": 50},
                    {"property": "$app_id", "op": "in", "value": ["x", "y"]},
                ],
            },
            {"kind": "session", "apps": ["ios", "web"], "deadline": 60},
        ],
    }


def canvas_data() -> Data:
    return {"id": "w", "steps": [{"id": "s1"}, {"id": "s2"}], "variants": [{"id": "only"}]}


def parse(campaign: Data | None = None, canvas: Data | None = None) -> Definitions:
    data: Data = {"campaigns": [campaign] if campaign else [], "canvases": [canvas] if canvas else []}
    return parse_definitions(data, "test")


def problems_of(data: object) -> tuple[str, ...]:
    with pytest.raises(DefinitionError) as caught:
        parse_definitions(data, "test")
    return caught.value.problems


def load(tmp_path: Path, text: str, name: str = "campaigns.yaml") -> Definitions:
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    return load_definitions(file)


def filter_data(**fields: object) -> Data:
    event = {"kind": "session", "deadline": 1, "where": [fields]}
    return {"id": "c", "variants": [{"id": "a"}], "conversion_events": [event]}


def read_filter(**fields: object) -> PropertyFilter:
    return parse(filter_data(**fields)).campaigns[0].conversion_events[0].where[0]


def shares(*shares: object) -> list[Data]:
    return [{"id": f"v{index}", "share": share} for index, share in enumerate(shares)]


def change(*path: Any, to: object) -> Edit:
    def edit(data: Data) -> None:
        target: Any = data
        for key in path[:-1]:
            target = target[key]
        target[path[-1]] = to

    return edit


def drop(*path: Any) -> Edit:
    def edit(data: Data) -> None:
        target: Any = data
        for key in path[:-1]:
            target = target[key]
        del target[path[-1]]

    return edit
