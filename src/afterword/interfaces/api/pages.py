"""The report of a campaign as a page, for who has an admin key in a cookie (until the dashboard comes)."""

from __future__ import annotations

import asyncio
import html
from urllib.parse import parse_qs, quote

from starlette.responses import HTMLResponse, RedirectResponse, Response

from afterword.interfaces.api.access import COOKIE
from afterword.interfaces.api.campaigns import report_of
from afterword.interfaces.api.faults import Refused
from afterword.interfaces.api.openapi import PAGES
from afterword.interfaces.api.operations import Answered, Body, Call, Operation, Scheme
from afterword.interfaces.api.parameters import ID
from afterword.interfaces.api.server import Answers
from afterword.reports.page import render_page
from afterword.store.permissions import Permission

FORM_BYTES = 4096
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; frame-ancestors 'none'"
"""The page is one self-contained document without scripts."""
LOGIN = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Afterword</title>
<meta name="viewport" content="width=device-width"><style>
:root {{ color-scheme: light dark; font: 16px system-ui }}
body {{ max-width: 24rem; margin: 20vh auto; padding: 0 1rem }}
input, button {{ font: inherit; width: 100%; box-sizing: border-box; padding: .5rem; margin-top: .5rem }}
</style></head><body><h1>Afterword</h1><p>{message}</p>
<form method="post"><label>Admin key<input name="key" type="password" autocomplete="off" required></label>
<button>Show the report</button></form></body></html>"""


async def _page(server: Answers, call: Call) -> Response:
    secret = call.request.cookies.get(COOKIE)
    if secret is None:
        return _login("The report needs an admin key.", 401)
    try:
        server.key(call.request, secret, Permission.ADMIN)
        report = await asyncio.to_thread(report_of, server, call.id)
        content = await asyncio.to_thread(render_page, dict(report))
    except Refused as refused:
        return _login(refused.message, refused.status)
    return HTMLResponse(content, headers={"content-security-policy": POLICY})


async def _logged_in(server: Answers, call: Call) -> Response:
    secret = _field(await call.body(), "key")
    try:
        server.key(call.request, secret, Permission.ADMIN)
    except Refused as refused:
        return _login(refused.message, refused.status)
    scope = call.request.scope
    response = RedirectResponse(quote(scope["path"]), 303)
    secure = scope["scheme"] == "https"
    response.set_cookie(COOKIE, secret, httponly=True, samesite="strict", secure=secure, path="/campaigns")
    return response


def _login(message: str, status: int) -> Response:
    content = LOGIN.format(message=html.escape(message))
    return HTMLResponse(content, status, headers={"content-security-policy": POLICY})


def _field(body: bytes, name: str) -> str:
    return parse_qs(body.decode("utf-8", "replace")).get(name, [""])[0].strip()


HTML = "text/html; charset=utf-8"
FORM = "application/x-www-form-urlencoded"
SCHEME = Scheme(
    "cookie", {"type": "apiKey", "in": "cookie", "name": COOKIE, "description": "an admin key in a cookie"}, None
)
_ASKING = tuple(
    Answered(status, about, media=HTML)
    for status, about in (
        (401, "a form that asks for an admin key"),
        (403, "the key is no admin key"),
        (404, "there is no such campaign"),
        (409, "it was never launched"),
        (429, "too many requests with this key"),
        (503, "not now"),
    )
)
OPERATIONS: tuple[Operation[Answers], ...] = (
    Operation(
        "GET",
        "/campaigns/{id}",
        "The report as a page",
        _page,
        PAGES,
        (Answered(200, "the page", media=HTML), *_ASKING),
        Permission.ADMIN,
        (ID,),
        scheme=SCHEME,
    ),
    Operation(
        "POST",
        "/campaigns/{id}",
        "Log in to see the report as a page",
        _logged_in,
        PAGES,
        (Answered(303, "the key is in the cookie; the page is next", media=None), *_ASKING[:2], *_ASKING[4:]),
        Permission.ADMIN,
        (ID,),
        Body(str, "key=aw_...", (FORM,), lambda _policy: FORM_BYTES),
        scheme=SCHEME,
    ),
)
