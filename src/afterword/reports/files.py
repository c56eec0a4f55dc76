"""The two report files of a results directory: report.json and report.html."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

MAX_INLINE = 100
MAX_INLINE_KEYS = 4
"""An object with so few keys that fits into so many characters stays on one line."""

_inline = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


def write_report_files(report: dict[str, Any], directory: Path | str) -> None:
    """Write report.json and report.html into a directory that exists."""
    from afterword.reports.page import render_page  # Jinja2 is not needed by those who only want numbers

    folder = Path(directory)
    folder.joinpath("report.json").write_text(json_text(report), encoding="utf-8")
    folder.joinpath("report.html").write_text(render_page(report), encoding="utf-8")


def json_text(report: dict[str, Any]) -> str:
    """JSON with a line for each campaign and for everything else at the top; readers that indent are plenty."""
    lines = []
    for key, value in report.items():
        if isinstance(value, list) and value:
            inside = ",\n".join(f"    {_compact(item)}" for item in value)
            lines.append(f"  {_compact(key)}: [\n{inside}\n  ]")
        else:
            lines.append(f"  {_compact(key)}: {_compact(value)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
