from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings

from afterword.errors import DefinitionError, UserError
from afterword.intake.definitions import canonical_form, definition_version
from afterword.model import Campaign, ConversionEvent, ConversionKind, Definitions, Op, PropertyFilter, Workspace
from afterword.store.campaign_rules import Status
from afterword.store.differences import FieldChange, campaign_changes
from afterword.store.exchange_rates import ExchangeRate
from afterword.store.metadata import Metadata, open_metadata
from afterword.store.plans import PlanOutdated
from tests.extent import THOROUGH
from tests.intake.test_definition_forms import all_definitions
from tests.store.campaign_world import DAY, PURCHASE, SESSION, campaign, canvas, variants


def file(*campaigns: Campaign, workspace: Workspace | None = None) -> Definitions:
    return Definitions(workspace or Workspace(), tuple(sorted(campaigns, key=lambda one: one.id)))


def said(metadata: Metadata, definitions: Definitions, **options: object) -> list[str]:
    """The plan in words, one per difference."""
    words = []
    for one in metadata.plan(definitions, **options).differences:  # type: ignore[arg-type]
        flags = [name for name, yes in (("launches", one.launches), ("new version", one.replaces)) if yes]
        words.append(" ".join([one.id or one.kind, one.action, *flags]))
    return words


def apply(metadata: Metadata, definitions: Definitions, now: int, **options: object) -> None:
    metadata.apply(metadata.plan(definitions, **options), now)  # type: ignore[arg-type]


def test_a_file_is_created_and_launched(metadata: Metadata) -> None:
    berlin = Workspace("Europe/Berlin", "EUR")
    definitions = file(campaign(), canvas(), workspace=berlin)
    assert said(metadata, definitions) == [
        "workspace changed",
        "cart-rescue created launches",
        "welcome created launches",
    ]
    assert metadata.campaigns.list() == []
    apply(metadata, definitions, 10)
    assert metadata.campaigns.definitions() == definitions
    assert [one.launched_at for one in metadata.campaigns.list()] == [10, 10]


def test_applying_twice_is_applying_once(metadata: Metadata) -> None:
    definitions = file(campaign(), canvas())
    apply(metadata, definitions, 10)
    plan = metadata.plan(definitions)
    assert [str(one.action) for one in plan.differences] == ["unchanged"] * 3
    assert not plan.does_something
    metadata.apply(plan, 20)
    assert [one.updated_at for one in metadata.campaigns.list()] == [10, 10]


def test_what_the_file_does_not_name_is_left_alone(metadata: Metadata) -> None:
    apply(metadata, file(campaign(), canvas()), 10)
    apply(metadata, file(campaign(name="New name")), 20)
    assert [(one.campaign.name, one.updated_at) for one in metadata.campaigns.list()] == [
        ("New name", 20),
        ("welcome", 10),
    ]


def test_settings_that_the_file_does_not_name_stay(metadata: Metadata) -> None:
    metadata.set_workspace(Workspace("Europe/Berlin", "EUR"), 1)
    assert said(metadata, file(campaign()), settings=()) == ["cart-rescue created launches"]
    apply(metadata, file(campaign()), 10, settings=())
    assert metadata.workspace() == Workspace("Europe/Berlin", "EUR")
    apply(metadata, file(campaign(), workspace=Workspace("Asia/Tokyo")), 20, settings=("timezone",))
    assert metadata.workspace() == Workspace("Asia/Tokyo", "EUR")


def test_the_reporting_currency_stays_while_there_are_rates_in_it(metadata: Metadata) -> None:
    apply(metadata, file(workspace=Workspace("UTC", "EUR")), 10, settings=("currency",))
    dollars = file(workspace=Workspace("UTC", "USD"))
    planned = metadata.plan(dollars, settings=("currency",))
    one = ExchangeRate("GBP", date(2026, 1, 2), Decimal("1.15"))
    metadata.exchange_rates.take([one], "EUR", 20)
    sentence = r'currency is "USD", but an exchange rate is in EUR: remove it first \(Settings, Exchange rates, or D'
    with pytest.raises(DefinitionError, match=sentence):
        metadata.plan(dollars, settings=("currency",))
    with pytest.raises(PlanOutdated):
        metadata.apply(planned, 30)
    assert said(metadata, dollars, settings=("timezone",)) == ["workspace unchanged"]
    metadata.exchange_rates.remove("GBP", one.day, one.day)
    apply(metadata, dollars, 40, settings=("currency",))
    assert metadata.workspace().currency == "USD"


