from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from afterword.errors import DefinitionError, UserError
from afterword.intake.definitions import canonical_form, definition_version
from afterword.model import (
    AnalysisPlan,
    Campaign,
    Channel,
    Counting,
    Definitions,
    Op,
    PropertyFilter,
    Step,
    Workspace,
)
from afterword.store.campaign_rules import Status
from afterword.store.campaigns import CampaignRefused, UnknownCampaign
from afterword.store.metadata import Metadata
from tests.store.campaign_world import PURCHASE, SESSION, campaign, canvas, variants


def launched(metadata: Metadata, one: Campaign, at: int = 10) -> Campaign:
    metadata.campaigns.create(one, at)
    return metadata.campaigns.launch(one.id, at).campaign


# --- a campaign's life ------------------------------------------------------------------------------


def test_a_new_campaign_is_a_draft(metadata: Metadata) -> None:
    one = campaign(tags=("holiday",))
    stored = metadata.campaigns.create(one, 7, description="For those who left a cart.")
    assert stored == metadata.campaigns.get("cart-rescue")
    assert (stored.campaign, stored.status, stored.description) == (one, Status.DRAFT, "For those who left a cart.")
    assert (stored.created_at, stored.updated_at, stored.launched_at) == (7, 7, None)
    assert (stored.version, stored.launch_version, stored.redefined) == (definition_version(one), None, False)
    assert metadata.campaigns.definitions() == Definitions()
    assert metadata.campaigns.versions("cart-rescue") == []


def test_launch_pins_the_version(metadata: Metadata) -> None:
    one = campaign()
    metadata.campaigns.create(one, 7)
    stored = metadata.campaigns.launch("cart-rescue", 9)
    assert (stored.status, stored.launched_at, stored.updated_at) == (Status.RUNNING, 9, 9)
    assert stored.launch_version == stored.version == definition_version(one)
    assert metadata.campaigns.definitions() == Definitions(campaigns=(one,))


def test_a_draft_changes_as_one_likes(metadata: Metadata) -> None:
    metadata.campaigns.create(campaign(), 1)
    other = campaign("cart-rescue", SESSION, shares={"b": 60, "control": 40}, channels=(Channel.SMS,))
    assert metadata.campaigns.change(other, 2).campaign == other
    assert metadata.campaigns.versions("cart-rescue") == []
    metadata.campaigns.launch("cart-rescue", 3)
    assert [one.version for one in metadata.campaigns.versions("cart-rescue")] == [definition_version(other)]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param("launch", "running", id="launched"),
        pytest.param("launch launch", "running", id="launched-twice-is-launched"),
        pytest.param("launch stop", "stopped", id="stopped"),
        pytest.param("launch stop stop", "stopped", id="stopped-twice-is-stopped"),
        pytest.param("launch stop launch", "running", id="runs-again"),
        pytest.param("archive", "archived", id="a-draft-put-away"),
        pytest.param("archive archive", "archived", id="archived-twice-is-archived"),
        pytest.param("archive unarchive", "draft", id="back-as-a-draft"),
        pytest.param("launch stop archive unarchive", "stopped", id="back-as-stopped"),
        pytest.param("launch unarchive", "running", id="what-is-not-archived-stays"),
        pytest.param("stop", "is draft, must be running to become stopped", id="a-draft-cannot-stop"),
        pytest.param("launch archive", "is running, must be draft or stopped to become archived", id="stop-it-first"),
        pytest.param("archive launch", "is archived, must be draft or stopped to become running", id="archived"),
    ],
)
def test_a_campaigns_life(metadata: Metadata, path: str, expected: str) -> None:
    metadata.campaigns.create(campaign(), 1)
    *steps, last = path.split()
    for time, step in enumerate(steps, start=2):
        getattr(metadata.campaigns, step)("cart-rescue", time)
    if " " in expected:
        with pytest.raises(CampaignRefused, match=f'^campaign "cart-rescue" {expected}$'):
            getattr(metadata.campaigns, last)("cart-rescue", 9)
    else:
        assert getattr(metadata.campaigns, last)("cart-rescue", 9).status == expected


def test_running_again_is_no_new_launch(metadata: Metadata) -> None:
    launched(metadata, campaign(), 10)
    metadata.campaigns.stop("cart-rescue", 20)
    stored = metadata.campaigns.launch("cart-rescue", 30)
    assert (stored.launched_at, stored.updated_at) == (10, 30)
    assert len(metadata.campaigns.versions("cart-rescue")) == 1


