"""Conversions by channel and by attribute: groups sum to the report where nobody is in two."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from afterword.errors import UserError
from afterword.model import Campaign, ConversionEvent, ConversionKind, Definitions, Variant, Workspace
from afterword.workspace.listing import Narrow
from tests.oracle_facts import EventFact, ExposureFact, Fact
from tests.oracle_people import MergeFact
from tests.workspace.live_world import LiveWorld
from tests.workspace.test_crediting import NOW, bought, exposed

PURCHASE = ConversionEvent(ConversionKind.PURCHASE, 30 * 86_400)
VARIANTS = (Variant("a", 9_000), Variant("control", 1_000, control=True))
DEFINITIONS = Definitions(Workspace("UTC", "USD"), (Campaign("c", "campaign", "c", VARIANTS, (PURCHASE,)),))


def world(directory: Path, countries: dict[str, str], merges: Sequence[MergeFact] = ()) -> LiveWorld:
    """Ann and bob got a mail, cleo a push, dan is control; ann and dan bought."""
    made = LiveWorld(directory)
    channels = {"a": "email", "b": "email", "c": "push"}
    exposures = [exposed("c", 3, user, channel=channel) for user, channel in channels.items()]
    events: list[EventFact] = [bought(1, "a"), bought(1, "d")]
    control: ExposureFact = exposed("c", 3, "d", variant="control")
    facts: list[Fact] = [*exposures, control, *events]
    made.load(facts, merges)
    for item, (user, country) in enumerate(countries.items()):
        made.con.execute(
            "INSERT INTO attributes VALUES (?, 'country', ?, ?, ?, 0)", [user, json.dumps(country), 1, item]
        )
    made.live.refresh(DEFINITIONS, as_of=NOW)
    return made


def cells(found: dict[str, Any]) -> dict[str | None, dict[str, tuple[int, int]]]:
    return {
        group["value"]: {name: (one["exposed"], one["converted"]) for name, one in group["variants"].items()}
        for group in found["groups"]
    }


def listed(made: LiveWorld, attribute: str = "", values: Sequence[str | None] = ()) -> dict[Any, Any]:
    """What `cells` says, by those who are behind each number."""

    def users(variant: str, state: str, value: str | None) -> int:
        narrow = Narrow("", attribute, value) if attribute else Narrow(value or "none")
        return len(made.live.users(DEFINITIONS, NOW, "c", variant, "A", state, narrow))

    return {
        value: {one.id: (users(one.id, "exposed", value), users(one.id, "converted", value)) for one in VARIANTS}
        for value in values
    }


def test_by_channel(tmp_path: Path) -> None:
    made = world(tmp_path, {})
    found = made.live.breakdown(DEFINITIONS, NOW, "c", "A", "channel")
    assert listed(made, values=("email", "push", None)) == cells(found)
    assert cells(found) == {
        "email": {"a": (2, 1), "control": (0, 0)},
        "push": {"a": (1, 0), "control": (0, 0)},
        None: {"a": (0, 0), "control": (1, 1)},
    }
    assert found["groups"][0]["variants"]["a"]["rate"] == 0.5
    assert found["groups"][0]["variants"]["control"]["rate"] is None


def test_by_an_attribute_of_any_id_of_the_person(tmp_path: Path) -> None:
    countries = {"a": "DE", "b": "AT", "other": "CH", "d": "DE"}
    made = world(tmp_path, countries, [MergeFact("other", "b")])
    found = made.live.breakdown(DEFINITIONS, NOW, "c", "A", "attribute:country")
    assert listed(made, "country", ("DE", "CH", None)) == cells(found)
    assert cells(found) == {
        "DE": {"a": (1, 1), "control": (1, 1)},
        "CH": {"a": (1, 0), "control": (0, 0)},
        None: {"a": (1, 0), "control": (0, 0)},
    }


@pytest.mark.parametrize(("letter", "by"), [("B", "channel"), ("A", "country"), ("A", "attribute:")])
def test_what_is_not_there_is_refused(letter: str, by: str, tmp_path: Path) -> None:
    with pytest.raises(UserError):
        world(tmp_path, {}).live.breakdown(DEFINITIONS, NOW, "c", letter, by)