def test_drafts_stay_drafts_if_asked(metadata: Metadata) -> None:
    definitions = file(campaign(), workspace=Workspace())
    apply(metadata, definitions, 10, launch=False)
    assert metadata.campaigns.get("cart-rescue").status is Status.DRAFT
    assert said(metadata, definitions) == ["workspace unchanged", "cart-rescue unchanged launches"]
    apply(metadata, definitions, 20)
    assert metadata.campaigns.get("cart-rescue").launched_at == 20


def test_stopped_and_archived_campaigns_stay_so(metadata: Metadata) -> None:
    apply(metadata, file(campaign("stopped"), campaign("archived")), 10)
    for name in ("stopped", "archived"):
        metadata.campaigns.stop(name, 20)
    metadata.campaigns.archive("archived", 30)
    apply(metadata, file(campaign("stopped", name="S"), campaign("archived", name="A")), 40)
    kept = metadata.campaigns.list(include_archived=True)
    assert [(one.campaign.name, str(one.status)) for one in kept] == [("A", "archived"), ("S", "stopped")]


def test_changed_conversion_events_are_a_new_version(metadata: Metadata) -> None:
    apply(metadata, file(campaign()), 10)
    [_, one] = metadata.plan(file(campaign("cart-rescue", SESSION))).differences
    assert (one.replaces, one.version) == (
        definition_version(campaign()),
        definition_version(campaign("cart-rescue", SESSION)),
    )
    apply(metadata, file(campaign("cart-rescue", SESSION)), 20)
    assert [v.adopted_at for v in metadata.campaigns.versions("cart-rescue")] == [10, 20]


def test_a_changed_draft_is_no_new_version(metadata: Metadata) -> None:
    metadata.campaigns.create(campaign(), 1)
    assert said(metadata, file(campaign("cart-rescue", SESSION)), settings=()) == ["cart-rescue changed launches"]
    apply(metadata, file(campaign("cart-rescue", SESSION)), 10)
    assert [v.adopted_at for v in metadata.campaigns.versions("cart-rescue")] == [10]


def test_all_that_is_fixed_at_launch_is_said_at_once(metadata: Metadata) -> None:
    apply(metadata, file(campaign(), canvas()), 10)
    wrong = file(campaign(shares={"a": 80, "control": 20}), canvas("welcome", "hello"), campaign("new"))
    with pytest.raises(DefinitionError) as caught:
        metadata.plan(wrong)
    first, second = caught.value.problems
    assert first.startswith('campaign "cart-rescue": the control\'s share is 20 %, must stay 10 %')
    assert second.startswith('Canvas "welcome": step "tips" cannot be removed after launch')
    assert len(metadata.campaigns.list()) == 2


CHANGES_OF_OTHERS: list[Callable[[Metadata], object]] = [
    lambda other: other.campaigns.change(campaign(name="Their name"), 15),
    lambda other: other.campaigns.create(canvas(), 15),
    lambda other: other.set_workspace(Workspace("UTC", "EUR"), 15),
]


@pytest.mark.parametrize("change", CHANGES_OF_OTHERS, ids=["changed", "created", "settings"])
def test_a_plan_is_not_applied_to_something_else(place: str, change: Callable[[Metadata], object]) -> None:
    with open_metadata(place) as one, open_metadata(place) as other:
        apply(one, file(campaign()), 10)
        plan = one.plan(file(campaign(name="Our name"), canvas()))
        change(other)
        with pytest.raises(PlanOutdated, match="make it again"):
            one.apply(plan, 20)
        assert "Our name" not in [stored.campaign.name for stored in one.campaigns.list()]


def test_a_draft_that_someone_launched_is_held_to_its_control(place: str) -> None:
    with open_metadata(place) as one, open_metadata(place) as other:
        one.campaigns.create(campaign(), 1)
        plan = one.plan(file(campaign(shares={"a": 80, "control": 20})), launch=False)
        other.campaigns.launch("cart-rescue", 2)
        with pytest.raises(PlanOutdated):
            one.apply(plan, 3)


