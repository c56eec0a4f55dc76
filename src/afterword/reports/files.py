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
    """JSON that people can read: objects are indented, lists of numbers and small objects take one line."""
    parts: list[str] = []
    _write(report, 0, parts)
    parts.append("\n")
    return "".join(parts)


def _write(value: object, depth: int, parts: list[str]) -> None:
    if not isinstance(value, dict | list) or not value or _is_flat(value):
        parts.append(_inline(value))
        return
    inner, outer = "\n" + "  " * (depth + 1), "\n" + "  " * depth
    brackets = "{}" if isinstance(value, dict) else "[]"
    parts.append(brackets[0])
    entries = value.items() if isinstance(value, dict) else enumerate(value)
    for position, (key, child) in enumerate(entries):
        parts.append(("," if position else "") + inner)
        if isinstance(value, dict):
            parts.append(_inline(key) + ": ")
        _write(child, depth + 1, parts)
    parts.append(outer + brackets[1])


def _is_flat(value: dict[str, Any] | list[Any]) -> bool:
    """Whether it takes one line: a list of plain values (lists here are all of one sort), or a small object."""
    if isinstance(value, list):
        return not isinstance(value[0], dict | list)
    return len(value) <= MAX_INLINE_KEYS and len(_inline(value)) <= MAX_INLINE
