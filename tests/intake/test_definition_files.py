"""What YAML and JSON files hold is read without loss, or refused as a whole."""

from __future__ import annotations

import json
import re
import textwrap
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from afterword.errors import DefinitionError, UserError
from afterword.intake.definitions import (
    definitions_to_data,
    load_definitions,
    parse_definitions,
)
from afterword.model import (
    Campaign,
    Channel,
    ConversionEvent,
    ConversionKind,
    Definitions,
    Op,
    PropertyFilter,
    Selection,
    Step,
    Variant,
    Workspace,
)
from tests.intake.definition_data import EXAMPLE, campaign_data, canvas_data, load


def test_example_of_the_design_is_read(tmp_path: Path) -> None:
    definitions = load(tmp_path, EXAMPLE)
    assert definitions == Definitions(
        Workspace("Europe/Berlin", "EUR"),
        (
            Campaign(
                "cart-rescue",
                "campaign",
                "Cart rescue",
                (
                    Variant("a", 4500, "Your cart is waiting"),
                    Variant("b", 4500, "Free shipping"),
                    Variant("control", 1000, "control", control=True),
                ),
                (
                    ConversionEvent(ConversionKind.PURCHASE, 259_200),
                    ConversionEvent(
                        ConversionKind.CUSTOM,
                        86_400,
                        name="added_to_cart",
                        where=(PropertyFilter("cart.total", Op.GE, 50),),
                    ),
                    ConversionEvent(ConversionKind.SESSION, 172_800, apps=("ios",)),
                    ConversionEvent(ConversionKind.UPGRADE, 604_800),
                ),
                channels=(Channel.EMAIL,),
                tags=("holiday",),
            ),
            Campaign(
                "welcome",
                "canvas",
                "welcome",
                (Variant("only", 10_000, "only"),),
                (ConversionEvent(ConversionKind.MESSAGE_CLICK, 5_400),),
                steps=(Step("hello", "hello"), Step("tips", "Tips")),
            ),
        ),
    )


def test_json_says_the_same_as_yaml(tmp_path: Path) -> None:
    definitions = load(tmp_path, EXAMPLE)
    assert load(tmp_path, json.dumps(definitions_to_data(definitions)), "campaigns.json") == definitions


def test_campaigns_and_canvases_are_ordered_by_id_together() -> None:
    ids = ["b", "B", "é", "a"]
    data = {
        "campaigns": [{**campaign_data(), "id": i} for i in ids[:2]],
        "canvases": [{**canvas_data(), "id": i} for i in ids[2:]],
    }
    assert [campaign.id for campaign in parse_definitions(data, "test").campaigns] == ["B", "a", "b", "é"]


@pytest.mark.parametrize("written", ["017", "no", "on", "yes", "1.10", "1_000", "1e3", "2024-01-01", "12:30", "true"])
@pytest.mark.parametrize("quote", ["", "'"])
def test_ids_are_the_text_of_the_file(tmp_path: Path, written: str, quote: str) -> None:
    text = f"""
campaigns:
  - id: {quote}{written}{quote}
    variants: [{{id: {quote}{written}{quote}}}]
    conversion_events:
      - {{kind: session, apps: [{quote}{written}{quote}], deadline: 1}}
"""
    (campaign,) = load(tmp_path, text).campaigns
    assert (campaign.id, campaign.variants[0].id) == (written, written)
    assert campaign.conversion_events[0].apps == (written,)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        pytest.param("49.90", Decimal("49.90"), id="decimals-are-exact"),
        pytest.param("0.1", Decimal("0.1"), id="no-binary-float"),
        pytest.param("50", 50, id="integer"),
        pytest.param("50.0", 50, id="whole-decimal"),
        pytest.param("5e1", 50, id="exponent"),
        pytest.param("-0.0", 0, id="minus-zero"),
        pytest.param("12345678901234567890", 12345678901234567890, id="twenty-digits"),
        pytest.param("0.123456789012345678", Decimal("0.123456789012345678"), id="eighteen-decimals"),
        pytest.param("true", True, id="true"),
        pytest.param('"50"', "50", id="quoted-number-is-text"),
    ],
)
@pytest.mark.parametrize("name", ["campaigns.yaml", "campaigns.json"])
def test_values_of_filters_are_exact(tmp_path: Path, written: str, value: object, name: str) -> None:
    text = (
        '{"campaigns": [{"id": "c", "variants": [{"id": "a"}], "conversion_events": [{"kind": "purchase",'
        f'"deadline": 60, "where": [{{"property": "x", "op": "=", "value": {written}}}]}}]}}]}}'
    )
    (condition,) = load(tmp_path, text, name).campaigns[0].conversion_events[0].where
    assert condition.value == value
    assert type(condition.value) is type(value)


@pytest.mark.parametrize("written", ["yes", "017", "1_000", "2024-01-01"])
def test_what_is_no_plain_decimal_number_is_text(tmp_path: Path, written: str) -> None:
    text = EXAMPLE.replace("value: 50", f"value: {written}")
    assert load(tmp_path, text).campaigns[0].conversion_events[1].where[0].value == written


