from __future__ import annotations

import json
import random
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from afterword.model import Campaign, Variant
from afterword.reports.facts import FactCounts
from afterword.reports.files import json_text, write_report_files
from afterword.reports.page import render_page
from afterword.reports.report import build_report
from tests.reports.derived import DAY, START, a_campaign, definitions, empty_tables, random_units, write

AS_OF = START + 6 * DAY
VOID = {"meta", "input", "line", "circle", "path", "use", "br", "link", "img"}


def report_of(*campaigns: Campaign, filled: bool = True) -> dict[str, Any]:
    con = empty_tables()
    for index, campaign in enumerate(campaigns):
        if filled:
            write(con, index, random_units(random.Random(index), campaign, AS_OF))
    facts = FactCounts(events=7, rejected={"bad_time": 3}, notes=["times without an offset were read as UTC"])
    return build_report(con, definitions(*campaigns), facts, AS_OF, ["abc"] * len(campaigns))


class Checked(HTMLParser):
    """Collects what the tests look at, and finds tags that do not match."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.wrong: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


@pytest.fixture(scope="module")
def page() -> str:
    return render_page(report_of(a_campaign(name="one"), a_campaign(name="two")))


def test_page_is_well_formed(page: str) -> None:
    checked = Checked(page)
    assert (checked.wrong, checked.open) == ([], [])


def test_page_asks_for_nothing_from_outside(page: str) -> None:
    for tag, attributes in Checked(page).tags:
        assert tag not in {"script", "link", "img", "iframe", "object"}
        for name in ("href", "src"):
            assert (attributes.get(name) or "#").startswith("#")
        assert not any(name.startswith("on") for name in attributes)
    assert "url(" not in page
    assert "@import" not in page


def test_ids_are_unique_and_references_lead_somewhere(page: str) -> None:
    tags = Checked(page).tags
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in tags:
        references = [attributes.get("for"), (attributes.get("href") or "").removeprefix("#")]
        references += (attributes.get("aria-labelledby") or "").split()
        assert {reference for reference in references if reference} <= set(ids)


def test_tables_and_charts_can_be_read_aloud(page: str) -> None:
    tags = Checked(page).tags
    assert all(attributes.get("scope") in ("col", "row") for tag, attributes in tags if tag == "th")
    assert page.count("<table>") == page.count("<caption>")
    charts = [attributes for tag, attributes in tags if tag == "svg" and "chart" in (attributes.get("class") or "")]
    assert charts
    assert all(chart["role"] == "img" and len((chart["aria-labelledby"] or "").split()) == 2 for chart in charts)


def test_every_conversion_event_has_a_tab_and_a_panel(page: str) -> None:
    for letter in "ABC":
        assert page.count(f'<div class="panel {letter}">') == 2
        assert page.count(f'<input class="{letter}" type="radio"') == 2


def test_numbers_of_the_report_are_on_the_page(page: str) -> None:
    report = report_of(a_campaign(name="one"), a_campaign(name="two"))
    for campaign in report["campaigns"]:
        for variant in campaign["variants"]:
            for on in variant["conversions"].values():
                assert f"<td>{on['converted']:,}</td>" in page
                assert f"{100 * on['rate']:.2f}\u202f%" in page


def test_names_are_text_and_never_markup() -> None:
    evil = "<script>alert(1)</script>"
    variants = (Variant("a", 9000, evil), Variant("c", 1000, control=True))
    campaign = replace(a_campaign(), name=evil, variants=variants, tags=(evil,))
    page = render_page(report_of(campaign))
    assert "<script" not in page
    assert "&lt;script&gt;" in page


@pytest.mark.parametrize(
    ("campaign", "filled", "sentence"),
    [
        pytest.param(a_campaign(), False, "Nobody was exposed", id="nobody"),
        pytest.param(
            replace(a_campaign(), variants=(Variant("a", 5000), Variant("b", 5000))),
            True,
            "no control group",
            id="no-control",
        ),
        pytest.param(replace(a_campaign(), variants=(Variant("a", 10000),)), True, "one variant", id="one-variant"),
        pytest.param(replace(a_campaign(), conversion_events=()), True, "no conversion events", id="no-events"),
        pytest.param(a_campaign(), True, "Opens and clicks are not compared", id="clicks"),
    ],
)
def test_what_does_not_apply_is_said(campaign: Campaign, filled: bool, sentence: str) -> None:
    page = render_page(report_of(campaign, filled=filled))
    assert sentence in page
    assert not {"nan", "None", "inf"} & set(re.findall(r">\s*([A-Za-z]+)\s*<", page))


def test_nobody_converted_is_said() -> None:
    con = empty_tables()
    units = random_units(random.Random(1), a_campaign(), AS_OF)
    for unit in units:
        for exposure in unit.exposures:
            exposure.conversions.clear()
    write(con, 0, units)
    page = render_page(build_report(con, definitions(a_campaign()), FactCounts(), AS_OF))
    assert "Nobody has converted on A so far." in page


def test_files_are_written_and_json_reads_back(tmp_path: Path) -> None:
    report = report_of(a_campaign())
    write_report_files(report, tmp_path)
    assert json.loads((tmp_path / "report.json").read_text("utf-8")) == report
    assert (tmp_path / "report.html").read_text("utf-8").startswith("<!doctype html>")


def test_json_has_a_line_for_each_campaign() -> None:
    value = {"as_of": "ü", "facts": {"events": 1}, "campaigns": [{"id": "a"}, {"id": "b", "n": [1, 2]}], "none": []}
    assert json_text(value) == (
        '{\n  "as_of": "ü",\n  "facts": {"events": 1},\n'
        '  "campaigns": [\n    {"id": "a"},\n    {"id": "b", "n": [1, 2]}\n  ],\n  "none": []\n}\n'
    )
