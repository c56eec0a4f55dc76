"""From a view to HTML: templates that escape everything, and the frame around each page."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse, RedirectResponse, Response

from afterword.interfaces.web import words, written
from afterword.interfaces.web.assets import address
from afterword.interfaces.web.links import link
from afterword.interfaces.web.visits import Visit
from afterword.store.accounts import Role

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
ROWS_KEPT = 1 << 12
"""Of a kilobyte or two each."""
HEADERS = {
    "content-security-policy": POLICY,
    "cross-origin-opener-policy": "same-origin",
    "vary": "HX-Request, Accept-Language",
}


@dataclass(frozen=True, slots=True)
class Place:
    """An entry of the menu."""

    name: str
    label: str
    address: str
    role: Role = Role.VIEWER


MENU = (
    Place("overview", "Overview", "/"),
    Place("across", "Conversions", "/conversions"),
    Place("data", "Data", "/data"),
    Place("settings", "Settings", "/settings", Role.ADMIN),
)


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands around a page."""

    title: str
    place: str
    """The entry of the menu that it belongs to."""
    menu: Sequence[Place]
    who: str
    role: str
    csrf: str
    manner: str
    """The locale of the reader's numbers and dates."""


@cache
def environment() -> Environment:
    """The templates; a name that a view does not have is an error."""
    env = Environment(
        loader=ChoiceLoader(
            [PackageLoader("afterword.interfaces.web", "templates"), PackageLoader("afterword.reports", "templates")]
        ),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters["number"] = written.number
    env.filters["percent"] = written.percent
    env.globals.update(asset=address, link=link, words=words, row=row)
    return env


@lru_cache(ROWS_KEPT)
def row(template: str, one: Hashable) -> Markup:
    """Return a row of a table, drawn once for as long as nothing in it changes: long tables are looked at again.

    Args:
        template: the file whose macro `row` draws it from nothing but this.
        one: what the row says, in the reader's manner.

    """
    drawn: Markup = environment().get_template(template).module.row(one)  # type: ignore[attr-defined]
    return drawn


def page(template: str, visit: Visit, title: str, place: str, status: int = 200, **views: Any) -> Response:
    """Answer with a whole page.

    Args:
        template: its file.
        visit: who asks.
        title: of the page, without the product's name.
        place: the entry of the menu that it belongs to; empty for none.
        status: of the answer.
        views: what the template shows.

    """
    signed_in = visit.signed_in
    menu = [one for one in MENU if visit.role.includes(one.role)] if signed_in else []
    frame = Frame(
        title,
        place,
        menu,
        who=visit.account.name if signed_in else "",
        role=visit.role.value if signed_in else "",
        csrf=signed_in.csrf if signed_in else "",
        manner=written.manner().tag,
    )
    return _answer(template, {"frame": frame, "visit": visit, **views}, status)


def part(
    template: str, visit: Visit, status: int = 200, headers: Mapping[str, str] | None = None, **views: Any
) -> Response:
    """Answer with a part of a page, for a script that puts it in its place."""
    csrf = visit.signed_in.csrf if visit.signed_in else ""
    return _answer(template, {"csrf": csrf, "visit": visit, **views}, status, headers)


def _answer(template: str, context: dict[str, Any], status: int, headers: Mapping[str, str] | None = None) -> Response:
    content = environment().get_template(template).render(context)
    return HTMLResponse(content, status, headers={**HEADERS, **(headers or {})})


def go(address: str) -> Response:
    """Send the browser on after a form."""
    return RedirectResponse(address, 303, headers=HEADERS)
