"""Reports as Markdown, for a wiki, a pull request or a chat."""

from __future__ import annotations

import re
from typing import Any

from afterword.reports import wording
from afterword.reports.text_table import TextTable, campaigns_of, headline, remarks, tables
from afterword.reports.verdict_tables import other_tools, verdict_sentences, verdict_tables

_SPECIAL = re.compile(r"([\\`*_\[\]<>|#~])")


def markdown(report: dict[str, Any], campaign_id: str | None = None) -> str:
    """One campaign, or all, as Markdown with a table per conversion event."""
    parts = []
    for campaign in campaigns_of(report, campaign_id):
        parts.append(f"## {escaped(campaign['name'] or campaign['id'])}")
        parts.append(f"{escaped(headline(campaign))} · as of {wording.moment(report['as_of'])}")
        verdict, *more = verdict_sentences(campaign) or [""]
        if verdict:
            parts.append(" ".join([f"**{escaped(verdict)}**", *map(escaped, more)]))
        parts.extend(f"> {escaped(sentence)}" for sentence in remarks(campaign))
        parts.extend(_table(table) for table in [*tables(campaign), *verdict_tables(campaign)])
        if others := other_tools(campaign):
            parts.append(escaped(others))
    return "\n\n".join(parts) + "\n"


def escaped(text: str) -> str:
    """Text in which nothing is markup and nothing ends a table's row."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split("\n"))).replace("\r", " ")


def _table(table: TextTable) -> str:
    lines = [
        f"### {escaped(table.title)}",
        "",
        *([escaped(table.note), ""] if table.note else []),
        "| " + " | ".join(table.headings) + " |",
        "| :-- |" + " --: |" * (len(table.headings) - 1),
        *("| " + " | ".join(escaped(cell) for cell in row) + " |" for row in table.rows),
    ]
    return "\n".join(lines)