def test_anchors_and_merge_keys(tmp_path: Path) -> None:
    text = """
campaigns:
  - &first
    id: one
    variants: [{id: a}]
    conversion_events: [{kind: purchase, deadline: 1 day}]
  - <<: *first
    id: two
"""
    one, two = load(tmp_path, text).campaigns
    assert replace(two, id="one", name="one") == one


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        pytest.param("c.yaml", "", "the file is empty", id="empty"),
        pytest.param("c.yaml", "campaigns: []", "there is no campaign and no Canvas in the file", id="no-campaign"),
        pytest.param("c.yaml", "- 1", "is a list, must be a mapping of workspace, campaigns, canvases", id="list"),
        pytest.param("c.yaml", "campaigns: [", "line 1, column 13: ", id="broken-yaml"),
        pytest.param("c.json", '{"campaigns": ', "line 1, column 15: Expecting value", id="broken-json"),
        pytest.param("c.json", '{"campaigns": NaN}', "NaN is no JSON number", id="json-nan"),
        pytest.param("c.yaml", "campaigns: []\ncampaigns: []", 'line 2: duplicate key "campaigns"', id="yaml-twice"),
        pytest.param("c.json", '{"campaigns": [], "campaigns": []}', 'duplicate key "campaigns"', id="json-twice"),
        pytest.param("c.yaml", "campaigns: !!python/name:os.system x", "has no meaning here", id="yaml-tag"),
        pytest.param("c.yaml", "campaigns: !!int x", '"x" is no int', id="yaml-wrong-tag"),
        pytest.param("c.yaml", "? [a]\n: b", "a key must be text", id="yaml-key-is-a-list"),
        pytest.param("c.yaml", "a: 1\n---\nb: 2", "expected a single document", id="two-documents"),
        pytest.param("c.yaml", "a: \x01", "special characters are not allowed", id="control-character"),
        pytest.param("c.yaml", "where:\n  - op: >=", 'put the operator into quotes: op: ">="', id="operator"),
        pytest.param("c.yaml", "where: [{op: !=}]", 'put the operator into quotes: op: ">="', id="operator-as-tag"),
        pytest.param("c.json", "[" * 100_000, "is nested too deeply", id="deep-json"),
        pytest.param("c.yaml", "[" * 10_000, "is nested too deeply", id="deep-yaml"),
    ],
)
def test_file_that_cannot_be_read_is_refused(tmp_path: Path, name: str, text: str, problem: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        load(tmp_path, text, name)
    assert caught.value.exit_code == 2
    assert problem in caught.value.problems[0]
    assert caught.value.source == str(tmp_path / name)


def test_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_bytes(b"campaigns: \xff")
    with pytest.raises(DefinitionError, match=r"is not UTF-8 \(byte 11\)"):
        load_definitions(file)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        pytest.param("none.yaml", "cannot be read: No such file or directory", id="missing"),
        pytest.param("c.toml", 'definitions are read from .yaml, .yml or .json, not from ".toml"', id="suffix"),
        pytest.param("c", "not from a file without a suffix", id="no-suffix"),
    ],
)
def test_no_such_file_is_the_users_mistake(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        load_definitions(tmp_path / name)
    assert message in str(caught.value)


def test_all_problems_are_said_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = """
workspace: {timezone: Europe/Berln, currency: EURO}
campaigns:
  - id: cart-rescue
    variants:
      - {id: a, share: 45, share: 46}
      - {id: control, control: true, share: 10}
    conversion_events:
      - {kind: purchase, deadline: 45 days}
      - {kind: custom, deadline: 0}
"""
    with pytest.raises(DefinitionError) as caught:
        load(tmp_path, text)
    place = 'campaigns[0] "cart-rescue" '
    assert caught.value.problems == (
        'line 6: duplicate key "share"',
        'workspace.timezone: unknown time zone "Europe/Berln", did you mean "Europe/Berlin"?',
        'workspace.currency: currency is "EURO", must be a code of three letters such as "EUR"',
        place + "variants: shares sum to 56, must sum to 100",
        place + "conversion_events[0].deadline: deadline is 45 days, must be at most 30 days",
        place + "conversion_events[1].deadline: deadline is 0 seconds, must be at least 1 second",
        place + "conversion_events[1].name: name is missing, a custom event needs the name of the event",
    )


def test_examples_of_the_documentation_are_accepted(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "definitions.md").read_text(encoding="utf-8")
    whole, analysis, selection, where = re.findall(r"```yaml\n(.*?)```", page, flags=re.DOTALL)
    definitions = load(tmp_path, whole)
    assert [campaign.id for campaign in definitions.campaigns] == ["cart-rescue", "welcome"]
    block = "campaigns:\n- id: c\n  variants: [{id: a}]\n  conversion_events:\n  - kind: purchase\n    deadline: 1\n"
    (campaign,) = load(tmp_path, block + textwrap.indent(where, "    ")).campaigns
    assert [condition.op for condition in campaign.conversion_events[0].where] == [Op.GE, Op.IN, Op.NOT_EXISTS, Op.EQ]
    planned = whole.replace("canvases:", textwrap.indent(analysis, "    ") + "canvases:")
    assert load(tmp_path, planned).campaigns[0].analysis.minimum_sample == 1000
    chosen = whole.replace("canvases:", textwrap.indent(selection, "    ") + "canvases:")
    assert load(tmp_path, chosen).campaigns[0].selection == Selection()
