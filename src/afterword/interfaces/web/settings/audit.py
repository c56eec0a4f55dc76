"""Who did what, and when."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response

from afterword.interfaces.web.links import link
from afterword.interfaces.web.settings.tabs import settings_page, when
from afterword.interfaces.web.visits import Visit, Web

SHOWN = 100


@dataclass(frozen=True, slots=True)
class Line:
    """Something that was done."""

    when: str
    who: str
    action: str
    subject: str
    detail: str


@dataclass(frozen=True, slots=True)
class AuditLog:
    """What the page shows."""

    lines: Sequence[Line]
    older: str


def show(web: Web, visit: Visit) -> Response:
    """Show it, the newest first."""
    metadata = web.server.data.metadata
    before = visit.asked("before")
    found = metadata.audit.list(SHOWN + 1, int(before) if before.isdecimal() else None)
    names = {one.id: one.name for one in metadata.accounts.list()}
    names |= {f"key:{one.id}": f"key {one.name}" for one in metadata.keys.list()}
    lines = [
        Line(
            when=when(one.at),
            who=names.get(one.actor, one.actor),
            action=one.action.replace(".", " "),
            subject=names.get(one.subject, one.subject) + (f", user {one.user_id}" if one.user_id else ""),
            detail=", ".join(f"{name}: {_shown(value)}" for name, value in one.detail.items()),
        )
        for one in found[:SHOWN]
    ]
    older = link("/settings/audit", before=str(found[SHOWN - 1].number)) if len(found) > SHOWN else ""
    return settings_page("settings_audit.html.j2", visit, "Audit log", view=AuditLog(lines, older))


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
