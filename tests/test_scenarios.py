"""The rulebook by example: every scenario file proves a sentence of a rule, by the oracle and by the engine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

import tests.engine as engine
from afterword.intake.definitions import parse_definitions
from afterword.model import LETTERS, Definitions, EventKind
from tests.engine_answers import facts_counted, facts_of_oracle, members, row_of, row_of_oracle, verdicts
from tests.oracle import Answer, answer
from tests.oracle_counts import campaign_counts
from tests.oracle_facts import EventFact, ExposureFact, Facts, RateFact, StepFact
from tests.oracle_people import MergeFact
from tests.oracle_verdicts import verdicts as verdicts_of_oracle

SCENARIOS = sorted((Path(__file__).parent / "scenarios").glob("*.yaml"))
BEHAVIOURAL = {*range(6, 29), *range(33, 36), *range(37, 41)}
RULEBOOK = Path(__file__).parent.parent.parent / "shared" / "RULES.md"
KINDS = {kind.label: kind for kind in EventKind}

Scenario = dict[str, Any]


def load(path: Path) -> Scenario:
    scenario: Scenario = yaml.safe_load(path.read_text(encoding="utf-8"))
    return scenario


@pytest.fixture(params=SCENARIOS, ids=lambda path: path.stem)
def scenario(request: pytest.FixtureRequest) -> Scenario:
    path: Path = request.param
    return load(path)


# ---- the files themselves


def test_every_behavioural_rule_has_a_scenario() -> None:
    assert {load(path)["rule"] for path in SCENARIOS} >= BEHAVIOURAL


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_a_scenario_says_which_rule_it_proves_and_what_it_expects(path: Path) -> None:
    scenario = load(path)
    named = re.match(r"rule-(\d\d)-", path.name)
    assert named is not None
    assert int(named[1]) == scenario["rule"]
    assert set(scenario) <= {"rule", "quote", "definitions", "facts", "as_of", "expect"}
    assert scenario["expect"], "a scenario that expects nothing proves nothing"


@pytest.mark.skipif(not RULEBOOK.exists(), reason="the rulebook is not beside this checkout")
def test_the_quoted_sentence_stands_in_its_rule(scenario: Scenario) -> None:
    rules = RULEBOOK.read_text(encoding="utf-8")
    rule = next(line for line in _paragraphs(rules) if line.startswith(f"{scenario['rule']}. "))
    assert _plain(scenario["quote"]) in _plain(rule)


def _paragraphs(text: str) -> list[str]:
    """A rule with what is indented below it, as one text."""
    return re.split(r"\n(?=\d+\. |## )", text)


def _plain(text: str) -> str:
    return " ".join(text.split())


# ---- what they expect


def test_oracle(scenario: Scenario) -> None:
    definitions = definitions_of(scenario)
    found = answer(definitions, facts_of(scenario), as_of_of(scenario))
    expect = dict(scenario["expect"])
    _check_rows(expect.pop("conversions", None), [_as_row(c) for c in found.conversions])
    _check_rows(expect.pop("credited", None), [_as_row(c) for c in found.credited])
    for campaign_id, rows in expect.pop("counts", {}).items():
        counts = campaign_counts(found, definitions.campaigns[definitions.index_of(campaign_id)])
        for name, wanted in rows.items():
            assert _chosen(row_of_oracle(counts[name], name), wanted) == wanted, f"{campaign_id} {name}"
    for campaign_id, users in expect.pop("verdicts", {}).items():
        assert {user: verdicts_of_oracle(found, user, campaign_id) for user in users} == users
    for wanted in expect.pop("users", ()):
        assert _members(found, wanted) == wanted["users"]
    _check_versions(
        expect.pop("versions", {}), {c.id: (c.conversion_events, c.counting) for c in definitions.campaigns}
    )
    facts = expect.pop("facts", {})
    assert {name: facts_of_oracle(found)[name] for name in facts} == facts
    assert not expect, f"unknown expectations: {sorted(expect)}"


def test_engine(scenario: Scenario, tmp_path: Path) -> None:
    definitions = definitions_of(scenario)
    ran = engine.run(
        definitions,
        facts_of(scenario),
        tmp_path,
        as_of=as_of_of(scenario),
        layout=engine.Layout(formats=("ndjson",)),
    )
    expect, report = scenario["expect"], ran.report
    _check_rows(expect.get("conversions"), [_as_row(c) for c in ran.conversions()])
    _check_rows(expect.get("credited"), [_as_row(c) for c in ran.credited()])
    for campaign_id, rows in expect.get("counts", {}).items():
        for name, wanted in rows.items():
            assert _chosen(row_of(report, campaign_id, name), wanted) == wanted, f"{campaign_id} {name}"
    for campaign_id, users in expect.get("verdicts", {}).items():
        assert {user: verdicts(ran, campaign_id, user) for user in users} == users
    for wanted in expect.get("users", ()):
        campaign = definitions.campaigns[definitions.index_of(wanted["campaign"])]
        assert members(ran, campaign, wanted["variant"], wanted["event"], wanted["state"]) == wanted["users"]
    _check_versions(expect.get("versions", {}), {c["id"]: c["definition_version"] for c in report["campaigns"]})
    facts = expect.get("facts", {})
    assert {name: facts_counted(report)[name] for name in facts} == facts


def _check_rows(wanted: list[Mapping[str, Any]] | None, rows: list[dict[str, Any]]) -> None:
    """Exactly the wanted rows, compared in the columns that the scenario names."""
    if wanted is None:
        return
    shown = [{name: row[name] for name in (wanted[0] if wanted else row)} for row in rows]
    assert sorted(shown, key=str) == sorted([_values(row) for row in wanted], key=str)


def _check_versions(wanted: Mapping[str, int], versions: Mapping[str, object]) -> None:
    """Campaigns with the same number have the same version, others have another."""
    for one, other in combinations(wanted, 2):
        assert (versions[one] == versions[other]) == (wanted[one] == wanted[other]), f"{one} and {other}"


def _as_row(row: object) -> dict[str, Any]:
    names = type(row).__dataclass_fields__  # type: ignore[attr-defined]
    values = {name: getattr(row, name) for name in names}
    if "letter" in values:
        values["event"] = values.pop("letter")
    return {k: str(v.normalize()) if isinstance(v, Decimal) else v for k, v in values.items()}


def _values(row: Mapping[str, Any]) -> dict[str, Any]:
    amounts = {"amount", "refunded"}
    return {
        k: str(Decimal(v).normalize()) if k in amounts else instant(v) if k in ("converted_at", "occurred_at") else v
        for k, v in row.items()
    }


def _chosen(counts: dict[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """What is wanted of the counts."""
    return {k: _chosen(counts[k], v) if k in LETTERS else counts[k] for k, v in wanted.items()}


def _members(found: Answer, wanted: Mapping[str, Any]) -> list[str]:
    campaign = found.definitions.campaigns[found.definitions.index_of(wanted["campaign"])]
    counts = campaign_counts(found, campaign)[wanted["variant"]].letters[wanted["event"]]
    members: set[str] = getattr(counts, wanted["state"])
    return sorted(members)


# ---- reading a scenario


def definitions_of(scenario: Scenario) -> Definitions:
    return parse_definitions(scenario["definitions"], "scenario")


def as_of_of(scenario: Scenario) -> int | None:
    return instant(scenario["as_of"]) if "as_of" in scenario else None


def instant(text: object) -> int:
    """Microseconds since 1970 of `2024-03-01 10:00:00.000001`, in UTC. YAML makes some such texts times."""
    moment = datetime.fromisoformat(str(text)).replace(tzinfo=UTC)
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def facts_of(scenario: Scenario) -> Facts:
    facts = scenario["facts"]
    return Facts(
        exposures=[ExposureFact(**_fields(row, "exposed_at")) for row in facts["exposures"]],
        events=[EventFact(**_event_fields(row)) for row in facts.get("events", ())],
        step_messages=[StepFact(**_fields(row, "received_at")) for row in facts.get("step_messages", ())],
        merges=[MergeFact(**row) for row in facts.get("merges", ())],
        rates=[RateFact(row["date"], row["currency"], Decimal(row["rate"])) for row in facts.get("rates", ())],
    )


def _fields(row: Mapping[str, Any], time: str) -> dict[str, Any]:
    fields = {"variant_id": None, **row} if time == "exposed_at" else dict(row)
    fields[time] = instant(fields.pop("at"))
    return fields


def _event_fields(row: Mapping[str, Any]) -> dict[str, Any]:
    fields = _fields(row, "occurred_at")
    fields["kind"] = KINDS[fields["kind"]]
    if "price" in fields:
        fields["price"] = Decimal(fields["price"])
    return fields
