"""report.html: one self-contained page per run, drawn from the content of report.json alone."""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from afterword.reports import wording
from afterword.reports.charts import WIDTH
from afterword.reports.page_context import page_of


@cache
def environment() -> Environment:
    """The templates, escaping everything; a name that a context does not have is an error."""
    env = Environment(
        loader=PackageLoader("afterword.reports", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters["number"] = wording.number
    return env


def render_page(report: dict[str, Any]) -> str:
    """Render the whole page."""
    return environment().get_template("report.html.j2").render(page=page_of(report), width=WIDTH)
