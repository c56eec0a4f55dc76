"""Signing in and out, the first account, and invitations."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode

from starlette.responses import RedirectResponse, Response

from afterword.errors import UserError
from afterword.interfaces.web.links import own
from afterword.interfaces.web.rendering import HEADERS, go, page, part
from afterword.interfaces.web.visits import COOKIE, CSRF_FIELD, Visit, Web, fields, keep_session
from afterword.store.accounts import Role
from afterword.store.permissions import Permission

REPLAY, REPLAY_TO, NEXT = "replay", "replay_to", "next"
BY_PROVIDER = "Nobody signs in by a password here."
WRONG = "E-mail address and password do not belong together."


@dataclass(frozen=True, slots=True)
class SignIn:
    """The form: what was typed, and where to go on."""

    email: str = ""
    error: str = ""
    next: str = "/"
    replay: str = ""
    """A form that was sent when the session had ended, to be sent again."""
    replay_to: str = ""
    provider: str = ""
    """The name of a provider by which one can sign in, too."""
    passwords: bool = True
    """Whether one can sign in by a password."""


@dataclass(frozen=True, slots=True)
class NewPassword:
    """The forms that set up an account."""

    email: str = ""
    name: str = ""
    secret: str = ""
    errors: dict[str, str] = field(default_factory=dict)


def show(web: Web, visit: Visit) -> Response:
    """Show the form; who is first is asked to make the first account."""
    if not web.server.data.metadata.accounts.any():
        return go("/welcome")
    if visit.signed_in is not None:
        return go(own(visit.asked(NEXT)))
    return form_page(web, visit, SignIn(next=own(visit.asked(NEXT))))


def ask(web: Web, visit: Visit) -> Response:
    """Answer who has not signed in, or not lately. What was typed into a form is kept and sent again afterwards."""
    if not web.server.data.metadata.accounts.any():
        return go("/welcome")
    if visit.part:
        headers = {"HX-Retarget": "#notice", "HX-Reswap": "innerHTML"}
        return part("signed_out_part.html.j2", visit, 401, headers)
    if visit.form:
        return form_page(web, visit, SignIn(replay=_packed(visit), replay_to=visit.address), 401)
    query = urlencode({NEXT: visit.address}) if visit.address != "/" else ""
    return go("/sign-in" + (f"?{query}" if query else ""))


def ask_again(visit: Visit) -> Response:
    """Let a form be sent again that was drawn for an earlier session."""
    response = _again(visit, visit.address, visit.form)
    if visit.part:  # it takes the place of the page, not of the part that was asked for
        response.headers.update({"HX-Retarget": "body", "HX-Reswap": "innerHTML"})
    return response


def sign_in(web: Web, visit: Visit) -> Response:
    """Begin a session."""
    typed = SignIn(
        email=visit.sent("email"),
        next=own(visit.sent(NEXT)),
        replay=visit.sent(REPLAY),
        replay_to=own(visit.sent(REPLAY_TO), ""),
    )
    metadata = web.server.data.metadata
    if not passwords_allowed(web):
        return form_page(web, visit, replace(typed, error=BY_PROVIDER), 403)
    if (until := metadata.accounts.retry_at(typed.email, visit.now)) is not None:
        seconds = math.ceil((until - visit.now) / 1_000_000)
        return form_page(web, visit, replace(typed, error=f"Too many wrong passwords: try again in {seconds} s."), 429)
    if (until := web.guesses.take(visit.client, visit.now)) is not None:
        seconds = math.ceil((until - visit.now) / 1_000_000)
        error = f"Too many wrong passwords came from your network: try again in {seconds} s."
        return form_page(web, visit, replace(typed, error=error), 429)
    account = metadata.accounts.authenticate(typed.email, visit.form.get("password", [""])[-1], visit.now)
    if account is None:
        return form_page(web, visit, replace(typed, error=WRONG), 401)
    web.guesses.give_back(visit.client, visit.now)
    secret = metadata.sessions.begin(account.id, visit.now, web.chance)
    if typed.replay and typed.replay_to:
        return signed_in_again(web, visit, secret, typed.replay, typed.replay_to)
    return keep_session(go(typed.next), secret, visit)


def signed_in_again(web: Web, visit: Visit, secret: str, replay: str, replay_to: str) -> Response:
    """Send a form again that waited until somebody had signed in."""
    signed_in = web.server.data.metadata.sessions.find(secret, visit.now)
    again = Visit(visit.path, {}, {}, visit.now, visit.secure, part=False, secret=secret, signed_in=signed_in)
    return keep_session(_again(again, replay_to, fields(replay)), secret, visit)


def passwords_allowed(web: Web) -> bool:
    """Return whether people may sign in by a password."""
    return web.provider is None or web.provider.oidc.passwords


def sign_out(web: Web, visit: Visit) -> Response:
    """End the session."""
    if visit.secret:
        web.server.data.metadata.sessions.end(visit.secret, visit.now)
    return signed_out()


def signed_out() -> Response:
    """Send on who has no session any more."""
    response = RedirectResponse("/sign-in", 303, headers=HEADERS)
    response.delete_cookie(COOKIE, path="/")
    return response


def show_first(web: Web, visit: Visit) -> Response:
    """Show the form for the first account."""
    if web.server.data.metadata.accounts.any():
        return go("/sign-in")
    return page("welcome.html.j2", visit, "Welcome", "", form=NewPassword())


def make_first(web: Web, visit: Visit) -> Response:
    """Make the first account for who has an admin key."""
    metadata = web.server.data.metadata
    if metadata.accounts.any():
        return go("/sign-in")
    typed = NewPassword(visit.sent("email"), visit.sent("name"))
    key = metadata.keys.authenticate(visit.sent("key"), visit.now)
    errors = {}
    if key is None or not key.allows(Permission.ADMIN):
        errors["key"] = "This is no admin key. The server printed one at its first start; `afterword key` makes more."
    elif problem := _problem(visit):
        errors["password"] = problem
    else:
        try:
            account = metadata.accounts.create(
                typed.email, typed.name, Role.ADMIN, visit.now, visit.form["password"][-1], first=True
            )
        except UserError as error:
            errors["email"] = str(error)
        else:
            metadata.audit.add(visit.now, f"key:{key.id}", "person.created", account.id, {"email": account.email})
            return keep_session(go("/"), metadata.sessions.begin(account.id, visit.now, web.chance), visit)
    form = NewPassword(typed.email, typed.name, errors=errors)
    return page("welcome.html.j2", visit, "Welcome", "", 400, form=form)


def show_invitation(web: Web, visit: Visit) -> Response:
    """Show who was invited the form for a password."""
    secret = visit.asked("secret")
    account = web.server.data.metadata.accounts.invited(secret, visit.now)
    if account is None:
        return page("message.html.j2", visit, "Invitation", "", 404, message=_NO_INVITATION)
    if not passwords_allowed(web):
        return go("/sign-in")
    form = NewPassword(account.email, account.name, secret)
    return page("invitation.html.j2", visit, "Invitation", "", form=form)


def accept_invitation(web: Web, visit: Visit) -> Response:
    """Set the password, and sign in."""
    metadata = web.server.data.metadata
    secret = visit.sent("secret")
    account = metadata.accounts.invited(secret, visit.now)
    if account is None:
        return page("message.html.j2", visit, "Invitation", "", 404, message=_NO_INVITATION)
    if not passwords_allowed(web):
        return form_page(web, visit, SignIn(error=BY_PROVIDER), 403)
    problem = _problem(visit)
    if not problem:
        try:
            account = metadata.accounts.accept(secret, visit.form["password"][-1], visit.now)
        except UserError as error:
            problem = str(error)
        else:
            metadata.audit.add(visit.now, account.id, "person.accepted", account.id, {"email": account.email})
            return keep_session(go("/"), metadata.sessions.begin(account.id, visit.now, web.chance), visit)
    form = NewPassword(account.email, account.name, secret, {"password": problem})
    return page("invitation.html.j2", visit, "Invitation", "", 400, form=form)


_NO_INVITATION = "This invitation was used, has expired or was never made. Ask who invited you for another."


def _problem(visit: Visit) -> str:
    password = visit.form.get("password", [""])[-1]
    if password != visit.form.get("again", [""])[-1]:
        return "The two passwords differ."
    return "" if password else "A password is needed."


def form_page(web: Web, visit: Visit, form: SignIn, status: int = 200) -> Response:
    """Show the form, with what may be used of it here."""
    provider = "" if web.provider is None else web.provider.oidc.name
    form = replace(form, provider=provider, passwords=passwords_allowed(web))
    return page("sign_in.html.j2", visit, "Sign in", "", status, form=form)


def _packed(visit: Visit) -> str:
    return urlencode([(name, value) for name, values in visit.form.items() for value in values])


def _again(visit: Visit, address: str, form: Mapping[str, Sequence[str]]) -> Response:
    kept = [(name, value) for name, values in form.items() if name != CSRF_FIELD for value in values]
    return page("again.html.j2", visit, "Signed in again", "", address=address, kept=kept)
