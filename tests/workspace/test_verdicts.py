"""The verdict of a run, from files to report.json, the page, the terminal and Markdown."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import afterword
from afterword.interfaces.cli import main
from afterword.model import LETTERS
from afterword.reports.page import render_page

DOCS = Path(__file__).parents[2] / "docs"
START = datetime(2026, 3, 1, 9, tzinfo=UTC)
DEFINITIONS = """\
campaigns:
  - id: spring
    variants: [{id: a, name: Tulips, share: 50}, {id: later, share: 0}, {id: none, control: true, share: 50}]
    conversion_events: [{kind: purchase, deadline: 2 days}, {kind: session, deadline: 1 day}]
    analysis: {alpha: 0.05, winsorize: 6, guardrails: [{event: unsubscribe, margin: 2%}]}
  - id: pairs
    channels: [email, push]
    counting: once_per_channel
    variants: [{id: later, share: 0}, {id: a, share: 50}, {id: none, control: true, share: 50}]
    conversion_events: [{kind: purchase, deadline: 2 days}]
  - id: news
    variants: [{id: a, share: 50}, {id: none, control: true, share: 50}]
    conversion_events:
      - {kind: session, deadline: 2 days}
      - {kind: purchase, deadline: 2 days}
      - {kind: message_open, deadline: 20 days}
canvases:
  - id: welcome
    steps: [{id: one}, {id: two}]
    variants: [{id: a, name: Two steps, share: 50}, {id: b, name: One step, share: 50}]
    conversion_events: [{kind: purchase, deadline: 2 days}]
