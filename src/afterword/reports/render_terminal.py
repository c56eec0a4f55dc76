"""A campaign as tables for a terminal or a notebook (rich)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from afterword.reports import wording
from afterword.reports.text_table import TextTable, campaign_of, headline, remarks, tables
from afterword.reports.verdict_tables import other_tools, verdict_sentences, verdict_tables

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table


def terminal_table(report: dict[str, Any], campaign_id: str) -> RenderableType:
    """The report of one campaign as something that rich prints."""
    from rich.console import Group
    from rich.text import Text

    campaign = campaign_of(report, campaign_id)
    parts: list[RenderableType] = [
        Text(campaign["name"] or campaign["id"], style="bold"),
        Text(f"{headline(campaign)} · as of {wording.moment(report['as_of'])}", style="dim"),
    ]
    verdict, *more = verdict_sentences(campaign) or [""]
    parts.extend([Text(verdict, style="bold green"), *map(Text, more)] if verdict else [])
    parts.extend(Text(sentence, style="yellow") for sentence in remarks(campaign))
    for table in [*tables(campaign), *verdict_tables(campaign)]:
        parts.extend([Text(""), _laid_out(table)])
    if others := other_tools(campaign):
        parts.extend([Text(""), Text(others, style="dim")])
    return Group(*parts)


def _laid_out(table: TextTable) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    # Names are text, never markup: a variant called "[red]" prints as it is.
    laid_out = Table(
        title=Text(table.title, style="bold"),
        title_justify="left",
        caption=Text(table.note, style="dim") if table.note else None,
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    for position, heading in enumerate(table.headings):
        laid_out.add_column(heading, justify="right" if position else "left", overflow="fold")
    for row in table.rows:
        laid_out.add_row(*(Text(cell) for cell in row))
    return laid_out
