"""The demo through the engine: it finds what is known to be true."""

from __future__ import annotations

from typing import Any

import pytest

import afterword
from afterword.demo import DemoFiles, write_demo


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> DemoFiles:
    return write_demo(tmp_path_factory.mktemp("demo"))


@pytest.fixture(scope="module")
def results(demo: DemoFiles) -> afterword.Results:
    return afterword.run(
        demo.definitions,
        exposures=[str(path) for path in demo.exposures],
        events=[str(path) for path in demo.events],
        step_messages=[str(path) for path in demo.step_messages],
    )


def campaign(results: afterword.Results, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(entry for entry in results.json["campaigns"] if entry["id"] == name)
    return found


def test_published_totals_are_found_again(results: afterword.Results) -> None:
    rows = {
        row["id"]: (
            row["exposed"],
            row["conversions"]["B"]["converted"],
            row["conversions"]["A"]["converted"],
            row["revenue"]["amount"],
        )
        for row in campaign(results, "email-test")["variants"]
    }
    assert rows == {
        "mens": (21_307, 3_894, 267, "30311.69"),
        "womens": (21_387, 3_238, 189, "23038.11"),
        "control": (21_306, 2_262, 122, "13908.33"),
    }


def test_persons_who_came_of_age_sum_up_to_the_published_totals(results: afterword.Results) -> None:
    """The published window is the deadline and everybody got one e-mail, so nobody is missing."""
    variants = campaign(results, "email-test")["persons"]["variants"]
    sums = {
        name: (
            sum(one["first_exposed"]),
            *(sum(one["conversions"][letter][field]) for letter in "BA" for field in ("n", "y")),
            sum(one["revenue"]["n"]),
            round(sum(one["revenue"]["y"]), 2),
        )
        for name, one in variants.items()
    }
    assert sums == {
        "mens": (21_307, 21_307, 3_894, 21_307, 267, 21_307, 30311.69),
        "womens": (21_387, 21_387, 3_238, 21_387, 189, 21_387, 23038.11),
        "control": (21_306, 21_306, 2_262, 21_306, 122, 21_306, 13908.33),
    }


def test_lift_of_the_mens_email_on_buying_is_as_published(results: afterword.Results) -> None:
    mens = next(row for row in campaign(results, "email-test")["variants"] if row["id"] == "mens")
    assert f"{mens['conversions']['A']['lift']:+.1%}" == "+118.8%"


@pytest.mark.parametrize("name", ["email-test", "update-app", "welcome"])
def test_every_count_is_the_known_truth(demo: DemoFiles, results: afterword.Results, name: str) -> None:
    truth = demo.truth.campaigns[name].variants
    for row in campaign(results, name)["variants"]:
        known = truth[row["id"]]
        conversions = row["conversions"]
        assert row["exposed"] == known.exposed
        assert {letter: counts["converted"] for letter, counts in conversions.items()} == known.converted
        assert {letter: counts["pending"] for letter, counts in conversions.items()} == known.pending
        assert row["revenue"]["amount"] == f"{known.revenue_cents / 100:.2f}"
        assert row["revenue"]["unconverted"] == {}


def test_steps_of_the_canvas_get_the_known_credit(demo: DemoFiles, results: afterword.Results) -> None:
    truth = demo.truth.campaigns["welcome"]
    steps = results.conversions.filter("campaign_id = 'welcome' AND step_id IS NOT NULL").aggregate(
        "variant_id, step_id, conversion_event, count(*) AS n"
    )
    assert {(variant, step, letter): n for variant, step, letter, n in steps.fetchall()} == truth.step_converted


def test_opens_and_clicks_before_conversions_are_the_known_ones(demo: DemoFiles, results: afterword.Results) -> None:
    truth = demo.truth.campaigns["email-test"]
    flags = results.conversions.filter("campaign_id = 'email-test'").aggregate(
        "variant_id, conversion_event, count(*) FILTER (after_open), count(*) FILTER (after_click)"
    )
    rows = flags.fetchall()
    assert {(variant, letter): opened for variant, letter, opened, _ in rows} == truth.after_open
    assert {(variant, letter): clicked for variant, letter, _, clicked in rows} == truth.after_click


def test_repetitions_and_broken_rows_are_counted_and_named(demo: DemoFiles, results: afterword.Results) -> None:
    facts = results.json["facts"]
    assert facts["repetitions"] == demo.truth.repetitions
    assert facts["rejected"] == demo.truth.rejected


def test_results_are_as_of_the_latest_fact(results: afterword.Results) -> None:
    assert str(results.as_of) == "2008-05-01 00:00:00+00:00"


def test_everybody_behind_a_number_can_be_listed(results: afterword.Results) -> None:
    buyers = results.users("email-test", variant="mens", event="A", state="converted")
    assert len(buyers) == 267


def test_once_per_user_counts_people_instead_of_entries(demo: DemoFiles, results: afterword.Results) -> None:
    text = demo.definitions.read_text(encoding="utf-8")
    changed = demo.directory / "once-per-user.yaml"
    changed.write_text(text.replace("once_per_exposure", "once_per_user"), encoding="utf-8")
    other = afterword.run(
        changed,
        exposures=[str(path) for path in demo.exposures],
        events=[str(path) for path in demo.events],
        step_messages=[str(path) for path in demo.step_messages],
    )
    people = campaign(other, "welcome")["total_with_control"]
    entries = campaign(results, "welcome")["total_with_control"]
    assert people["exposed"] == 3_000
    assert entries["exposed"] > 3_600
    assert people["conversions"]["A"]["converted"] < entries["conversions"]["A"]["converted"]