"""
USERS = 1_200
"""In each variant."""


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the users of a third, of those in control a fifth buy, on the day after; and 3 unsubscribe."""
    directory = tmp_path_factory.mktemp("verdicts")
    exposures = ["user_id,campaign_id,variant_id,exposed_at,channel"]
    events = ["event_id,user_id,kind,occurred_at,price,currency,campaign_id"]
    messages = ["user_id,campaign_id,step_id,received_at"]
    for number in range(2 * USERS):
        user, at = f"u-{number}", START + timedelta(hours=number % 240)
        variant = ("a", "none")[number % 2]
        exposures += [f"{user},{of},{variant},{at.isoformat()},email" for of in ("spring", "pairs", "news")]
        exposures += [f"{user},pairs,{variant},{at.isoformat()},push"] if number % 3 == 0 else []
        exposures.append(f"{user},welcome,{'ab'[number % 2]},{at.isoformat()},email")
        messages.append(f"{user},welcome,one,{(at + timedelta(minutes=1)).isoformat()}")
        if number // 2 % (3 if variant == "a" else 5) == 0:
            events.append(f"p-{number},{user},purchase,{(at + timedelta(days=1)).isoformat()},10.00,USD,")
        if number % 20 == 0:
            events.append(f"o-{number},{user},message_open,{(at + timedelta(hours=number % 48)).isoformat()},,,news")
        if number in (0, 2, 4):
            events.append(f"m-{number},{user},message_unsubscribe,{(at + timedelta(hours=1)).isoformat()},,,spring")
    for name, rows in (("exposures", exposures), ("events", events), ("step_messages", messages)):
        (directory / f"{name}.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return directory


def run(directory: Path, definitions: str, name: str = "results") -> afterword.Results:
    (directory / f"{name}.yaml").write_text(definitions, encoding="utf-8")
    return afterword.run(
        directory / f"{name}.yaml",
        exposures=directory / "exposures.csv",
        events=directory / "events.csv",
        step_messages=directory / "step_messages.csv",
        out=directory / name,
        as_of=START + timedelta(days=20),
    )


@pytest.fixture(scope="module")
def results(directory: Path) -> afterword.Results:
    return run(directory, DEFINITIONS)


def told(results: afterword.Results, campaign: str) -> dict[str, Any]:
    return results.report(campaign).json


def test_report_json_has_the_verdict_and_what_it_rests_on(results: afterword.Results) -> None:
    verdict = told(results, "spring")["verdict"]
    assert (verdict["answer"], verdict["variant"], verdict["because"]) == ("winner", "a", None)
    assert verdict["sentence"].startswith('"Tulips" is the winner: 33.33')
    assert verdict["plan"]["plan"] == "always_valid"
    assert {name: (one["n"], one["waiting"]) for name, one in verdict["rates"].items()} == {
        "a": (USERS, 0),
        "none": (USERS, 0),
    }
    (pair,) = verdict["pairs"]
    assert (pair["variant"], pair["against"]) == ("a", "none")
    assert pair["interval"][0] < pair["single_look_interval"][0] < pair["difference"] == pytest.approx(2 / 15)
    (rail,) = verdict["guardrails"]
    assert (rail["event"], rail["harm"], rail["state"]) == ("unsubscribe", 3 / USERS, "kept")
    assert (verdict["split"]["broken"], verdict["split"]["seen"]) == (False, {"a": 0.5, "none": 0.5})
    assert verdict["other_tools"]["confidence"] > 99.99


def test_every_key_of_it_is_documented(results: afterword.Results) -> None:
    documented = set(re.findall(r"`(\w+)`", (DOCS / "report-json.md").read_text("utf-8")))
    names = {*LETTERS, *("a", "b", "later", "none")}
    for campaign in results.json["campaigns"]:
        for part in ("verdict", "comparisons", "forecast"):
            assert set(keys_of(campaign[part])) - names <= documented


def keys_of(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
    for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from keys_of(child)


def test_every_event_is_compared(results: afterword.Results) -> None:
    compared = told(results, "spring")["comparisons"]
    assert list(compared) == ["A", "B", "revenue", "revenue_winsorised"]
    assert compared["A"]["variants"]["a"]["decided"] is True
    assert compared["B"]["variants"]["a"]["decided"] is False
    assert compared["revenue"]["variants"]["a"]["decided"] is None
    assert compared["revenue"]["variants"]["a"]["difference"] == pytest.approx(10 * 2 / 15)
    assert compared["revenue_winsorised"]["variants"]["a"]["difference"] == pytest.approx(6 * 2 / 15)


def test_an_interval_clear_of_zero_that_decides_nothing_is_explained(results: afterword.Results) -> None:
    of_purchases = told(results, "news")["comparisons"]["B"]["variants"]["a"]
    assert of_purchases["interval"][0] > 0
    assert of_purchases["decided"] is False
    sentence = "An interval clear of zero is not enough here: B is tested only after A is decided, or of many events"
    assert results.report("news").to_markdown().count(sentence) == 1
    assert sentence in render_page(results.json)
    assert "An interval clear of zero" not in results.report("spring").to_markdown()


def test_a_plan_may_go_by_the_false_discovery_rate_and_says_so(directory: Path) -> None:
    plan = "  - id: news\n    analysis: {multiple_testing: benjamini_hochberg, alpha: 0.1}\n"
    report = run(directory, DEFINITIONS.replace("  - id: news\n", plan), "by-name").report("news")
    assert report.json["verdict"]["plan"]["multiple_testing"] == "benjamini_hochberg"
    assert report.json["comparisons"]["B"]["variants"]["a"]["decided"] is True
    sentence = (
        "Decided: by Benjamini-Hochberg over all variants and conversion events. Of those decided 10 in 100 are "
        "expected to be wrong (the false discovery rate), and more than none may well be."
    )
    assert report.to_markdown().count(sentence) == 2
    assert "tested only after" not in report.to_markdown()


def test_results_of_before_a_plan_could_say_these_read_as_ever(directory: Path) -> None:
    rail = "  - id: news\n    analysis: {guardrails: [{event: B, margin: 5%}]}\n"
    made = run(directory, DEFINITIONS.replace("  - id: news\n", rail), "of-before")
    before = made.report("news").to_markdown()
    assert "B, below " in before
    told = json.loads((directory / "of-before" / "report.json").read_text("utf-8"))
    for verdict in [one["verdict"] for one in told["campaigns"] if one["verdict"]]:
        del verdict["plan"]["multiple_testing"]
        for one in verdict["guardrails"]:
            del one["worse"]
    (directory / "of-before" / "report.json").write_text(json.dumps(told), encoding="utf-8")
    assert afterword.Results(directory / "of-before").report("news").to_markdown() == before


def test_by_variant_other_events_wait_for_their_own_primary(directory: Path) -> None:
    plan = "  - id: news\n    analysis: {multiple_testing: by_variant}\n"
    notes = run(directory, DEFINITIONS.replace("  - id: news\n", plan), "by-variant").report("news").to_markdown()
    assert "in each variant the primary first" in notes
    assert "B is tested only after A is decided" in notes


def test_control_has_no_forecast_of_opens(results: afterword.Results) -> None:
    forecast = told(results, "news")["forecast"]
    assert forecast["C"]["a"]["rate"] == pytest.approx(0.1)
    assert forecast["C"]["none"] is None
    assert forecast["B"]["none"] is not None
    title, _, table, *_ = results.report("news").to_markdown().split("### Event C when the windows")[1].split("\n\n")
    assert title.endswith("have closed")
    assert [line.split("|")[1].strip() for line in table.splitlines()[2:]] == ["a"]


def test_what_has_no_share_and_nobody_keeps_no_verdict_waiting(results: afterword.Results) -> None:
    for campaign in ("spring", "pairs"):
        found = told(results, campaign)
        assert "later" in {variant["id"] for variant in found["variants"]}
        assert "later" not in {*found["verdict"]["rates"], *found["verdict"]["split"]["expected"]}
        assert list(found["comparisons"]["A"]["variants"]) == ["a"]


def test_a_canvas_is_judged_by_the_variant_chosen_at_entry(results: afterword.Results) -> None:
    verdict = told(results, "welcome")["verdict"]
    assert (verdict["answer"], verdict["variant"]) == ("winner", "a")
    assert 'of "One step", the next best' in verdict["sentence"]


def test_units_of_one_person_resemble_each_other_and_the_verdict_knows(results: afterword.Results) -> None:
    verdict = told(results, "pairs")["verdict"]
    assert verdict["rates"]["a"]["n"] == USERS  # persons, though a third of them is two units
    assert verdict["answer"] == "winner"


def test_the_page_and_the_tables_say_it_first(results: afterword.Results) -> None:
    sentence = told(results, "spring")["verdict"]["sentence"]
    page = render_page(results.json)
    assert sentence.replace('"', "&#34;") in page
    assert page.index("What this rests on") < page.index('<dl class="heads">')
    assert '<span class="badge">Winner</span>' in page
    text = results.report("spring").to_markdown()
    assert f"**{sentence}**" in text
    assert "### Guardrails: what must not get worse" in text
    assert "### Revenue, cut off at $6 per user, against none, in USD per user" in text
    assert "Other tools would show" in text


def test_labels_dealt_out_anew(results: afterword.Results, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--aa", "spring", "--results", str(results.path)]) == 0
    printed = capsys.readouterr().out
    assert "spring: the labels of 2,400 users over 11 days dealt out anew 1,000 times (seed 1)" in printed
    assert "the verdict names a variant" in printed
    assert main(["doctor", "--aa", "spring", "--results", str(results.path), "--seed", "2"]) == 0
    assert capsys.readouterr().out != printed
    assert main(["doctor", "--aa", "pairs", "--results", str(results.path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["users"], found["days"]) == (2_400, 11)
    assert found["verdict"] <= 0.05


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        pytest.param(["--aa", "sprint"], 'unknown campaign "sprint", did you mean "spring"?', id="no-such-campaign"),
        pytest.param(["x.yaml", "--aa", "spring"], "--aa goes with --results or --data, without files", id="files"),
    ],
)
def test_what_cannot_be_dealt_out_anew(
    results: afterword.Results, capsys: pytest.CaptureFixture[str], words: list[str], sentence: str
) -> None:
    assert main(["doctor", *words, "--results", str(results.path)]) == 2
    assert sentence in capsys.readouterr().err
