"""The tabs of the settings, and what their pages share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from afterword.interfaces.moments import iso
from afterword.interfaces.web import written
from afterword.interfaces.web.rendering import page
from afterword.interfaces.web.visits import Visit

TABS = (
    ("/settings", "Workspace"),
    ("/settings/people", "People"),
    ("/settings/keys", "Keys"),
    ("/settings/rates", "Exchange rates"),
    ("/settings/holdouts", "Holdouts"),
    ("/settings/deletions", "Deletions"),
    ("/settings/audit", "Audit log"),
)


@dataclass(frozen=True, slots=True)
class Tab:
    """One of them."""

    address: str
    label: str
    current: bool


def settings_page(template: str, visit: Visit, label: str, status: int = 200, **views: Any) -> Response:
    """Answer with a page of the settings."""
    tabs: Sequence[Tab] = [Tab(address, name, name == label) for address, name in TABS]
    return page(template, visit, f"{label} · Settings", "settings", status, tabs=tabs, heading=label, **views)


def when(at: int | None, otherwise: str = "never") -> str:
    """Return a time as pages show it; `at` in epoch microseconds."""
    told = iso(at)
    return otherwise if told is None else written.moment(told)
