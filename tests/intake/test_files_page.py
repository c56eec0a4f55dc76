"""docs/files.md names every column, format and reason, the reasons in the order in which they win."""

from __future__ import annotations

import re
from pathlib import Path

from afterword.errors import Reason
from afterword.intake.facts import MANDATORY, columns_of
from afterword.intake.sources import format_of
from afterword.model import Channel, EventKind, Outcome

PAGE = (Path(__file__).parents[2] / "docs" / "files.md").read_text(encoding="utf-8")


def test_every_column_is_on_the_page() -> None:
    assert [(kind, name) for kind in MANDATORY for name in columns_of(kind) if f"`{name}`" not in PAGE] == []


def test_the_reasons_stand_in_the_order_in_which_they_win() -> None:
    table = PAGE.split("| reason | when |")[1]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == [reason.value for reason in Reason]


def test_every_word_of_a_closed_list_is_on_the_page() -> None:
    words = [*Channel, *Outcome, *(kind.label for kind in EventKind)]
    assert [word for word in words if f"`{word}`" not in PAGE] == []


def test_every_ending_on_the_page_can_be_read() -> None:
    table = PAGE.split("| name | format |")[1].split("\n\n")[0]
    names = " ".join(line.split("|")[1] for line in table.splitlines() if line.startswith("|"))
    endings = set(re.findall(r"`(\.[a-z.]+)`", names))
    assert {ending for ending in endings if ending not in (".gz", ".zst")} >= {".csv", ".csv.gz", ".ndjson", ".parquet"}
    assert [e for e in endings if e not in (".gz", ".zst") and format_of(f"x{e}") is None] == []
