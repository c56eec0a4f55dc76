"""Rules 1-4 and 31: what campaigns, Canvases and conversion events may say."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.intake.definition_data import (
    EXAMPLE,
    Data,
    Edit,
    campaign_data,
    canvas_data,
    change,
    drop,
    load,
    parse,
    problems_of,
    shares,
)

EVENT = {"kind": "session", "deadline": 1}


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        pytest.param(drop("id"), "campaigns[0].id: id is missing", id="no-id"),
        pytest.param(change("id", to=None), "campaigns[0].id: id is missing", id="null-id"),
        pytest.param(change("id", to=""), "campaigns[0].id: id is empty", id="empty-id"),
        pytest.param(change("id", to=True), "campaigns[0].id: id is true, must be text", id="bool-id"),
        pytest.param(change("id", to=1.5), "campaigns[0].id: id is 1.5, must be text", id="float-id"),
        pytest.param(change("id", to=["c"]), "campaigns[0].id: id is a list, must be text", id="list-id"),
        pytest.param(
            change("id", to="x" * 256),
            f'campaigns[0] "{"x" * 57}..." id: id has 256 characters, at most 255 are allowed',
            id="long-id",
        ),
        pytest.param(change("id", to="\ud800"), 'campaigns[0] "�" id: id is not valid Unicode', id="surrogate"),
        pytest.param(
            change("variant", to=[]), 'campaigns[0] "c": unknown key "variant", did you mean "variants"?', id="unknown"
        ),
        pytest.param(
            change("zzz", to=1),
            'campaigns[0] "c": unknown key "zzz", known are id, name, channels, tags, counting, steps, variants, '
            "conversion_events, analysis, selection",
            id="unknown-and-unlike-any",
        ),
        pytest.param(change("name", to={}), 'campaigns[0] "c" name: name is a mapping, must be text', id="name"),
        pytest.param(
            change("channels", to="email"),
            'campaigns[0] "c" channels: channels is "email", must be a list of names',
            id="channels-no-list",
        ),
        pytest.param(
            change("channels", to=["emial"]),
            'campaigns[0] "c" channels[0]: unknown channel "emial", did you mean "email"?',
            id="unknown-channel",
        ),
        pytest.param(change("tags", to=[True]), 'campaigns[0] "c" tags[0]: an item is true, must be text', id="tag"),
        pytest.param(
            change("counting", to="once_per_usr"),
            'campaigns[0] "c" counting: unknown counting "once_per_usr", did you mean "once_per_user"?',
            id="counting",
        ),
        pytest.param(
            lambda data: data.update(counting="once_per_channel", channels=[]),
            'campaigns[0] "c" counting: once_per_channel needs at least one channel in channels',
            id="once-per-channel-without-channels",
        ),
        pytest.param(
            change("steps", to=[{"id": "s"}]),
            'campaigns[0] "c" steps: a campaign has no steps; with steps it is a Canvas and belongs under "canvases"',
            id="steps-of-a-campaign",
        ),
        pytest.param(
            drop("variants"), 'campaigns[0] "c" variants: a campaign needs at least one variant', id="no-variants"
        ),
        pytest.param(
            change("variants", to=[]), 'campaigns[0] "c" variants: a campaign needs at least one variant', id="none"
        ),
        pytest.param(
            change("variants", to=["a"]),
            'campaigns[0] "c" variants[0]: is "a", must be a mapping of id, name, share, control',
            id="variant-no-mapping",
        ),
        pytest.param(
            drop("variants", 1, "id"), 'campaigns[0] "c" variants[1].id: id is missing', id="variant-without-id"
        ),
        pytest.param(
            change("variants", 1, "id", to="a"),
            'campaigns[0] "c" variants[1] "a" id: id "a" is taken by campaigns[0] "c" variants[0] "a"',
            id="variant-twice",
        ),
        pytest.param(
            change("variants", 2, "control", to="yes"),
            'campaigns[0] "c" variants[2] "control" control: control is "yes", must be true or false',
            id="control-no-bool",
        ),
        pytest.param(
            change("variants", 1, "control", to=True),
            'campaigns[0] "c" variants: 2 variants are control, at most 1 is allowed',
            id="two-controls",
        ),
        pytest.param(
            change("variants", to=[{"id": "control", "control": True}]),
            'campaigns[0] "c" variants: a campaign needs at least one variant that is not control',
            id="only-control",
        ),
        pytest.param(
            change("variants", to=shares(*[11] * 8, 12)),
            'campaigns[0] "c" variants: there are 9 variants without control, at most 8 are allowed',
            id="nine-variants",
        ),
        pytest.param(
            change("variants", to=shares(49, 50)),
            'campaigns[0] "c" variants: shares sum to 99, must sum to 100',
            id="shares-sum-to-99",
        ),
        pytest.param(
            change("variants", to=shares(33.33, 33.33, 33.33)),
            'campaigns[0] "c" variants: shares sum to 99.99, must sum to 100',
            id="shares-sum-to-99.99",
        ),
        pytest.param(
            change("variants", to=shares(99)),
            'campaigns[0] "c" variants: shares sum to 99, must sum to 100',
            id="single-share",
        ),
        pytest.param(
            drop("variants", 0, "share"),
            'campaigns[0] "c" variants[0] "a" share: share is missing; only a single variant can do without',
            id="share-missing",
        ),
        pytest.param(
            change("variants", 0, "share", to=45.001),
            'campaigns[0] "c" variants[0] "a" share: share is 45.001, must have at most two decimals',
            id="three-decimals",
        ),
        pytest.param(
            change("variants", 0, "share", to=-1),
            'campaigns[0] "c" variants[0] "a" share: share is -1, must be from 0 to 100',
            id="negative-share",
        ),
        pytest.param(
            change("variants", 0, "share", to=101),
            'campaigns[0] "c" variants[0] "a" share: share is 101, must be from 0 to 100',
            id="share-over-100",
        ),
        pytest.param(
            change("variants", 0, "share", to="45%"),
            'campaigns[0] "c" variants[0] "a" share: share is "45%", must be a percentage such as 45 or 12.5',
            id="share-as-text",
        ),
        pytest.param(
            change("variants", 0, "share", to=True),
            'campaigns[0] "c" variants[0] "a" share: share is true, must be a percentage such as 45 or 12.5',
            id="share-is-bool",
        ),
        pytest.param(
            change("conversion_events", to=[EVENT] * 5),
            'campaigns[0] "c" conversion_events: there are 5 conversion events, at most 4 are allowed',
            id="fifth-conversion-event",
        ),
        pytest.param(
            change("conversion_events", to={"A": EVENT}),
            'campaigns[0] "c" conversion_events: conversion_events is a mapping, must be a list of mappings',
            id="conversion-events-no-list",
        ),
    ],
)
def test_wrong_campaign_is_refused_with_place_and_bound(edit: Edit, problem: str) -> None:
    data = campaign_data()
    edit(data)
    assert problems_of({"campaigns": [data]}) == (problem,)


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        pytest.param(drop("steps"), 'canvases[0] "w" steps: a Canvas needs at least one step', id="no-steps"),
        pytest.param(
            change("steps", to=[]), 'canvases[0] "w" steps: a Canvas needs at least one step', id="empty-steps"
        ),
        pytest.param(
            change("steps", 1, "id", to="s1"),
            'canvases[0] "w" steps[1] "s1" id: id "s1" is taken by canvases[0] "w" steps[0] "s1"',
            id="step-twice",
        ),
        pytest.param(drop("steps", 1, "id"), 'canvases[0] "w" steps[1].id: id is missing', id="step-without-id"),
        pytest.param(
            change("steps", 0, "nam", to="x"),
            'canvases[0] "w" steps[0] "s1": unknown key "nam", did you mean "name"?',
            id="unknown-key-of-a-step",
        ),
        pytest.param(
            lambda data: data.update(counting="once_per_channel", channels=["email"]),
            'canvases[0] "w" counting: once_per_channel is refused for a Canvas, must be once_per_user or '
            "once_per_exposure",
            id="once-per-channel",
        ),
        pytest.param(
            drop("variants"), 'canvases[0] "w" variants: a Canvas needs at least one variant', id="no-variants"
        ),
    ],
)
def test_wrong_canvas_is_refused(edit: Edit, problem: str) -> None:
    data = canvas_data()
    edit(data)
    assert problems_of({"canvases": [data]}) == (problem,)


@pytest.mark.parametrize(
    ("workspace", "problem"),
    [
        pytest.param({"timezone": "Mars"}, 'workspace.timezone: unknown time zone "Mars"', id="time-zone"),
        pytest.param({"timezone": "../UTC"}, 'workspace.timezone: unknown time zone "../UTC"', id="path"),
        pytest.param({"currency": "EU"}, 'workspace.currency: currency is "EU"', id="currency"),
        pytest.param({"curency": "EUR"}, 'workspace: unknown key "curency", did you mean "currency"?', id="unknown"),
        pytest.param(5, "workspace: is 5, must be a mapping of timezone, currency", id="no-mapping"),
    ],
)
def test_wrong_workspace_is_refused(workspace: object, problem: str) -> None:
    (found,) = problems_of({"workspace": workspace})
    assert found.startswith(problem)


def test_ids_are_unique_across_campaigns_and_canvases() -> None:
    data = {"campaigns": [campaign_data(), campaign_data()], "canvases": [{**canvas_data(), "id": "c"}]}
    assert problems_of(data) == (
        'campaigns[1] "c" id: id "c" is taken by campaigns[0] "c"',
        'canvases[0] "c" id: id "c" is taken by campaigns[0] "c"',
    )


@pytest.mark.parametrize(
    "percentages", [(33.33, 33.33, 33.34), (0, 100), (12.5,) * 8], ids=["two-decimals", "none-and-all", "eight"]
)
def test_shares_that_sum_to_100_are_accepted(percentages: tuple[float, ...]) -> None:
    data = campaign_data()
    data["variants"] = shares(*percentages)
    hundredths = [variant.share_hundredths for variant in parse(data).campaigns[0].variants]
    assert hundredths == [round(percentage * 100) for percentage in percentages]
    assert sum(hundredths) == 10_000


def test_eight_variants_and_a_control_are_accepted() -> None:
    data = campaign_data()
    data["variants"] = [*shares(*[12] * 8), {"id": "control", "control": True, "share": 4}]
    assert len(parse(data).campaigns[0].variants) == 9


def test_names_default_to_ids() -> None:
    campaign = parse(canvas=canvas_data()).campaigns[0]
    assert (campaign.name, campaign.variants[0].name, campaign.steps[1].name) == ("w", "only", "s2")


def test_revenue_window_is_the_primarys_or_three_days() -> None:
    assert parse(campaign_data()).campaigns[0].revenue_window_seconds == 3_600
    assert parse(canvas=canvas_data()).campaigns[0].revenue_window_seconds == 259_200


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        pytest.param({}, ".kind: kind is missing, must be one of session, purchase, custom", id="no-kind"),
        pytest.param({"kind": "purchas"}, '.kind: unknown kind "purchas", did you mean "purchase"?', id="unknown-kind"),
        pytest.param({"kind": "refund"}, '.kind: unknown kind "refund", must be one of session', id="refund-is-none"),
        pytest.param({"kind": 5.5}, ".kind: kind is 5.5, must be one of session", id="kind-is-a-number"),
        pytest.param({"kind": "custom"}, ".name: name is missing, a custom event needs the name", id="custom-no-name"),
        pytest.param({"kind": "custom", "name": " "}, ".name: name is empty", id="custom-blank-name"),
        pytest.param(
            {"kind": "session", "name": "x"}, ".name: name does not belong to kind session, only to custom", id="name"
        ),
        pytest.param(
            {"kind": "purchase", "apps": ["ios"]},
            ".apps: apps does not belong to kind purchase, only to session and upgrade",
            id="apps-of-a-purchase",
        ),
        pytest.param(
            {"kind": "message_open", "products": ["p"]},
            ".products: products does not belong to kind message_open, only to purchase",
            id="products-of-an-open",
        ),
        pytest.param(
            {"kind": "session", "apps": "ios"}, '.apps: apps is "ios", must be a list of texts', id="apps-no-list"
        ),
        pytest.param(
            {"kind": "session", "apps": [None]}, ".apps[0]: an item is nothing, must be text", id="app-no-text"
        ),
        pytest.param(
            {"kind": "purchase", "product": ["p"]},
            ': unknown key "product", did you mean "products"?',
            id="unknown-key",
        ),
        pytest.param(
            {"kind": "session", "where": [5]}, ".where[0]: is 5, must be a mapping of property, op, value", id="where"
        ),
    ],
)
def test_wrong_conversion_event_is_refused(fields: Data, problem: str) -> None:
    data = {"id": "c", "variants": [{"id": "a"}], "conversion_events": [{"deadline": 1, **fields}]}
    (found,) = problems_of({"campaigns": [data]})
    assert found.startswith('campaigns[0] "c" conversion_events[0]' + problem)


@pytest.mark.parametrize(
    ("deadline", "problem"),
    [
        pytest.param(None, "deadline is missing, must be from 1 second to 30 days", id="missing"),
        pytest.param(0, "deadline is 0 seconds, must be at least 1 second", id="zero"),
        pytest.param("31 days", "deadline is 31 days, must be at most 30 days", id="31-days"),
        pytest.param("1 month", '"1 month" names a month, whose length is not fixed: use days', id="month"),
        pytest.param(0.5, '"0.5" is not a whole number of seconds', id="fraction"),
        pytest.param(True, "deadline is true, must be a duration such as 3 days", id="bool"),
        pytest.param([], "deadline is a list, must be a duration such as 3 days", id="list"),
    ],
)
def test_wrong_deadline_is_refused_never_clamped(deadline: object, problem: str) -> None:
    event = {"kind": "session", "deadline": deadline}
    (found,) = problems_of({"campaigns": [{"id": "c", "variants": [{"id": "a"}], "conversion_events": [event]}]})
    assert found == f'campaigns[0] "c" conversion_events[0].deadline: {problem}'


@pytest.mark.parametrize(
    "written", ["3 days", "72 hours", "P3D", "PT4320M", "259200", '"259200"', "259200.0", "2 days 24 hours"]
)
def test_deadline_is_read_in_every_spelling(tmp_path: Path, written: str) -> None:
    text = EXAMPLE.replace("{kind: purchase, deadline: 3 days}", f"{{kind: purchase, deadline: {written}}}")
    assert load(tmp_path, text).campaigns[0].conversion_events[0].deadline_seconds == 259_200
