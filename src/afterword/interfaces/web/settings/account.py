"""One's own account: the password."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.responses import Response

from afterword.errors import UserError
from afterword.interfaces.web.rendering import go, page
from afterword.interfaces.web.visits import Visit, Web, keep_session


@dataclass(frozen=True, slots=True)
class Mine:
    """What the page shows."""

    name: str
    email: str
    role: str
    done: bool = False
    error: str = ""


def show(_web: Web, visit: Visit) -> Response:
    """Show it."""
    return _page(visit, done=visit.asked("changed") == "yes")


def change(web: Web, visit: Visit) -> Response:
    """Set another password; all other sessions end."""
    metadata = web.server.data.metadata
    old, new, again = (visit.form.get(name, [""])[-1] for name in ("old", "password", "again"))
    if new != again:
        return _page(visit, error="The two new passwords differ.")
    if metadata.accounts.authenticate(visit.account.email, old, visit.now) is None:
        return _page(visit, error="The present password is another.")
    try:
        metadata.accounts.set_password(visit.account.id, new, visit.now)
    except UserError as error:
        return _page(visit, error=str(error))
    metadata.audit.add(visit.now, visit.account.id, "person.password", visit.account.id, {})
    return keep_session(
        go("/account?changed=yes"), metadata.sessions.begin(visit.account.id, visit.now, web.chance), visit
    )


def _page(visit: Visit, *, done: bool = False, error: str = "") -> Response:
    me = visit.account
    view = Mine(me.name, me.email, me.role.value, done, error)
    return page("account.html.j2", visit, "Your account", "", 400 if error else 200, view=view)
