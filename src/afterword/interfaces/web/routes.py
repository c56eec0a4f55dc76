"""Every page: its path, the role that it needs, and who draws it."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from afterword.errors import UserError
from afterword.interfaces.api.bodies import read_body
from afterword.interfaces.api.faults import Refused
from afterword.interfaces.oidc.settings import BACK
from afterword.interfaces.two_processes import CLIENT, SCHEME
from afterword.interfaces.web import data, overview, selecting, signing_in, vouching, written
from afterword.interfaces.web.across import page as across
from afterword.interfaces.web.assets import answer_asset
from afterword.interfaces.web.create import moving, reviewing, seen
from afterword.interfaces.web.create import pages as steps
from afterword.interfaces.web.details import more, over_time, what_if, why
from afterword.interfaces.web.details import page as details
from afterword.interfaces.web.details import people as behind
from afterword.interfaces.web.links import link
from afterword.interfaces.web.manners import COOKIE as MANNER
from afterword.interfaces.web.manners import manner_of
from afterword.interfaces.web.rendering import go, page, part
from afterword.interfaces.web.settings import account, audit, keys, people, rates, workspace
from afterword.interfaces.web.visits import (
    COOKIE,
    CSRF_FIELD,
    CSRF_HEADER,
    Visit,
    Web,
    fields,
    need,
    patience_of,
    same_site,
)
from afterword.store.accounts import Role
from afterword.workspace.latest import StillMaking

FORM_BYTES = 512 << 10
Handle = Callable[[Web, Visit], Response]


@dataclass(frozen=True, slots=True)
class Page:
    """A path and a method. Its function is called in a thread, and may wait for the database."""

    method: str
    path: str
    handle: Handle
    role: Role | None = Role.VIEWER
    """What it needs; None where nobody need have signed in."""


PAGES: tuple[Page, ...] = (
    Page("GET", "/", overview.show),
    Page("GET", "/campaign/selection", selecting.show),
    Page("POST", "/campaign/selection", selecting.change, Role.EDITOR),
    Page("GET", "/data", data.show),
    Page("GET", "/data/seen", data.show_seen),
    Page("GET", "/sign-in", signing_in.show, None),
    Page("POST", "/sign-in", signing_in.sign_in, None),
    Page("GET", vouching.WITH, vouching.begin, None),
    Page("POST", vouching.WITH, vouching.begin, None),
    Page("GET", BACK, vouching.finish, None),
    Page("POST", "/sign-out", signing_in.sign_out, None),
    Page("GET", "/welcome", signing_in.show_first, None),
    Page("POST", "/welcome", signing_in.make_first, None),
    Page("GET", "/invitation", signing_in.show_invitation, None),
    Page("POST", "/invitation", signing_in.accept_invitation, None),
    Page("GET", "/campaign", details.show),
    Page("GET", "/campaign/over-time", over_time.show),
    Page("GET", "/campaign/messages", more.show_messages),
    Page("GET", "/campaign/breakdown", more.show_breakdown),
    Page("GET", "/campaign/what-if", what_if.show),
    Page("GET", "/campaign/users", behind.show, Role.ANALYST),
    Page("GET", "/campaign/why", why.show, Role.ANALYST),
    Page("GET", "/account", account.show),
    Page("POST", "/account", account.change),
    Page("POST", "/account/sessions", account.end_sessions),
    Page("POST", "/account/manner", account.choose_manner),
    Page("GET", "/settings", workspace.show, Role.ADMIN),
    Page("POST", "/settings", workspace.change, Role.ADMIN),
    Page("GET", "/settings/people", people.show, Role.ADMIN),
    Page("POST", "/settings/people", people.invite, Role.ADMIN),
    Page("POST", "/settings/people/change", people.change, Role.ADMIN),
    Page("GET", "/settings/keys", keys.show, Role.ADMIN),
    Page("POST", "/settings/keys", keys.create, Role.ADMIN),
    Page("POST", "/settings/keys/revoke", keys.revoke, Role.ADMIN),
    Page("GET", "/settings/holdouts", workspace.show_holdouts, Role.ADMIN),
    Page("POST", "/settings/holdouts", workspace.make_holdout, Role.ADMIN),
    Page("GET", "/settings/deletions", workspace.show_deletions, Role.ADMIN),
    Page("POST", "/settings/deletions", workspace.erase_now, Role.ADMIN),
    Page("GET", rates.PATH, rates.show, Role.ADMIN),
    Page("POST", rates.PATH, rates.take, Role.ADMIN),
    Page("POST", f"{rates.PATH}/remove", rates.remove, Role.ADMIN),
    Page("GET", "/settings/audit", audit.show, Role.ADMIN),
    Page("GET", "/create", steps.show_new, Role.EDITOR),
    Page("POST", "/create", steps.create, Role.EDITOR),
    Page("GET", "/draft", steps.show, Role.EDITOR),
    Page("POST", "/draft", steps.save, Role.EDITOR),
    Page("GET", "/draft/review", reviewing.show, Role.EDITOR),
    Page("GET", "/draft/effect", reviewing.show_effect, Role.EDITOR),
    Page("GET", "/draft/needed", reviewing.show_needed, Role.EDITOR),
    Page("GET", "/draft/seen", seen.offer, Role.EDITOR),
    Page("GET", "/draft/counts", seen.count, Role.EDITOR),
    Page("GET", "/draft/suggestions", seen.suggest, Role.EDITOR),
    Page("GET", "/draft/preview", seen.preview, Role.EDITOR),
    Page("POST", "/draft/finish", reviewing.finish, Role.EDITOR),
    Page("GET", "/draft/discard", moving.ask_to_discard, Role.EDITOR),
    Page("POST", "/draft/discard", moving.discard, Role.EDITOR),
    Page("GET", "/campaign/edit", moving.ask_to_change, Role.EDITOR),
    Page("POST", "/campaign/edit", moving.begin_change, Role.EDITOR),
    Page("POST", "/campaign/duplicate", moving.duplicate, Role.EDITOR),
    Page("GET", "/conversions", across.show),
    Page("GET", "/conversions/seen", across.offer),
    *(Page("GET", f"/campaign/{name}", moving.ask_to(name), Role.EDITOR) for name in moving.MOVES),
    *(Page("POST", f"/campaign/{name}", moving.move(name), Role.EDITOR) for name in moving.MOVES),
)


def web_routes(web: Web) -> list[BaseRoute]:
    """Return the routes of all pages."""
    files = Route("/static/{tag}/{name}", answer_asset, methods=["GET"])
    return [files, *(_route(web, each) for each in PAGES), Route("/campaigns/{id}", _moved, methods=["GET"])]


async def _moved(request: Request) -> Response:
    """Send who kept the address from before the dashboard to where the page is now."""
    return go(link("/campaign", id=request.path_params["id"]))


def _route(web: Web, page: Page) -> Route:
    async def answered(request: Request) -> Response:
        body = b""
        if page.method == "POST":
            if not same_site(request):
                raise Refused(403, "this form was sent from another site")
            body = await read_body(request, FORM_BYTES, web.server.policy.body_seconds)
        return await asyncio.to_thread(_answered, web, page, request, body)

    return Route(page.path, answered, methods=[page.method])


def _answered(web: Web, asked: Page, request: Request, body: bytes) -> Response:
    with web.server.data.precedence.first():
        return _made(web, asked, request, body)


def _made(web: Web, asked: Page, request: Request, body: bytes) -> Response:
    visit = _visit(web, request, body)
    accepted = request.headers.get("accept-language", "")
    manner = manner_of(visit.cookies.get(MANNER, ""), accepted)
    written.reading(written.Reader(manner, lambda: web.server.data.metadata.workspace().timezone))
    try:
        if asked.role is not None:
            if visit.signed_in is None:
                return signing_in.ask(web, visit)
            if asked.method == "POST" and not _is_ours(visit, request):
                return signing_in.ask_again(visit)
            need(visit, asked.role)
        return asked.handle(web, visit)
    except StillMaking:
        return _shown_soon(visit)
    except Refused as refused:
        return _refusal(visit, refused.status, refused.message)
    except UserError as error:
        return _refusal(visit, 400, str(error))


def _visit(web: Web, request: Request, body: bytes) -> Visit:
    now = web.server.clock()
    secret = request.cookies.get(COOKIE)
    return Visit(
        path=request.scope["path"],
        query=fields(request.scope["query_string"]),
        form=fields(body),
        now=now,
        secure=request.headers.get(SCHEME) == "https",
        part=request.headers.get("hx-request") == "true",
        secret=secret,
        signed_in=web.server.data.metadata.sessions.find(secret, now) if secret else None,
        client=request.headers.get(CLIENT, ""),
        cookies=request.cookies,
        patience=patience_of(request),
    )


def _is_ours(visit: Visit, request: Request) -> bool:
    """Return whether a form was drawn for this session."""
    assert visit.signed_in is not None
    told = request.headers.get(CSRF_HEADER) or visit.sent(CSRF_FIELD)
    return hmac.compare_digest(told.encode(), visit.signed_in.csrf.encode())


def _shown_soon(visit: Visit) -> Response:
    """Answer with what asks for itself until its numbers have been counted."""
    if visit.part:
        return part("counting_part.html.j2", visit, again=visit.address)
    message = "The numbers are being counted; this page shows them as soon as they are."
    response = page("message.html.j2", visit, "A moment", "", 503, message=message)
    response.headers.update({"retry-after": "1", "refresh": "1"})
    return response


def _refusal(visit: Visit, status: int, message: str) -> Response:
    if visit.part:
        return part("message_part.html.j2", visit, status, message=message)
    return page("message.html.j2", visit, "Not possible", "", status, message=message)
