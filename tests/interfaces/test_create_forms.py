"""Forms of campaigns: they say what a definition says, and what several people typed goes together."""

from __future__ import annotations

from dataclasses import replace

import pytest

from afterword.intake.definitions import parse_definitions
from afterword.interfaces.web.create.changes import do
from afterword.interfaces.web.create.defining import check
from afterword.interfaces.web.create.form import EventForm, Form, Kept, VariantForm, form_of, new_form
from afterword.interfaces.web.create.merging import digest, merge, untouched
from afterword.interfaces.web.create.reading import id_from
from afterword.model import Campaign
from afterword.store.campaign_forms import to_data
from afterword.store.campaign_rules import Status
from afterword.store.campaigns import StoredCampaign

WHERE = [
    {"property": "total", "op": ">=", "value": {"number": "49.90"}},
    {"property": "plan", "op": "in", "value": [" free ", "paid"]},
    {"property": "new", "op": "=", "value": True},
    {"property": "$price", "op": "<", "value": 1000},
    {"property": "cart.items[].sku", "op": "exists"},
]
FULL = {
    "id": "spring",
    "name": "Spring",
    "channels": ["email", "push"],
    "tags": ["a", "b"],
    "counting": "once_per_channel",
    "variants": [
        {"id": "a", "share": 33.33},
        {"id": "b", "share": 33.34},
        {"id": "control", "share": 33.33, "control": True},
    ],
    "conversion_events": [
        {"kind": "purchase", "deadline": 5400, "products": ["tea"], "where": WHERE},
        {"kind": "custom", "name": "signed_up", "deadline": "30 days"},
        {"kind": "session", "deadline": 1, "apps": ["shop"]},
        {"kind": "upgrade", "deadline": "7 days"},
    ],
    "analysis": {"alpha": 0.01, "smallest_effect": "2.5%", "winsorize": 500, "plan": "fixed"}
    | {"multiple_testing": "benjamini_hochberg"}
    | {
        "guardrails": [
            {"event": "unsubscribe", "margin": "0.25%"},
            {"event": "B", "margin": "1%"},
            {"event": "D", "margin": "2%", "worse": "more"},
        ]
    },
    "selection": {"mode": "intelligent", "every": "6 hours", "floor": 2.5, "half_life": "never", "automatic": False},
}
CANVAS = {
    "id": "welcome",
    "steps": [{"id": "one"}, {"id": "two", "name": "Two"}],
    "variants": [{"id": "a"}],
}


def campaign(kind: str, data: object) -> Campaign:
    return parse_definitions({"canvases" if kind == "canvas" else "campaigns": [data]}, "test").campaigns[0]


def stored(one: Campaign) -> StoredCampaign:
    return StoredCampaign(one, "About it", Status.DRAFT, "v", 0, 0, None, None, redefined=False)


@pytest.mark.parametrize(("kind", "data"), [("campaign", FULL), ("canvas", CANVAS)])
def test_a_form_says_what_its_campaign_says(kind: str, data: object) -> None:
    one = campaign(kind, data)
    form = form_of(stored(one))
    kept = Kept.from_document(Kept(form, form, 7).to_document())
    assert kept == Kept(form, form, 7)
    checked = check(kept.form)
    assert checked.mistakes.found == []
    assert checked.campaign is not None
    assert to_data(checked.campaign) == to_data(one)


def test_what_a_form_cannot_say_stays_where_it_is_left_alone() -> None:
    one = campaign("campaign", {**FULL, "tags": ["tea, green"]})
    form = form_of(stored(one))
    changed = replace(form, name="Summer")
    checked = check(changed, untouched=untouched(changed, form, one))
    assert checked.campaign is not None
    assert (checked.campaign.name, checked.campaign.tags) == ("Summer", ("tea, green",))


