"""API keys: made, listed, revoked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response

from afterword.errors import UserError
from afterword.interfaces.web.rendering import go
from afterword.interfaces.web.settings.tabs import settings_page, when
from afterword.interfaces.web.visits import Visit, Web
from afterword.store.keys import Key
from afterword.store.permissions import Permission

PATH = "/settings/keys"
KITS = (
    ("report", "Report facts: apps and senders", (Permission.API_WRITE,)),
    ("segment", "Segment sources", (Permission.SEGMENT_WRITE,)),
    ("braze", "Braze clients that write", (Permission.USERS_TRACK, Permission.USERS_IDENTIFY, Permission.USERS_MERGE)),
    ("read", "Read results", (Permission.API_READ,)),
    ("define", "Read results and change campaigns", (Permission.API_READ, Permission.API_DEFINITIONS)),
    ("admin", "Everything", (Permission.ADMIN,)),
)


@dataclass(frozen=True, slots=True)
class Row:
    """A key without its secret."""

    id: str
    name: str
    permissions: str
    created: str
    used: str
    revoked: str


@dataclass(frozen=True, slots=True)
class Keys:
    """What the page shows; `secret` is shown this once."""

    keys: Sequence[Row]
    kits: Sequence[tuple[str, str]] = tuple((name, label) for name, label, _ in KITS)
    permissions: Sequence[str] = tuple(one.value for one in Permission)
    name: str = ""
    kit: str = "report"
    chosen: frozenset[str] = frozenset()
    error: str = ""
    secret: str = ""


def show(web: Web, visit: Visit) -> Response:
    """Show them."""
    return settings_page("settings_keys.html.j2", visit, "Keys", view=Keys(_rows(web)))


def create(web: Web, visit: Visit) -> Response:
    """Make a key, and show its secret once."""
    metadata = web.server.data.metadata
    name, kit = visit.sent("name"), visit.sent("kit")
    chosen = frozenset(visit.form.get("permission", ()))
    wanted = chosen or {one.value for known, _, kept in KITS if known == kit for one in kept}
    try:
        made = metadata.keys.create(name, sorted(wanted), visit.now, web.chance)
    except UserError as error:
        view = Keys(_rows(web), name=name, kit=kit, chosen=chosen, error=str(error))
        return settings_page("settings_keys.html.j2", visit, "Keys", 400, view=view)
    detail = {"name": made.key.name, "permissions": sorted(made.key.permissions)}
    metadata.audit.add(visit.now, visit.account.id, "key.created", made.key.id, detail)
    return settings_page("settings_keys.html.j2", visit, "Keys", view=Keys(_rows(web), secret=made.secret))


def revoke(web: Web, visit: Visit) -> Response:
    """End a key for good."""
    metadata = web.server.data.metadata
    key = metadata.keys.revoke(visit.sent("key"), visit.now)
    metadata.audit.add(visit.now, visit.account.id, "key.revoked", key.id, {"name": key.name})
    return go(PATH)


def _rows(web: Web) -> list[Row]:
    return [_row(one) for one in web.server.data.metadata.keys.list()]


def _row(one: Key) -> Row:
    return Row(
        id=one.id,
        name=one.name,
        permissions=", ".join(sorted(one.permissions)),
        created=when(one.created_at),
        used=when(one.last_used_at),
        revoked=when(one.revoked_at, ""),
    )
