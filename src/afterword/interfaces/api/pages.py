"""The report of a campaign as a page, for who has an admin key in a cookie (until the dashboard comes)."""

from __future__ import annotations

import asyncio
import html
from urllib.parse import parse_qs, quote

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from afterword.interfaces.api.access import COOKIE
from afterword.interfaces.api.bodies import read_body
from afterword.interfaces.api.campaigns import report_of
from afterword.interfaces.api.faults import Refused
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


def routes(server: Answers) -> list[Route]:
    """Return the routes."""

    async def page(request: Request) -> Response:
        secret = request.cookies.get(COOKIE)
        if secret is None:
            return _login("The report needs an admin key.", 401)
        try:
            server.key(request, secret, Permission.ADMIN)
            report = await asyncio.to_thread(report_of, server, request.path_params["id"])
            content = await asyncio.to_thread(render_page, dict(report))
        except Refused as refused:
            return _login(refused.message, refused.status)
        return HTMLResponse(content, headers={"content-security-policy": POLICY})

    async def login(request: Request) -> Response:
        body = await read_body(request, FORM_BYTES, server.policy.body_seconds)
        secret = _field(body, "key")
        try:
            server.key(request, secret, Permission.ADMIN)
        except Refused as refused:
            return _login(refused.message, refused.status)
        response = RedirectResponse(quote(request.scope["path"]), 303)
        secure = request.scope["scheme"] == "https"
        response.set_cookie(COOKIE, secret, httponly=True, samesite="strict", secure=secure, path="/campaigns")
        return response

    path = "/campaigns/{id}"
    return [Route(path, page, methods=["GET"]), Route(path, login, methods=["POST"])]


def _login(message: str, status: int) -> Response:
    content = LOGIN.format(message=html.escape(message))
    return HTMLResponse(content, status, headers={"content-security-policy": POLICY})


def _field(body: bytes, name: str) -> str:
    return parse_qs(body.decode("utf-8", "replace")).get(name, [""])[0].strip()
