"""Conversions across campaigns: the page is there at once, and the answer follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response

from afterword.interfaces.api.crediting import ask_of
from afterword.interfaces.api.faults import Refused, bad_request
from afterword.interfaces.api.seen import find_seen
from afterword.interfaces.web import written
from afterword.interfaces.web.across.answering import Answer, answer
from afterword.interfaces.web.across.asking import Asked, read, refused
from afterword.interfaces.web.across.files import file_of
from afterword.interfaces.web.rendering import page, part
from afterword.interfaces.web.visits import Visit, Web
from afterword.store.accounts import Role
from afterword.workspace.seen import FEW_USERS, Look

OFFERED = 12
WHAT = {"name": "events", "product": "products", "app": "apps"}


@dataclass(frozen=True, slots=True)
class Across:
    """What the page shows."""

    asked: Asked
    answer: Answer | None
    launched: bool
    """Whether there is a campaign that could have credit."""


@dataclass(frozen=True, slots=True)
class Option:
    """A name that was seen."""

    name: str
    label: str


@dataclass(frozen=True, slots=True)
class Offered:
    """Names that were seen, for a field."""

    field: str
    options: Sequence[Option]
    said: str
    """Of what is typed: how often it was seen."""


def show(web: Web, visit: Visit) -> Response:
    """Show the question and, while it is asked again and again, how far the answer is."""
    definitions = web.server.data.definitions()
    asked = read(visit, definitions.workspace.timezone)
    if "form" in visit.query and visit.part:
        return part("conversions_event.html.j2", visit, asked=asked)
    found, status = None, 200
    if definitions.campaigns:
        try:
            one = ask_of(web.server, asked.body)
        except Refused as error:
            if visit.part or visit.asked("csv"):
                raise
            asked, status = refused(asked, error.message), error.status
        else:
            if visit.asked("csv"):
                if one.result is None:
                    raise Refused(409, "the answer is not there yet: look at the page until it is")
                return file_of(one.result, visit.role)
            found = answer(one, asked, visit.role)
    if visit.part and found is not None:
        return part("conversions_part.html.j2", visit, answer=found)
    view = Across(asked, found, bool(definitions.campaigns))
    return page("conversions.html.j2", visit, "Conversions across campaigns", "across", status, view=view)


def offer(web: Web, visit: Visit) -> Response:
    """Offer names that were seen in the last 30 days, for the field that is being filled in."""
    what, field = visit.must_ask("what"), visit.must_ask("field")
    if what not in WHAT:
        raise bad_request(f'what is "{what[:40]}", must be one of {", ".join(WHAT)}')
    texts = visit.query.get("name" if what == "name" else "only", [""])
    place = int(field.rpartition("-")[2]) if field.rpartition("-")[2].isdecimal() else 0
    text = texts[min(place, len(texts) - 1)].strip()
    least = 1 if visit.role.includes(Role.ANALYST) else FEW_USERS
    found = find_seen(web.server, WHAT[what], Look(as_of=visit.now, limit=OFFERED, text=text), "", least)
    options = [Option(one["name"], f"{written.number(one['count'])} in 30 days") for one in found.items]
    same = next((one for one in found.items if one["name"] == text), None)
    said = "" if not text else _said(same["count"] if same else 0)
    return part("conversions_seen.html.j2", visit, offered=Offered(field, options, said))


def _said(times: int) -> str:
    if not times:
        return "not seen under this name in the last 30 days"
    return f"seen {'once' if times == 1 else f'{written.number(times)} times'} in the last 30 days"
