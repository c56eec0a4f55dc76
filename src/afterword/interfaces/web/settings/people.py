"""People who sign in: invited, given another role, disabled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from afterword.errors import UserError
from afterword.interfaces.api.faults import bad_request
from afterword.interfaces.web.links import link
from afterword.interfaces.web.rendering import go
from afterword.interfaces.web.settings.tabs import settings_page, when
from afterword.interfaces.web.visits import Visit, Web
from afterword.store.accounts import Account, Role, read_role

PATH = "/settings/people"
ROLES = (
    (Role.VIEWER.value, "Viewer: sees numbers, and no person"),
    (Role.ANALYST.value, "Analyst: also lists and exports persons"),
    (Role.EDITOR.value, "Editor: also changes campaigns"),
    (Role.ADMIN.value, "Admin: also people, keys and settings"),
)


@dataclass(frozen=True, slots=True)
class Person:
    """One of them."""

    id: str
    name: str
    email: str
    role: str
    state: str
    seen: str
    disabled: bool
    sessions: int
    myself: bool


@dataclass(frozen=True, slots=True)
class People:
    """What the page shows; `invitation` is a link that is shown this once."""

    people: Sequence[Person]
    roles: Sequence[tuple[str, str]] = ROLES
    email: str = ""
    name: str = ""
    role: str = Role.VIEWER.value
    error: str = ""
    invited: str = ""
    invitation: str = ""


def show(web: Web, visit: Visit) -> Response:
    """Show them."""
    return settings_page("settings_people.html.j2", visit, "People", view=People(_people(web, visit)))


def invite(web: Web, visit: Visit) -> Response:
    """Make an invitation, and show its link once."""
    metadata = web.server.data.metadata
    email, name, role = visit.sent("email"), visit.sent("name"), visit.sent("role")
    try:
        account, secret = metadata.accounts.invite(email, name, read_role(role), visit.now, web.chance)
    except UserError as error:
        view = People(_people(web, visit), email=email, name=name, role=role, error=str(error))
        return settings_page("settings_people.html.j2", visit, "People", 400, view=view)
    metadata.audit.add(visit.now, visit.account.id, "person.invited", account.id, {"email": email, "role": role})
    return _with_link(web, visit, account, secret)


def change(web: Web, visit: Visit) -> Response:
    """Give somebody another role, let them in no more or again, sign them out, or make a link for another password."""
    metadata = web.server.data.metadata
    person, action = visit.sent("person"), visit.sent("action")
    detail: dict[str, Any] = {}
    try:
        if action == "role":
            metadata.accounts.set_role(person, read_role(visit.sent("role")), visit.now)
            detail["role"] = visit.sent("role")
        elif action == "disable":
            metadata.accounts.disable(person, visit.now)
        elif action == "sign-out":
            detail["sessions"] = metadata.sessions.end_all(metadata.accounts.get(person).id, visit.now)
        elif action == "enable":
            metadata.accounts.enable(person, visit.now)
        elif action == "reset":
            account, secret = metadata.accounts.reset(person, visit.now, web.chance)
            metadata.audit.add(visit.now, visit.account.id, "person.reset", person, {})
            return _with_link(web, visit, account, secret)
        else:
            raise bad_request(f'action is "{action[:20]}", must be role, disable, enable, reset or sign-out')
    except UserError as error:
        view = People(_people(web, visit), error=str(error))
        return settings_page("settings_people.html.j2", visit, "People", 409, view=view)
    done = "signed-out" if action == "sign-out" else action
    metadata.audit.add(visit.now, visit.account.id, f"person.{done}", person, detail)
    return go(PATH)


def _with_link(web: Web, visit: Visit, account: Account, secret: str) -> Response:
    view = People(_people(web, visit), invited=account.email, invitation=link("/invitation", secret=secret))
    return settings_page("settings_people.html.j2", visit, "People", view=view)


def _people(web: Web, visit: Visit) -> list[Person]:
    metadata = web.server.data.metadata
    counts = metadata.sessions.counts(visit.now)
    return [_person(one, counts.get(one.id, 0), visit) for one in metadata.accounts.list()]


def _person(one: Account, sessions: int, visit: Visit) -> Person:
    if one.disabled_at is not None:
        state = "Disabled"
    elif one.invited_until is not None:
        state = f"Invited until {when(one.invited_until)}"
    else:
        state = "Active"
    return Person(
        id=one.id,
        name=one.name,
        email=one.email,
        role=one.role.value,
        state=state,
        seen=when(one.last_seen_at),
        disabled=one.disabled_at is not None,
        sessions=sessions,
        myself=one.id == visit.account.id,
    )
