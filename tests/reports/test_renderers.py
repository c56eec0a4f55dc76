from __future__ import annotations

import csv
import io
import random
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from afterword.errors import UserError
from afterword.model import Variant
from afterword.reports import wording
from afterword.reports.facts import FactCounts
from afterword.reports.render_csv import csv_text, guarded
from afterword.reports.render_markdown import markdown
from afterword.reports.render_terminal import terminal_table
from afterword.reports.report import build_report
from tests.reports.derived import DAY, START, a_campaign, definitions, empty_tables, random_units, write

AS_OF = START + 6 * DAY
NASTY = (Variant("a", 9000, "=cmd|' /C calc'!A0"), Variant("c", 1000, "[red]x[/red] | *y*", control=True))


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    con = empty_tables()
    campaigns = [a_campaign(name="one"), replace(a_campaign(name="two"), variants=NASTY)]
    for index, campaign in enumerate(campaigns):
        write(con, index, random_units(random.Random(index), campaign, AS_OF))
    return build_report(con, definitions(*campaigns), FactCounts(), AS_OF)


def printed(report: dict[str, Any], campaign: str) -> str:
    console = Console(width=200, file=io.StringIO(), no_color=True)
    console.print(terminal_table(report, campaign))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_terminal_shows_the_numbers(report: dict[str, Any]) -> None:
    text = printed(report, "one")
    for on in report["campaigns"][0]["variants"][0]["conversions"].values():
        assert wording.percent(on["rate"]) in text
        assert wording.interval(on["interval"]) in text
    assert "A. Makes purchase (primary): any product · within 3 days" in text
    assert "Canvas steps" in text


def test_terminal_takes_no_name_for_markup(report: dict[str, Any]) -> None:
    assert "[red]x[/red] | *y*" in printed(report, "two")


def test_markdown_escapes_what_would_end_a_cell(report: dict[str, Any]) -> None:
    text = markdown(report, "two")
    assert "\\[red\\]x\\[/red\\] \\| \\*y\\*" in text
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert tables
    assert "## one" in markdown(report)
    assert "## one" not in text


def test_csv_has_a_row_per_variant_and_event_with_exact_numbers(report: dict[str, Any]) -> None:
    rows = list(csv.DictReader(io.StringIO(csv_text(report, "one"))))
    assert len(rows) == 5 * 3
    first = report["campaigns"][0]["variants"][0]
    assert float(rows[0]["rate"]) == first["conversions"]["A"]["rate"]
    assert rows[0]["revenue"] == first["revenue"]["amount"]
    assert [row["row"] for row in rows[::3]] == ["variant", "variant", "variant", "total", "total_with_control"]


def test_csv_guards_names_against_formulas(report: dict[str, Any]) -> None:
    rows = list(csv.DictReader(io.StringIO(csv_text(report))))
    assert "'=cmd|' /C calc'!A0" in {row["variant_name"] for row in rows}
    assert not any(value.startswith(("=", "@", "+")) for row in rows for value in row.values())


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_formula_starts_get_an_apostrophe(start: str) -> None:
    assert guarded(f"{start}1") == f"'{start}1"
    assert guarded(f"a{start}1") == f"a{start}1"


def test_an_unknown_campaign_names_the_nearest(report: dict[str, Any]) -> None:
    with pytest.raises(UserError, match='no campaign "onee" in this report, did you mean "one"'):
        terminal_table(report, "onee")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (wording.number(10_021), "10,021"),
        (wording.number(None), "–"),
        (wording.percent(0.0732), "7.32\u202f%"),
        (wording.signed_percent(0.1994), "+19.9\u202f%"),
        (wording.signed_percent(-0.1994), "\u221219.9\u202f%"),
        (wording.signed_percent(-0.0000001), "0.0\u202f%"),
        (wording.confidence(99.9), "99.9\u202f%"),
        (wording.confidence(99.93), ">\u202f99.9\u202f%"),
        (wording.confidence(99.95), ">\u202f99.9\u202f%"),
        (wording.confidence(99.99), ">\u202f99.9\u202f%"),
        (wording.confidence(99.9999), ">\u202f99.99\u202f%"),
        (wording.confidence(None), "–"),
        (wording.money("-30311.69", "USD"), "\u2212$30,311.69"),
        (wording.money("30311", "CHF"), "30,311\u202fCHF"),
        (wording.per_unit("0.652300", "USD"), "$0.6523"),
        (wording.per_unit("1.422615", "USD"), "$1.42"),
        (wording.duration(59.4), "59 s"),
        (wording.duration(7_500), "2 h 5 min"),
        (wording.duration(86_400 * 1.5), "1 d 12 h"),
        (wording.moment("2026-11-22T14:03:07.5Z"), "22 Nov 2026, 14:03 UTC"),
    ],
)
def test_how_numbers_read(text: str, expected: str) -> None:
    assert text == expected