def test_what_repeats_itself_leaves_no_trace(metadata: Metadata) -> None:
    one = launched(metadata, campaign(), 10)
    assert metadata.campaigns.launch("cart-rescue", 20).updated_at == 10
    assert metadata.campaigns.change(one, 30).updated_at == 10
    assert metadata.campaigns.change(one, 40, description="new").updated_at == 40
    assert metadata.campaigns.change(one, 50, description="new").updated_at == 40


def test_results_of_stopped_and_archived_campaigns_stay(metadata: Metadata) -> None:
    launched(metadata, campaign("b"))
    launched(metadata, campaign("a"))
    metadata.campaigns.create(campaign("never-launched"), 1)
    metadata.campaigns.archive("never-launched", 2)
    metadata.campaigns.stop("a", 20)
    metadata.campaigns.stop("b", 20)
    metadata.campaigns.archive("b", 30)
    assert [one.id for one in metadata.campaigns.definitions().campaigns] == ["a", "b"]


# --- versions (rule 6) ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "new_version"),
    [
        pytest.param({"conversion_events": (SESSION,)}, True, id="another-conversion-event"),
        pytest.param({"conversion_events": (PURCHASE, SESSION)}, True, id="one-more"),
        pytest.param({"conversion_events": ()}, True, id="none"),
        pytest.param({"conversion_events": (replace(PURCHASE, deadline_seconds=5),)}, True, id="another-deadline"),
        pytest.param({"counting": Counting.ONCE_PER_EXPOSURE}, True, id="another-counting"),
        pytest.param({"name": "Another name"}, False, id="another-name"),
        pytest.param({"tags": ("spring",)}, False, id="other-tags"),
        pytest.param({"variants": variants(a=50, b=40, control=10)}, False, id="other-shares-and-one-more-variant"),
        pytest.param({"channels": (Channel.PUSH, Channel.EMAIL, Channel.SMS)}, False, id="one-more-channel"),
    ],
)
def test_what_makes_a_new_version(metadata: Metadata, change: dict[str, object], new_version: bool) -> None:
    one = launched(metadata, campaign(), 10)
    changed = replace(one, **change)  # type: ignore[arg-type]
    stored = metadata.campaigns.change(changed, 20)
    assert (stored.campaign, stored.redefined, stored.updated_at) == (changed, new_version, 20)
    assert stored.launch_version == definition_version(one)
    kept = metadata.campaigns.versions("cart-rescue")
    assert [(v.version, v.adopted_at) for v in kept] == [
        (definition_version(one), 10),
        *([(definition_version(changed), 20)] if new_version else []),
    ]
    assert kept[0].canonical == canonical_form(one)
    assert kept[0].campaign == replace(changed, conversion_events=one.conversion_events, counting=one.counting)


def test_a_version_that_comes_back_is_adopted_again(metadata: Metadata) -> None:
    one = launched(metadata, campaign(), 10)
    other = replace(one, conversion_events=(SESSION,))
    metadata.campaigns.change(other, 20)
    stored = metadata.campaigns.change(one, 30)
    first, second = definition_version(one), definition_version(other)
    adopted = [(v.version, v.adopted_at) for v in metadata.campaigns.versions("cart-rescue")]
    assert adopted == [(first, 10), (second, 20), (first, 30)]
    assert (stored.version, stored.launch_version, stored.redefined) == (first, first, True)


def test_definitions_can_be_asked_for_as_they_were(metadata: Metadata) -> None:
    one = launched(metadata, campaign(), 10)
    metadata.campaigns.change(replace(one, conversion_events=(SESSION,)), 20)
    metadata.campaigns.change(
        replace(one, conversion_events=(SESSION,), variants=variants(a=50, b=40, control=10), name="New name"), 30
    )
    launched(metadata, campaign("later"), 40)

    def at(time: int) -> list[tuple[str, str, dict[str, int]]]:
        found = metadata.campaigns.definitions(time).campaigns
        return [(c.id, str(c.conversion_events[0].kind), {v.id: v.share_hundredths for v in c.variants}) for c in found]

    assert at(9) == []
    assert at(10) == [("cart-rescue", "purchase", {"a": 9000, "b": 0, "control": 1000})]
    assert at(20) == [("cart-rescue", "session", {"a": 9000, "b": 0, "control": 1000})]
    assert at(30) == [("cart-rescue", "session", {"a": 5000, "b": 4000, "control": 1000})]
    assert [name for name, _, _ in at(40)] == ["cart-rescue", "later"]
    assert metadata.campaigns.definitions(99) == metadata.campaigns.definitions()
    assert metadata.campaigns.definitions(10).campaigns[0].name == "New name"


