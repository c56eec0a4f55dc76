from __future__ import annotations

from typing import Any

import pytest

from afterword.errors import DefinitionError
from afterword.intake.definitions import definition_version, definitions_to_data, parse_definitions
from afterword.model import Campaign, Definitions, Selection


def data(selection: object, **changes: Any) -> dict[str, Any]:
    campaign = {
        "id": "weekly",
        "variants": [
            {"id": "a", "share": 45},
            {"id": "b", "share": 45},
            {"id": "control", "share": 10, "control": True},
        ],
        "conversion_events": [{"kind": "purchase", "deadline": "3 days"}],
        "selection": selection,
    }
    return {"campaigns": [campaign | changes]}


def read(selection: object, **changes: Any) -> Campaign:
    return parse_definitions(data(selection, **changes), "file").campaigns[0]


def problems(selection: object, **changes: Any) -> list[str]:
    with pytest.raises(DefinitionError) as caught:
        read(selection, **changes)
    return list(caught.value.problems)


def test_the_mode_alone_means_the_defaults() -> None:
    assert read({"mode": "intelligent"}).selection == Selection(43_200, 100, 250, 25, 45 * 86_400, True)


@pytest.mark.parametrize("selection", [None, {"mode": "fixed"}])
def test_without_it_shares_are_fixed(selection: object) -> None:
    assert read(selection).selection is None


def test_everything_can_be_said() -> None:
    said = {
        "mode": "intelligent",
        "every": "1 hour",
        "floor": 2.5,
        "training_users": 1000,
        "training_conversions": 50,
        "half_life": "never",
        "automatic": False,
    }
    assert read(said).selection == Selection(3600, 250, 1000, 50, None, False)


def test_it_is_written_as_it_is_read() -> None:
    campaign = read({"mode": "intelligent", "every": "6 hours", "half_life": "never", "floor": 0.5, "automatic": False})
    written = definitions_to_data(Definitions(campaigns=(campaign,)))
    assert parse_definitions(written, "file").campaigns == (campaign,)


def test_it_is_no_part_of_the_version() -> None:
    assert definition_version(read({"mode": "intelligent"})) == definition_version(read(None))


@pytest.mark.parametrize(
    ("selection", "problem"),
    [
        ({}, "mode: mode is missing, must be one of intelligent, fixed"),
        ({"mode": "clever"}, 'mode: unknown mode "clever", must be one of intelligent, fixed'),
        ({"mode": "intelligent", "every": "59 minutes"}, "every: every is 59 minutes, must be from 1 hour to 30 days"),
        (
            {"mode": "intelligent", "every": True},
            "every: every is true, must be a duration such as 12 hours",
        ),
        ({"mode": "intelligent", "every": 1.5}, 'every: every: "1.5" is not a whole number of seconds'),
        ({"mode": "intelligent", "every": "soon"}, 'every: every: "soon" is not a duration, write it like'),
        (
            {"mode": "intelligent", "half_life": [1]},
            "half_life: half_life is a list, must be a duration such as 30 days, or never",
        ),
        ({"mode": "intelligent", "floor": 0}, "floor: floor is 0, must be above 0 and at most 50, the equal share"),
        ({"mode": "intelligent", "floor": 51}, "floor: floor is 51, must be above 0 and at most 50, the equal share"),
        ({"mode": "intelligent", "floor": 1.234}, "floor: floor is 1.234, must have at most two decimals"),
        (
            {"mode": "intelligent", "training_users": 5},
            "training_users: training_users is 5, must be a whole number from 10 to 10,000,000",
        ),
        (
            {"mode": "intelligent", "half_life": "1 hour"},
            "half_life: half_life is 1 hour, must be from 1 day to 3650 days",
        ),
        (
            {"mode": "fixed", "floor": 1},
            "floor: floor belongs to mode intelligent, with fixed shares it has no meaning",
        ),
        ("on", 'selection is "on", must be a mapping of mode, every, floor, training_users'),
    ],
)
def test_what_is_wrong_is_said(selection: object, problem: str) -> None:
    (found,) = problems(selection)
    assert problem in found


def test_there_must_be_something_to_choose_from_and_to_choose_by() -> None:
    single = problems({"mode": "intelligent"}, variants=[{"id": "a"}])
    assert any("intelligent needs at least two variants with a message" in one for one in single)
    blind = problems({"mode": "intelligent"}, conversion_events=[])
    assert any("intelligent needs a conversion event" in one for one in blind)
    unread = problems({"mode": "intelligent"}, conversion_events=[{"kind": "purchase", "deadline": True}])
    assert [one.partition(" conversion")[2] for one in unread] == [
        "_events[0].deadline: deadline is true, must be a duration such as 3 days"
    ]
