"""One's own account: the password, and where one is signed in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.responses import Response

from afterword.errors import UserError
from afterword.interfaces.api.faults import bad_request
from afterword.interfaces.web import written
from afterword.interfaces.web.manners import COOKIE, MANNERS
from afterword.interfaces.web.rendering import go, page
from afterword.interfaces.web.settings.tabs import when
from afterword.interfaces.web.signing_in import BY_PROVIDER, passwords_allowed, signed_out
from afterword.interfaces.web.visits import Visit, Web, keep_session

YEAR = 365 * 86_400
EXAMPLE = "1,234,567.89"


@dataclass(frozen=True, slots=True)
class Place:
    """A browser in which one is signed in."""

    id: str
    number: int
    """From 1, for who hears the page."""
    begun: str
    seen: str
    here: bool


@dataclass(frozen=True, slots=True)
class Mine:
    """What the page shows."""

    name: str
    email: str
    role: str
    places: Sequence[Place]
    manners: Sequence[tuple[str, str]]
    manner: str
    example: str
    changes_password: bool
    """Whether one signs in by a password here."""
    done: bool = False
    error: str = ""


def show(web: Web, visit: Visit) -> Response:
    """Show it."""
    return _page(web, visit, done=visit.asked("changed") == "yes")


def change(web: Web, visit: Visit) -> Response:
    """Set another password; all other sessions end."""
    metadata = web.server.data.metadata
    if not passwords_allowed(web):
        return _page(web, visit, error=BY_PROVIDER)
    old, new, again = (visit.form.get(name, [""])[-1] for name in ("old", "password", "again"))
    if new != again:
        return _page(web, visit, error="The two new passwords differ.")
    if metadata.accounts.authenticate(visit.account.email, old, visit.now) is None:
        return _page(web, visit, error="The present password is another, or you have none.")
    try:
        metadata.accounts.set_password(visit.account.id, new, visit.now)
    except UserError as error:
        return _page(web, visit, error=str(error))
    metadata.audit.add(visit.now, visit.account.id, "person.password", visit.account.id, {})
    return keep_session(
        go("/account?changed=yes"), metadata.sessions.begin(visit.account.id, visit.now, web.chance), visit
    )


def end_sessions(web: Web, visit: Visit) -> Response:
    """End one of one's own sessions, or all of them."""
    assert visit.signed_in is not None
    metadata, me, one = web.server.data.metadata, visit.account.id, visit.sent("session")
    if not one and visit.sent("which") != "all":
        raise bad_request('the form says neither which session is to end nor "all"')
    sessions = metadata.sessions
    ended = int(sessions.end_one(me, one, visit.now)) if one else sessions.end_all(me, visit.now)
    metadata.audit.add(visit.now, me, "person.signed-out", me, {"sessions": ended})
    return go("/account") if one and one != visit.signed_in.session_id else signed_out()


def choose_manner(_web: Web, visit: Visit) -> Response:
    """Keep in this browser how numbers and dates are written; nothing is what the browser says."""
    asked, response = visit.sent("manner"), go("/account")
    if not asked:
        response.delete_cookie(COOKIE, path="/")
    elif (found := next((one for one in MANNERS if one.tag == asked), None)) is not None:
        response.set_cookie(
            COOKIE, found.tag, max_age=YEAR, httponly=True, samesite="lax", secure=visit.secure, path="/"
        )
    else:
        raise bad_request(f'manner is "{asked[:20]}", must be a locale of the list, such as de-DE')
    return response


def _page(web: Web, visit: Visit, *, done: bool = False, error: str = "") -> Response:
    me = visit.account
    view = Mine(
        me.name,
        me.email,
        me.role.value,
        _places(web, visit),
        _manners(),
        visit.cookies.get(COOKIE, ""),
        _example(visit),
        passwords_allowed(web),
        done,
        error,
    )
    return page("account.html.j2", visit, "Your account", "", 400 if error else 200, view=view)


def _manners() -> list[tuple[str, str]]:
    listed = [(one.tag, f"{one.name}: {one.rewritten(EXAMPLE)}") for one in MANNERS]
    return [("", "As this browser says"), *listed]


def _example(visit: Visit) -> str:
    moment = written.moment(datetime.fromtimestamp(visit.now // 1_000_000, UTC).isoformat())
    return f"{written.rewritten(EXAMPLE)} · {moment}"


def _places(web: Web, visit: Visit) -> list[Place]:
    assert visit.signed_in is not None
    here = visit.signed_in.session_id
    found = [one for one in web.server.data.metadata.sessions.list(visit.account.id) if one.stands(visit.now)]
    found.sort(key=lambda one: one.id != here)
    return [
        Place(one.id, number, when(one.created_at), when(one.seen_at), here=one.id == here)
        for number, one in enumerate(found, 1)
    ]
