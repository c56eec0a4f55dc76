"""Who did something, and when, in words."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from afterword.interfaces.web import written
from afterword.interfaces.web.visits import Visit, Web
from afterword.store.accounts import UnknownAccount
from afterword.store.audit import COMMAND


def who(web: Web, visit: Visit, actor: str) -> str:
    """Return what somebody is called, as the audit log names them."""
    if actor == visit.account.id:
        return "you"
    if actor == COMMAND:
        return "a command"
    if actor.startswith("key:"):
        return f"the key {actor.removeprefix('key:')}"
    try:
        return web.server.data.metadata.accounts.get(actor).name
    except UnknownAccount:
        return "somebody"


def moment_of(web: Web, at: int) -> str:
    """Return a time in the workspace's zone, which it says: `28 Nov 2026, 14:03 Europe/Berlin`."""
    return moment_in(web.server.data.metadata.workspace().timezone, at)


def moment_in(zone: str, at: int) -> str:
    """Return a time in a zone, as `moment_of` does."""
    value = datetime.fromtimestamp(at // 1_000_000, UTC).astimezone(ZoneInfo(zone))
    return f"{written.date_of(value)}, {value:%H:%M} {zone}"
