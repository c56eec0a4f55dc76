"""Rule 6: the canonical form and its version; definitions written as data and read again."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from afterword.errors import DefinitionError
from afterword.intake.definitions import (
    canonical_form,
    check_definitions,
    definition_version,
    definitions_to_data,
    parse_definitions,
)
from afterword.model import (
    AnalysisPlan,
    Campaign,
    Channel,
    ConversionEvent,
    ConversionKind,
    Counting,
    Definitions,
    Guardrail,
    GuardrailEvent,
    Op,
    PlanKind,
    PropertyFilter,
    Step,
    Variant,
    WinnerRule,
    Workspace,
)
from tests.intake.definition_data import (
    Data,
    Edit,
    campaign_data,
    canvas_data,
    change,
    drop,
    filter_data,
    parse,
    shares,
)


def version_of(data: Data) -> str:
    return definition_version(parse(data).campaigns[0])


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(change("id", to="other"), id="id"),
        pytest.param(change("name", to="Other"), id="name"),
        pytest.param(change("tags", to=["x", "y"]), id="tags"),
        pytest.param(change("channels", to=[]), id="channels"),
        pytest.param(change("variants", 0, "name", to="x"), id="variant-name"),
        pytest.param(change("variants", to=shares(50, 50)), id="variants-and-shares"),
        pytest.param(change("analysis", to={"alpha": 0.01}), id="analysis-plan"),
        pytest.param(drop("counting"), id="default-counting-left-out"),
        pytest.param(lambda data: data["conversion_events"][1]["where"].reverse(), id="order-of-filters"),
        pytest.param(
            lambda data: data["conversion_events"][1]["where"].append(data["conversion_events"][1]["where"][0]),
            id="the-same-filter-twice",
        ),
        pytest.param(change("conversion_events", 2, "apps", to=["web", "ios", "web"]), id="order-of-apps"),
        pytest.param(change("conversion_events", 0, "products", to=["p-2", "p-1"]), id="order-of-products"),
        pytest.param(change("conversion_events", 1, "where", 0, "value", to=50.0), id="number-form"),
        pytest.param(change("conversion_events", 1, "where", 1, "value", to=["y", "x", "x"]), id="order-of-in"),
        pytest.param(change("conversion_events", 0, "deadline", to="1 hour"), id="spelling-of-a-deadline"),
    ],
)
def test_version_does_not_depend_on(edit: Edit) -> None:
    data = campaign_data()
    edit(data)
    assert version_of(data) == version_of(campaign_data())


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(change("counting", to="once_per_exposure"), id="counting"),
        pytest.param(lambda data: data["conversion_events"].reverse(), id="order-of-conversion-events"),
        pytest.param(lambda data: data["conversion_events"].pop(), id="one-conversion-event-less"),
        pytest.param(change("conversion_events", 0, "deadline", to=3_601), id="deadline"),
        pytest.param(change("conversion_events", 2, "kind", to="upgrade"), id="kind"),
        pytest.param(change("conversion_events", 2, "apps", to=["ios"]), id="apps"),
        pytest.param(drop("conversion_events", 2, "apps"), id="any-app"),
        pytest.param(change("conversion_events", 0, "products", 0, to="P-1"), id="case-of-a-product"),
        pytest.param(change("conversion_events", 1, "name", to="other"), id="name-of-the-custom-event"),
        pytest.param(drop("conversion_events", 1, "where"), id="no-filters"),
        pytest.param(change("conversion_events", 1, "where", 0, "property", to="m"), id="property"),
        pytest.param(change("conversion_events", 1, "where", 0, "op", to=">="), id="op"),
        pytest.param(change("conversion_events", 1, "where", 0, "value", to=50.5), id="value"),
        pytest.param(change("conversion_events", 1, "where", 0, "value", to="50"), id="type-of-a-value"),
        pytest.param(change("conversion_events", 1, "where", 1, "value", to=["x"]), id="one-of-in-less"),
    ],
)
def test_version_changes_with(edit: Edit) -> None:
    data = campaign_data()
    edit(data)
    assert version_of(data) != version_of(campaign_data())


def test_true_and_one_are_different_definitions() -> None:
    # equal for Python, so that sets and dictionaries of them would make them one
    one, true = filter_data(property="x", op="=", value=1), filter_data(property="x", op="=", value=True)
    both = filter_data(property="x", op="in", value=[1, True])
    assert len({version_of(one), version_of(true), version_of(both)}) == 3


def test_canonical_form_and_version_are_stable() -> None:
    # Versions are kept with results: a change of this text gives every launched campaign a new one.
    campaign = parse(campaign_data()).campaigns[0]
    assert canonical_form(campaign) == (
        '{"conversion_events":[{"deadline_seconds":3600,"kind":"purchase","products":["p-1","p-2"]},'
        '{"deadline_seconds":86400,"kind":"custom","name":"seen","where":['
        '{"op":">","property":"n","value":{"number":"50"}},{"op":"in","property":"$app_id","value":["x","y"]}]},'
        '{"apps":["ios","web"],"deadline_seconds":60,"kind":"session"}],"counting":"once_per_user"}'
    )
    assert definition_version(campaign) == "e16991bd3a066951"  # by sha256sum of the text above


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8).filter(lambda t: bool(t.strip()))
NUMBERS = st.one_of(
    st.integers(-(10**20) + 1, 10**20 - 1),
    st.decimals(-(10**6), 10**6, places=18, allow_nan=False),
    st.decimals(-(10**6), 10**6, places=2, allow_nan=False),
)
SCALARS = st.one_of(NUMBERS, st.booleans(), st.text(st.characters(exclude_categories=["Cs"]), max_size=8))
PATHS = st.sampled_from(["a", "cart.total", "cart.items[].sku", "tags[]", "ä b.c"])
FILTERS = st.one_of(
    st.builds(PropertyFilter, PATHS, st.sampled_from([Op.EQ, Op.NE]), SCALARS),
    st.builds(PropertyFilter, PATHS, st.sampled_from([Op.GT, Op.LE]), st.one_of(NUMBERS, TEXTS)),
    st.builds(PropertyFilter, PATHS, st.just(Op.IN), st.lists(SCALARS, min_size=1, max_size=3).map(tuple)),
    st.builds(PropertyFilter, PATHS, st.sampled_from([Op.EXISTS, Op.NOT_EXISTS])),
    st.builds(PropertyFilter, st.sampled_from(["$price", "$quantity"]), st.just(Op.GE), NUMBERS),
    st.builds(PropertyFilter, st.sampled_from(["$product_id", "$app_version"]), st.just(Op.CONTAINS), TEXTS),
)
LISTS = st.lists(TEXTS, max_size=3, unique=True).map(tuple)
WHERE = st.lists(FILTERS, max_size=3).map(tuple)
DEADLINES = st.integers(1, 2_592_000)
EVENTS = st.one_of(
    st.builds(ConversionEvent, st.just(ConversionKind.PURCHASE), DEADLINES, products=LISTS, where=WHERE),
    st.builds(ConversionEvent, st.just(ConversionKind.CUSTOM), DEADLINES, name=TEXTS, where=WHERE),
    st.builds(ConversionEvent, st.sampled_from([ConversionKind.SESSION, ConversionKind.UPGRADE]), DEADLINES, LISTS),
    st.builds(ConversionEvent, st.just(ConversionKind.MESSAGE_OPEN), DEADLINES, where=WHERE),
)


PERCENTS = st.integers(1, 500_000).map(lambda millionths: Decimal(millionths) / 1_000_000)
GUARDRAILS = st.sampled_from([GuardrailEvent.UNSUBSCRIBE, GuardrailEvent.COMPLAINT, GuardrailEvent.BOUNCE])
ANALYSES = st.builds(
    AnalysisPlan,
    st.sampled_from(PlanKind),
    st.decimals("0.001", "0.2", places=4),
    PERCENTS,
    st.integers(1, 10**9),
    st.lists(st.builds(Guardrail, GUARDRAILS, PERCENTS), unique_by=lambda one: one.event).map(tuple),
    st.none() | st.decimals("0.01", 10**6, places=2),
    st.sampled_from(WinnerRule),
)


@st.composite
def variants(draw: st.DrawFn) -> tuple[Variant, ...]:
    ids = draw(st.lists(TEXTS, min_size=1, max_size=5, unique=True))
    cuts = sorted(draw(st.lists(st.integers(0, 10_000), min_size=len(ids) - 1, max_size=len(ids) - 1)))
    shares = [after - before for before, after in zip([0, *cuts], [*cuts, 10_000], strict=True)]
    control = draw(st.integers(1, 5))
    return tuple(Variant(id_, shares[i], draw(TEXTS), control=i == control) for i, id_ in enumerate(ids))


@st.composite
def campaigns(draw: st.DrawFn, id_: str) -> Campaign:
    canvas = draw(st.booleans())
    channels = tuple(draw(st.lists(st.sampled_from(Channel), unique=True, max_size=3)))
    refused = Counting.ONCE_PER_CHANNEL if canvas or not channels else None
    return Campaign(
        id_,
        "canvas" if canvas else "campaign",
        draw(TEXTS),
        draw(variants()),
        tuple(draw(st.lists(EVENTS, max_size=4))),
        draw(st.sampled_from([counting for counting in Counting if counting is not refused])),
        channels,
        draw(LISTS),
        tuple(Step(step, draw(TEXTS)) for step in draw(st.lists(TEXTS, min_size=1, unique=True))) if canvas else (),
        draw(ANALYSES),
    )


@st.composite
def all_definitions(draw: st.DrawFn) -> Definitions:
    ids = sorted(draw(st.lists(TEXTS, max_size=3, unique=True)), key=str.encode)
    zone = draw(st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata"]))
    return Definitions(Workspace(zone, "EUR"), tuple(draw(campaigns(id_)) for id_ in ids))


@given(all_definitions())
def test_definitions_survive_the_way_through_json(definitions: Definitions) -> None:
    data = json.loads(json.dumps(definitions_to_data(definitions)))
    again = parse_definitions(data, "again")
    assert again == definitions
    # Python takes 1 and True for equal, the canonical form does not
    assert [canonical_form(c) for c in again.campaigns] == [canonical_form(c) for c in definitions.campaigns]


def test_parsing_leaves_the_data_as_it_was() -> None:
    data = {"campaigns": [campaign_data()], "canvases": [canvas_data()]}
    before = copy.deepcopy(data)
    parse_definitions(data, "test")
    assert data == before


def test_definitions_built_in_python_are_completed() -> None:
    event = ConversionEvent(ConversionKind.SESSION, 60, where=(PropertyFilter("x", Op.EQ, 0.1),))
    built = Definitions(campaigns=(Campaign("b", "campaign", "", (Variant("v", 10_000),), (event,)),))
    (campaign,) = check_definitions(built).campaigns
    assert (campaign.name, campaign.variants[0].name) == ("b", "v")
    assert campaign.conversion_events[0].where[0].value == Decimal("0.1")


def _built(**fields: Any) -> Definitions:
    campaign = Campaign("b", "campaign", "B", (Variant("v", 10_000),))
    return Definitions(campaigns=(replace(campaign, **fields),))


@pytest.mark.parametrize(
    ("definitions", "problem"),
    [
        pytest.param(_built(kind="mail"), 'kind is "mail", must be campaign or canvas', id="kind"),
        pytest.param(_built(steps=(Step("s"),)), "a campaign has no steps", id="steps"),
        pytest.param(_built(variants=(Variant("v", 9_900),)), "shares sum to 99, must sum to 100", id="shares"),
        pytest.param(_built(channels="email"), 'channels is "email", must be a list', id="text-for-a-list"),
        pytest.param(
            _built(conversion_events=(ConversionEvent(ConversionKind.SESSION, 2_678_400),)),
            "deadline is 31 days, must be at most 30 days",
            id="deadline",
        ),
        pytest.param(
            _built(conversion_events=(ConversionEvent(ConversionKind.SESSION, 60, products=("p",)),)),
            "products does not belong to kind session",
            id="products",
        ),
        pytest.param(_built(analysis=AnalysisPlan(alpha=Decimal(1))), "alpha is 1, must be from 0.001", id="alpha"),
        pytest.param(
            _built(analysis=AnalysisPlan(smallest_effect=Decimal(3))),
            'smallest_effect is "300%", must be above 0% and at most 100%',
            id="smallest-effect",
        ),
    ],
)
def test_definitions_built_in_python_are_checked(definitions: Definitions, problem: str) -> None:
    with pytest.raises(DefinitionError, match=r"^definitions: ") as caught:
        check_definitions(definitions)
    assert problem in caught.value.problems[0]