def test_what_each_of_two_has_changed_stands_and_what_both_have_is_asked_about() -> None:
    began = Form(name="Spring", id="spring", tags="a", description="x")
    mine = replace(began, name="Mine", tags="mine")
    theirs = replace(began, description="theirs", tags="theirs")
    fields = ("name", "id", "tags", "description")
    form, contested = merge(mine, theirs, fields, lambda field: digest(began, field), lambda _: False)
    assert (form.name, form.description, form.tags) == ("Mine", "theirs", "mine")
    assert [(one.field, one.differences[0].mine, one.differences[0].theirs) for one in contested] == [
        ("tags", "mine", "theirs")
    ]
    form, contested = merge(mine, theirs, fields, lambda field: digest(began, field), lambda field: field == "tags")
    assert (form.name, form.tags, contested) == ("Mine", "theirs", [])


def test_a_fifth_event_and_a_ninth_variant_are_refused_with_the_sentence_of_the_check() -> None:
    four = replace(new_form(), id="x", conversion_events=(EventForm(),) * 4)
    changed = do(four, "add-event")
    assert changed is not None
    assert changed.form == four
    assert changed.refused == "There are 5 conversion events, at most 4 are allowed."
    eight = replace(new_form(), variants=tuple(VariantForm(str(n), "", "12.5") for n in range(8)))
    changed = do(eight, "add-variant")
    assert changed is not None
    assert changed.refused == "There are 9 variants without control, at most 8 are allowed."


def watching() -> Form:
    return form_of(stored(campaign("campaign", FULL)))


def test_guardrails_follow_the_events_that_they_watch() -> None:
    swapped = do(watching(), "up-event:3")
    assert swapped is not None
    assert [one.event for one in swapped.form.analysis.guardrails] == ["unsubscribe", "B", "C more"]
    less = do(watching(), "remove-event:2")
    assert less is not None
    assert [one.kind for one in less.form.conversion_events] == ["purchase", "custom", "upgrade"]
    assert [one.event for one in less.form.analysis.guardrails] == ["unsubscribe", "B", "C more"]


@pytest.mark.parametrize(
    ("action", "kinds"),
    [
        ("place-event:3.1", ["purchase", "upgrade", "custom", "session"]),
        ("place-event:1.3", ["purchase", "session", "upgrade", "custom"]),
        ("place-event:2.2", ["purchase", "custom", "session", "upgrade"]),
    ],
)
def test_an_event_is_put_in_a_place(action: str, kinds: list[str]) -> None:
    changed = do(watching(), action)
    assert changed is not None
    assert [one.kind for one in changed.form.conversion_events] == kinds


@pytest.mark.parametrize("action", ["up-event:1", "down-event:0", "remove-event:1", "remove-event:3"])
def test_an_event_that_a_guardrail_watches_stays_and_is_not_the_primary(action: str) -> None:
    watched = "D" if action.endswith("3") else "B"
    changed = do(watching(), action)
    assert changed is not None
    assert changed.form == watching()
    assert changed.refused == (
        f"A guardrail watches conversion event {watched}, which can neither go nor become the primary while it does. "
        "Guardrails stand among how results are judged, and stay as they are once measuring has started."
    )


@pytest.mark.parametrize(
    ("control", "count", "shares"), [("10", 3, ["30", "30", "30"]), ("0", 3, ["33.34", "33.33", "33.33"])]
)
def test_even_shares_are_what_control_leaves(control: str, count: int, shares: list[str]) -> None:
    variants = (*(VariantForm(str(n)) for n in range(count)), VariantForm("c", "", control, control=True))
    changed = do(replace(new_form(), variants=variants), "even")
    assert changed is not None
    assert [one.share for one in changed.form.variants if not one.control] == shares


@pytest.mark.parametrize(
    ("name", "expected"),
    [("Cart rescue, März!", "cart-rescue-marz"), ("  ", ""), ("春の ご案内", "春の-ご案内"), ("x" * 100, "x" * 60)],
)
def test_an_id_is_suggested_by_the_name(name: str, expected: str) -> None:
    assert id_from(name) == expected
