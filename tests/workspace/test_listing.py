"""The users behind a number: as many as it says, and the right ones (rule 38)."""

from __future__ import annotations

from typing import Any

import pytest

import afterword
from tests.extent import part
from tests.workspace.worlds import VARIANTS, run_world

STATES = ("converted", "pending", "not_converted")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> afterword.Results:
    return run_world(tmp_path_factory.mktemp("world"))


def rows_of(campaign: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    totals = [(name, campaign[name]) for name in ("total", "total_with_control")]
    return [*((row["id"], row) for row in campaign["variants"]), *totals]


@pytest.mark.sampled(3)
@pytest.mark.parametrize("campaign", list(VARIANTS))
def test_lists_are_as_long_as_the_numbers_of_the_report(results: afterword.Results, campaign: str) -> None:
    report = results.report(campaign).json
    letters = [event["letter"] for event in report["conversion_events"]]
    numbers, seen = {}, {}
    for number, (variant, row) in enumerate(rows_of(report)):
        for place, letter in enumerate(letters):
            for state in part(STATES, 3, number + place):
                found = results.users(campaign, variant=variant, event=letter, state=state)
                assert len({tuple(unit.items()) for unit in found}) == len(found)
                numbers[variant, letter, state] = row["conversions"][letter][state]
                seen[variant, letter, state] = len(found)
        assert len(results.users(campaign, variant=variant, state="exposed")) == row["exposed"]
    assert seen == numbers
    assert {state for (_, _, state), number in numbers.items() if number} == set(STATES)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("campaign", list(VARIANTS))
def test_parts_of_the_converted_are_as_many_as_the_report_says(results: afterword.Results, campaign: str) -> None:
    report = results.report(campaign).json
    letters = [event["letter"] for event in report["conversion_events"]]
    numbers, seen = {}, {}
    for number, (variant, row) in enumerate(rows_of(report)):
        for place, letter in enumerate(letters):
            marks = {mark: row["conversions"][letter][mark] for mark in ("after_open", "after_click")}
            also = {f"also_{other.lower()}": n for other, n in row["also_converted"][letter].items()}
            for state, counted in part(list({**marks, **also}.items()), 3, number + place):
                numbers[variant, letter, state] = counted
                seen[variant, letter, state] = len(results.users(campaign, variant=variant, event=letter, state=state))
    assert seen == numbers
    assert any(numbers.values()) == (len(letters) > 1)  # the one with a single event has no opens either


@pytest.mark.parametrize("campaign", list(VARIANTS))
def test_who_is_listed_as_converted_is_who_has_a_conversion(results: afterword.Results, campaign: str) -> None:
    units = {"per-user": "user_id", "per-channel": "user_id, channel", "per-exposure": "user_id, exposure_id"}[campaign]
    rows = results.conversions.filter(f"campaign_id = '{campaign}' AND conversion_event = 'A'").project(units)
    listed = [tuple(unit.values()) for unit in results.users(campaign)]
    assert sorted(listed) == sorted(rows.fetchall())
    assert listed


@pytest.mark.parametrize(
    ("state", "channel", "mistake"),
    [
        ("outcome:snet", "", 'unknown outcome "snet", must be one of .* did you mean "sent"'),
        ("reported:open", "", 'unknown event of a message "open"'),
        ("reported:message_open", "", "only a server lists"),
        ("received:thre", "", 'unknown step "thre"'),
        ("converted", "mail", 'unknown channel "mail", must be one of none, email'),
        ("exposures", "email", "cannot be narrowed"),
    ],
)
def test_what_cannot_be_listed_is_refused(results: afterword.Results, state: str, channel: str, mistake: str) -> None:
    with pytest.raises(afterword.UserError, match=mistake):
        results.users("per-exposure", state=state, channel=channel)


def test_what_is_listed_depends_on_the_counting(results: afterword.Results) -> None:
    columns = {campaign: list(results.users(campaign)[0]) for campaign in VARIANTS}
    assert columns == {
        "per-user": ["user_id"],
        "per-channel": ["user_id", "channel"],
        "per-exposure": ["user_id", "exposure_id"],
    }


def test_verdicts_agree_with_the_conversions(results: afterword.Results) -> None:
    for campaign in VARIANTS:
        known = results.conversions.filter(f"campaign_id = '{campaign}' AND user_id = 'u-1'")
        story = results.explain(campaign, user="u-0")
        told = [
            (each.conversion_event, each.exposure_id, each.event_id)
            for each in story.verdicts
            if each.verdict == "converted"
        ]
        assert sorted(told) == sorted(known.project("conversion_event, exposure_id, event_id").fetchall())


@pytest.mark.parametrize("state", ["convert", "", "not"])
def test_unknown_state_is_refused(results: afterword.Results, state: str) -> None:
    with pytest.raises(afterword.UserError, match="must be one of converted, pending, not_converted, exposed"):
        results.users("per-user", state=state)


def test_who_nobody_knows_was_never_exposed(results: afterword.Results) -> None:
    story = results.explain("per-user", user="u-999")
    assert set(story.overall.values()) == {"not_exposed"}
    assert story.unknown is not None
    assert story.unknown.startswith('there is no fact about a user "u-999", did you mean "u-')
    assert results.explain("per-user", user="u-0").unknown is None
