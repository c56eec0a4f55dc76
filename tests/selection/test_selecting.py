"""Decisions from real results, through the door that a user has: files, a run, `afterword select`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest

from afterword.interfaces.cli import main

START = datetime(2026, 9, 1, tzinfo=UTC)
DAYS = 12


def written(directory: Path, **selection: object) -> Path:
    """A campaign with three variants; `quick` and `slow` convert alike in the end, `slow` on the last day."""
    definition = {
        "workspace": {"timezone": "Europe/Berlin"},
        "campaigns": [
            {
                "id": "weekly",
                "variants": [
                    {"id": "quick", "share": 30},
                    {"id": "slow", "share": 30},
                    {"id": "weak", "share": 30},
                    {"id": "control", "share": 10, "control": True},
                ],
                "conversion_events": [{"kind": "custom", "name": "order", "deadline": "3 days"}],
                "selection": {"mode": "intelligent", **selection},
            }
        ],
    }
    (directory / "campaigns.json").write_text(json.dumps(definition), encoding="utf-8")
    exposures, events = ["user_id,campaign_id,variant_id,exposed_at"], ["user_id,kind,occurred_at,name"]
    for day in range(DAYS):
        for number in range(160):
            variant = ("quick", "slow", "weak", "control")[number % 4]
            user, at = f"u{day}-{number}", START + timedelta(days=day, minutes=9 * number)
            exposures.append(f"{user},weekly,{variant},{at.isoformat()}")
            delay = {"quick": 2, "slow": 60, "weak": 5, "control": 5}[variant]
            converts = number // 4 % (5 if variant in ("quick", "slow") else 20) == 0
            occurred = at + timedelta(hours=delay)
            if converts and occurred <= START + timedelta(days=DAYS):
                events.append(f"{user},custom,{occurred.isoformat()},order")
    (directory / "exposures.csv").write_text("\n".join(exposures) + "\n", encoding="utf-8")
    (directory / "events.csv").write_text("\n".join(events) + "\n", encoding="utf-8")
    return directory


def said(*arguments: str) -> tuple[int, str, str]:
    with redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as err:
        code = main(list(arguments))
    return code, out.getvalue(), err.getvalue()


def ran(directory: Path, extra: Sequence[str] = ()) -> str:
    out = str(directory / "results")
    code, _, err = said(
        "run",
        str(directory / "campaigns.json"),
        "--exposures",
        str(directory / "exposures.csv"),
        "--events",
        str(directory / "events.csv"),
        "--out",
        out,
        *extra,
    )
    assert code == 0, err
    return out


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> str:
    return ran(written(tmp_path_factory.mktemp("weekly")), ["--as-of", (START + timedelta(days=DAYS)).isoformat()])


def test_results_lead_to_shares_and_a_reason(results: str) -> None:
    code, out, err = said("select", "weekly", "--results", results, "--seed", "5", "--json")
    assert code == 0, err
    found = json.loads(out)
    standing = {one["id"]: one for one in found["variants"]}
    assert found["stage"] == "learning"
    assert sum(found["shares"].values()) == pytest.approx(100)
    assert found["shares"]["control"] == 10
    assert {name: one["users"] for name, one in standing.items()} == {"quick": 480, "slow": 480, "weak": 480}
    # A fifth of both converts; of `slow` the conversions of the last two and a half days are still to come.
    assert standing["slow"]["converted"] < 0.85 * standing["quick"]["converted"]
    assert standing["slow"]["rate"] == pytest.approx(0.2, abs=0.02)
    assert standing["quick"]["rate"] == pytest.approx(0.2, abs=0.02)
    assert standing["weak"]["probability_best"] < 0.01
    assert found["shares"]["weak"] == pytest.approx(0.9, abs=0.1)
    assert found["shares"]["slow"] > 20
    assert found["replays"]


def test_ages_are_those_of_the_clock_that_was_put_forward(results: str) -> None:
    _, out, _ = said("select", "weekly", "--results", results, "--json")
    last = json.loads(out)["inputs"]["situation"]["cohorts"][-2]
    # In Berlin 12 September began at 22:00 UTC, in summer time, and results are as of the 13th, 00:00 UTC.
    assert (last["first_day"], last["oldest"], last["youngest"]) == ("2026-09-12", 26.0, 2.0)


def test_the_same_seed_gives_the_same_decision(results: str) -> None:
    first, again, other = (
        json.loads(said("select", "weekly", "--results", results, "--json", "--seed", seed)[1])
        for seed in ("5", "5", "6")
    )
    assert first == again
    assert other["shares"] != first["shares"]


def test_people_get_a_table_and_words(results: str) -> None:
    code, out, _ = said("select", "weekly", "--results", results, "--seed", "5")
    assert code == 0
    assert out.startswith("variant\tshare before\tshare\tusers\tconverted\tstill open\texpected rate\tbest with\n")
    assert "control\t10 %\tunchanged" in out
    assert "is the best with a probability of" in out
    assert out.endswith("Seed 5. Nothing was kept or changed.\n")


def test_shares_of_files_are_not_applied(results: str) -> None:
    code, _, err = said("select", "weekly", "--results", results, "--apply")
    assert code == 2
    assert "--apply changes the shares of a data directory" in err


def test_an_unknown_campaign_is_named_nearest(results: str) -> None:
    code, _, err = said("select", "weakly", "--results", results)
    assert code == 2
    assert 'unknown campaign "weakly", did you mean "weekly"?' in err


def test_settings_of_the_definition_hold(tmp_path: Path) -> None:
    out = ran(written(tmp_path, training_users=1000, floor=5), ["--as-of", (START + timedelta(days=DAYS)).isoformat()])
    _, told, _ = said("select", "weekly", "--results", out)
    assert "In training, with equal shares" in told
    assert "of the 1,000 users" in told


def test_reports_of_adapted_shares_print_no_ordinary_intervals(results: str) -> None:
    code, out, err = said("report", "weekly", "--results", results, "--json")
    assert code == 0, err
    campaign = json.loads(out)
    (warning,) = [one for one in campaign["warnings"] if one["code"] == "adapted_shares"]
    assert "weighted by share epoch" in warning["message"]
    quick = next(one for one in campaign["variants"] if one["id"] == "quick")["conversions"]["A"]
    assert (quick["lift"], quick["confidence"], quick["interval"]) == (None, None, None)
    low, high = quick["difference_interval"]
    assert low < quick["difference"] < high
    # Of those who have come of age a fifth and a twentieth convert.
    assert quick["difference"] == pytest.approx(0.15, abs=0.01)
    control = next(one for one in campaign["variants"] if one["id"] == "control")["conversions"]["A"]
    assert control["difference"] is None
    assert control["interval"] is not None  # its share never changes
