from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from afterword.model import LETTERS
from afterword.reports.facts import FactCounts
from afterword.reports.report import build_report
from tests.reports.derived import DAY, START, VARIANTS, a_campaign, definitions, empty_tables, random_units, write

DOCS = Path(__file__).resolve().parents[2] / "docs" / "report-json.md"
FREE = {*LETTERS, *(variant.id for variant in VARIANTS), "sent", "bounced", "aborted"}
"""Keys that are letters, ids or outcomes."""


def keys_of(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
    for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from keys_of(child)


def test_every_key_of_report_json_is_documented() -> None:
    con = empty_tables()
    as_of = START + 6 * DAY
    write(con, 0, random_units(random.Random(1), a_campaign(), as_of))
    report = build_report(con, definitions(a_campaign()), FactCounts(), as_of)
    documented = set(re.findall(r"`(\w+)`", DOCS.read_text("utf-8")))
    assert set(keys_of(report)) - FREE <= documented