def test_a_filter_on_one_is_not_a_filter_on_true(metadata: Metadata) -> None:
    one, true = (replace(PURCHASE, where=(PropertyFilter("x", Op.EQ, value),)) for value in (1, True))
    launched(metadata, campaign("cart-rescue", one), 10)
    assert metadata.campaigns.change(campaign("cart-rescue", true), 20).redefined
    kept = metadata.campaigns.get("cart-rescue").campaign.conversion_events[0].where[0].value
    assert kept is True


def test_shares_have_a_history(metadata: Metadata) -> None:
    one = launched(metadata, campaign(shares={"a": 45, "b": 45, "control": 10}), 10)
    metadata.campaigns.change(replace(one, name="New name"), 15)
    metadata.campaigns.change(replace(one, variants=variants(a=60.5, b=29.5, control=10)), 20)
    assert [(s.shares, s.changed_at) for s in metadata.campaigns.shares("cart-rescue")] == [
        ({"a": 4500, "b": 4500, "control": 1000}, 10),
        ({"a": 6050, "b": 2950, "control": 1000}, 20),
    ]


# --- what is refused --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        pytest.param(
            campaign(),
            campaign(shares={"a": 80, "control": 20}),
            "the control's share is 20 %, must stay 10 %: it is fixed at launch",
            id="more-control",
        ),
        pytest.param(
            campaign(shares={"a": 87.5, "control": 12.5}),
            campaign(shares={"a": 100}),
            "the control's share is 0 %, must stay 12.5 %",
            id="control-removed",
        ),
        pytest.param(
            campaign(shares={"a": 100}),
            campaign(shares={"a": 90, "control": 10}),
            "the control's share is 10 %, must stay 0 %",
            id="control-added",
        ),
        pytest.param(
            campaign(shares={"a": 50, "b": 50}),
            campaign(shares={"a": 100}),
            'variant "b" cannot be removed after launch, since facts name it; give it the share 0',
            id="variant-removed",
        ),
        pytest.param(
            campaign(),
            replace(campaign(), variants=tuple(replace(v, control=not v.control) for v in campaign().variants)),
            'variant "a" is control; that cannot change after launch',
            id="control-and-message-swapped",
        ),
        pytest.param(
            campaign(),
            campaign(channels=(Channel.EMAIL,)),
            'channel "push" cannot be removed after launch',
            id="channel-removed",
        ),
        pytest.param(
            canvas(), canvas("welcome", "hello"), 'step "tips" cannot be removed after launch', id="step-removed"
        ),
        pytest.param(
            canvas(),
            canvas("welcome", "tips", "hello"),
            "the steps stand in the order tips, hello, must stay hello, tips after launch",
            id="steps-reordered",
        ),
        pytest.param(
            campaign(),
            replace(campaign(), analysis=AnalysisPlan(alpha=Decimal("0.1"), minimum_sample=1)),
            "analysis.alpha and analysis.minimum_sample cannot change after launch: how results are judged is said "
            "before they are seen",
            id="another-analysis-plan",
        ),
        pytest.param(
            canvas(), campaign("welcome"), "is a Canvas and cannot become a campaign; use another id", id="canvas"
        ),
    ],
)
def test_what_cannot_change_after_launch(metadata: Metadata, before: Campaign, after: Campaign, sentence: str) -> None:
    metadata.campaigns.create(before, 10)
    launched_now = metadata.campaigns.launch(before.id, 10)
    with pytest.raises(CampaignRefused) as caught:
        metadata.campaigns.change(after, 20)
    assert f'"{before.id}": ' in str(caught.value)
    assert sentence in str(caught.value)
    assert metadata.campaigns.get(before.id) == launched_now


def test_steps_can_be_added_anywhere(metadata: Metadata) -> None:
    launched(metadata, canvas())
    longer = canvas("welcome", "first", "hello", "between", "tips")
    assert metadata.campaigns.change(longer, 20).campaign.steps[2] == Step("between", "between")


def test_ids_are_unique(metadata: Metadata) -> None:
    metadata.campaigns.create(canvas("one"), 1)
    with pytest.raises(CampaignRefused, match='the id "one" is taken by a Canvas'):
        metadata.campaigns.create(campaign("one"), 2)


