"""Answers on stdout: for people through rich, for machines as JSON, and nothing else beside it."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from afterword.interfaces.options import Format

PIPE_WIDTH = 200
"""Columns of a table that goes into a file or a pipe, where nothing wraps or is cut."""


class Report(Protocol):
    """A campaign's report, as far as printing it goes; rich renders it as a table."""

    @property
    def json(self) -> Mapping[str, Any]:
        """The campaign's part of `report.json`."""

    def to_csv(self) -> str:
        """One line per variant, under a header."""

    def to_markdown(self) -> str:
        """The tables in Markdown."""


class ShowsReports(Protocol):
    """Results, as far as printing their reports goes."""

    @property
    def campaign_ids(self) -> Sequence[str]:
        """All campaigns and Canvases, in their order."""

    def report(self, campaign: str) -> Report:
        """The report of one campaign."""


def say(text: str) -> None:
    """Print one plain line or text."""
    sys.stdout.write(text if text.endswith("\n") else f"{text}\n")


def say_at_once(text: str) -> None:
    """Print a line from a program that goes on: to a file or pipe it would otherwise come when the program ends."""
    say(text)
    sys.stdout.flush()


def counted(count: int, noun: str) -> str:
    """Return `1 row`, `2,000 rows`."""
    return f"{count:,} {noun if count == 1 else noun + 's'}"


def note(text: str) -> None:
    """Print what is not part of the answer to stderr."""
    sys.stderr.write(f"{text}\n")


def say_json(value: object) -> None:
    """Print a JSON document."""
    say(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def show(renderable: Any) -> None:
    """Print what rich can render: a table, a text, a group of them."""
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else PIPE_WIDTH, highlight=False)
    console.print(renderable, markup=False, soft_wrap=isinstance(renderable, str))


def show_report(report: Report, form: Format) -> None:
    """Print one campaign's report."""
    match form:
        case Format.TABLE:
            show(report)
        case Format.CSV:
            say(report.to_csv())
        case Format.MARKDOWN:
            say(report.to_markdown())
        case Format.JSON:
            say_json(report.json)


def say_rows(rows: Sequence[Mapping[str, object]]) -> None:
    """Print rows as tab-separated lines under their names: to be read, or cut and joined by other programs."""
    if rows:
        say("\t".join(rows[0]))
    for row in rows:
        say("\t".join("" if value is None else str(value) for value in row.values()))