def test_what_does_not_concern_the_plan_may_change_meanwhile(metadata: Metadata) -> None:
    plan = metadata.plan(file(campaign()))
    metadata.campaigns.create(canvas(), 15)
    metadata.apply(plan, 20)
    assert len(metadata.campaigns.list()) == 2


def test_definitions_made_in_python_are_checked(metadata: Metadata) -> None:
    with pytest.raises(DefinitionError, match="shares sum to 90, must sum to 100"):
        metadata.plan(file(campaign(shares={"a": 90})))
    with pytest.raises(UserError, match="NUL"):
        metadata.plan(file(campaign("a\0b")))


# --- whatever is defined ----------------------------------------------------------------------------


@settings(max_examples=25 if THOROUGH else 10)
@given(before=all_definitions(), after=all_definitions())
def test_what_was_applied_is_what_is_kept(before: Definitions, after: Definitions) -> None:
    # What is fixed at launch stays; the rest is as the second file says.
    before, after = (
        replace(one, campaigns=tuple(c for c in one.campaigns if "\0" not in c.id)) for one in (before, after)
    )
    first = {one.id: one for one in before.campaigns}
    changed = [_kept_shape(old, new) for old, new in zip(before.campaigns, after.campaigns, strict=False)]
    after = file(*changed, *(c for c in after.campaigns if c.id not in first), workspace=after.workspace)
    with TemporaryDirectory() as directory, open_metadata(Path(directory) / "metadata.sqlite") as metadata:
        apply(metadata, before, 10)
        assert metadata.campaigns.definitions() == before
        assert not metadata.plan(before).does_something
        apply(metadata, after, 20)
        assert not metadata.plan(after).does_something
        kept = {one.id: one for one in metadata.campaigns.definitions().campaigns}
        assert kept == first | {one.id: one for one in after.campaigns}
        then = metadata.campaigns.definitions(10).campaigns
        assert [(canonical_form(c), c.variants) for c in then] == [
            (canonical_form(c), c.variants) for c in before.campaigns
        ]


def _kept_shape(old: Campaign, new: Campaign) -> Campaign:
    return replace(old, name=new.name, tags=new.tags, conversion_events=new.conversion_events)


# --- field by field ---------------------------------------------------------------------------------

BIG = ConversionEvent(ConversionKind.PURCHASE, 3 * DAY, where=(PropertyFilter("$price", Op.GE, 50),))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param(campaign(), campaign(), [], id="nothing"),
        pytest.param(campaign(name="A"), campaign(name="B"), [("name", "A", "B")], id="name"),
        pytest.param(campaign(), campaign(tags=("x",)), [("tags", None, ["x"])], id="what-was-not-there"),
        pytest.param(
            campaign(),
            campaign(shares={"a": 40, "b": 50, "control": 10}),
            [("variants.a.share", 90, 40), ("variants.b", None, {"id": "b", "name": "b", "share": 50})],
            id="variants-by-their-ids",
        ),
        pytest.param(
            campaign(shares={"a": 50, "b": 50}),
            replace(campaign(), variants=variants(b=50, a=50)),
            [("variants (order)", ["a", "b"], ["b", "a"])],
            id="order-alone",
        ),
        pytest.param(
            campaign("cart-rescue", PURCHASE, SESSION),
            campaign("cart-rescue", replace(PURCHASE, deadline_seconds=60)),
            [
                ("conversion_events.A.deadline", 3 * DAY, 60),
                ("conversion_events.B", {"kind": "session", "deadline": DAY}, None),
            ],
            id="conversion-events-by-their-letters",
        ),
        pytest.param(
            campaign(),
            campaign("cart-rescue", BIG),
            [("conversion_events.A.where", None, [{"property": "$price", "op": ">=", "value": 50}])],
            id="filters-as-a-whole",
        ),
        pytest.param(
            canvas("c", "x"),
            canvas("c", "y", "x"),
            [("steps.y", None, {"id": "y", "name": "y"})],
            id="steps",
        ),
        pytest.param(
            replace(campaign(), conversion_events=()),
            campaign(),
            [("conversion_events.A", None, {"kind": "purchase", "deadline": 3 * DAY})],
            id="the-first-of-a-list",
        ),
    ],
)
def test_changes_are_told_field_by_field(
    old: Campaign, new: Campaign, expected: list[tuple[str, object, object]]
) -> None:
    assert campaign_changes(old, new) == tuple(FieldChange(*change) for change in expected)