def test_what_is_wrong_with_a_definition_is_said(metadata: Metadata) -> None:
    with pytest.raises(DefinitionError, match="shares sum to 50, must sum to 100"):
        metadata.campaigns.create(campaign(shares={"a": 50}), 1)
    with pytest.raises(UserError, match="the description has 10,001 characters, at most 10,000"):
        metadata.campaigns.create(campaign(), 1, description="x" * 10_001)
    with pytest.raises(UserError, match="the id holds a NUL character"):
        metadata.campaigns.create(campaign("a\0b"), 1)
    assert metadata.campaigns.list() == []


@pytest.mark.parametrize("operation", ["launch", "stop", "archive", "unarchive"])
def test_an_unknown_campaign_names_the_nearest(metadata: Metadata, operation: str) -> None:
    metadata.campaigns.create(campaign(), 1)
    with pytest.raises(UnknownCampaign, match=r'^unknown campaign "cart-rescu", did you mean "cart-rescue"\?$'):
        getattr(metadata.campaigns, operation)("cart-rescu", 2)


@pytest.mark.parametrize("operation", ["get", "versions", "shares"])
@pytest.mark.parametrize("unknown", ["x", "", "a\0b", "it's"])
def test_an_unknown_campaign_cannot_be_asked_about(metadata: Metadata, operation: str, unknown: str) -> None:
    with pytest.raises(UnknownCampaign):
        getattr(metadata.campaigns, operation)(unknown)


@pytest.mark.parametrize(
    "text", ["it's", "🎈 Überraschung", '"; DROP TABLE campaigns; --', "a\0b", "\\u0041 \\", "%s {}"]
)
def test_odd_texts_come_back_as_they_were(metadata: Metadata, text: str) -> None:
    one = replace(campaign(tags=(text,)), name=text)
    assert metadata.campaigns.create(one, 1).campaign == one


# --- lists ------------------------------------------------------------------------------------------


def listed(metadata: Metadata, **options: object) -> str:
    return " ".join(one.campaign.id for one in metadata.campaigns.list(**options))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param({}, "d b c", id="in-the-order-of-creation-without-the-archived"),
        pytest.param({"newest_first": True}, "c b d", id="newest-first"),
        pytest.param({"include_archived": True}, "d a b c", id="with-the-archived"),
        pytest.param({"kind": "canvas"}, "c", id="canvases"),
        pytest.param({"kind": "campaign"}, "d b", id="campaigns"),
        pytest.param({"page_size": 2}, "d b", id="first-page"),
        pytest.param({"page_size": 2, "page": 1}, "c", id="second-page"),
        pytest.param({"page": 1}, "", id="past-the-end"),
        pytest.param({"edited_after": 29}, "b c", id="edited-after"),
        pytest.param({"edited_after": 30}, "b", id="edited-at-is-not-after"),
        pytest.param({"edited_after": 40, "include_archived": True}, "a", id="archiving-is-an-edit"),
    ],
)
def test_list(metadata: Metadata, options: dict[str, object], expected: str) -> None:
    metadata.campaigns.create(campaign("d"), 10)
    metadata.campaigns.create(campaign("b"), 20)
    metadata.campaigns.create(campaign("a"), 20)
    metadata.campaigns.create(canvas("c"), 30)
    metadata.campaigns.change(campaign("b", name="New name"), 40)
    metadata.campaigns.archive("a", 50)
    assert listed(metadata, **options) == expected


def test_pages_have_a_hundred(metadata: Metadata) -> None:
    for number in range(103):
        metadata.campaigns.create(campaign(f"c{number:03}"), number)
    assert len(metadata.campaigns.list()) == 100
    assert listed(metadata, page=1) == "c100 c101 c102"


# --- settings ---------------------------------------------------------------------------------------


def test_settings_have_defaults_and_are_kept(metadata: Metadata) -> None:
    assert metadata.workspace() == Workspace("UTC", "USD")
    metadata.set_workspace(Workspace("Europe/Berlin", "EUR"), 1)
    metadata.set_workspace(Workspace("Asia/Tokyo", "JPY"), 2)
    assert metadata.workspace() == metadata.campaigns.definitions().workspace == Workspace("Asia/Tokyo", "JPY")


def test_settings_are_checked(metadata: Metadata) -> None:
    with pytest.raises(DefinitionError, match=r'"Europe/Berlim", did you mean "Europe/Berlin"\?$'):
        metadata.set_workspace(Workspace("Europe/Berlim", "EUR"), 1)
    assert metadata.workspace() == Workspace()
