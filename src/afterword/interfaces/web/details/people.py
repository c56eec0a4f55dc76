"""Who is behind a number (rule 38), for analysts: page by page, and as a file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from starlette.responses import Response

from afterword.interfaces.api.campaigns import from_results
from afterword.interfaces.api.faults import bad_request
from afterword.interfaces.web import written
from afterword.interfaces.web.details.grids import named
from afterword.interfaces.web.details.more import NEWS, channel_name
from afterword.interfaces.web.details.page import find
from afterword.interfaces.web.links import link
from afterword.interfaces.web.rendering import HEADERS, page
from afterword.interfaces.web.visits import Visit, Web
from afterword.model import Campaign
from afterword.reports.render_csv import guarded
from afterword.workspace.listing import (
    ALSO,
    NO_CHANNEL,
    OUTCOME,
    RECEIVED,
    REPORTED,
    STEP,
    TOTAL,
    TOTAL_WITH_CONTROL,
    WHOLE,
    Narrow,
    Page,
)

PER_PAGE = 50
STATES = {
    "converted": "converted on {event}",
    "pending": "have not converted on {event} while their window is open",
    "not_converted": "did not convert on {event}",
    "exposed": "were exposed",
    "after_open": "converted on {event} after an open of the message",
    "after_click": "converted on {event} after a click in the message",
    "no_step": "converted on {event} before any message of the Canvas",
    "exposures": "whatever their outcome",
}


@dataclass(frozen=True, slots=True)
class Person:
    """One row: a user, with the channel or the exposure where those are counted."""

    user: str
    whole: str
    more: str
    why: str
    """The address of the story."""


@dataclass(frozen=True, slots=True)
class People:
    """Those behind a number, a page of them."""

    campaign: str
    id: str
    back: str
    noun: str
    """What they are: users, exposures, or users on a channel."""
    what: str
    total: str
    unit: str
    """What the second column has; empty where there is none."""
    rows: Sequence[Person]
    first: int
    last: int
    before: str
    after: str
    csv: str


@dataclass(frozen=True, slots=True)
class _Asked:
    id: str
    variant: str
    event: str
    state: str
    narrow: Narrow

    def address(self, **more: str) -> str:
        """Return where this is listed."""
        return link(
            "/campaign/users",
            id=self.id,
            variant=self.variant,
            event=self.event,
            state=self.state,
            **asdict(self.narrow),
            **more,
        )


def show(web: Web, visit: Visit) -> Response:
    """List them; who looked is noted."""
    campaign = find(web, visit.must_ask("id")).campaign
    asked = _Asked(
        campaign.id,
        visit.asked("variant") or TOTAL_WITH_CONTROL,
        visit.asked("event"),
        visit.asked("state") or "converted",
        Narrow(visit.asked("channel"), visit.asked("attribute"), visit.asked("value") or None),
    )
    is_file = visit.asked("format") == "csv"
    wanted = WHOLE if is_file else Page(_number(visit.asked("page", "1")), PER_PAGE)
    rows, total = from_results(
        web.server,
        campaign.id,
        lambda live, definitions, now: live.users_page(
            definitions, now, campaign.id, asked.variant, asked.event or "A", asked.state, asked.narrow, wanted
        ),
    )
    detail = {"variant": asked.variant, "event": asked.event, "state": asked.state, "count": total}
    # A value may say who somebody is, and is not kept.
    detail |= {name: visit.asked(name) for name in ("channel", "attribute") if visit.asked(name)}
    action = "users.exported" if is_file else "users.listed"
    web.server.data.metadata.audit.add(visit.now, visit.account.id, action, campaign.id, detail)
    if is_file:
        headers = {**HEADERS, "content-disposition": 'attachment; filename="users.csv"'}
        return Response(_csv(rows), media_type="text/csv; charset=utf-8", headers=headers)
    view = _people(campaign, asked, rows, total, wanted)
    return page("people.html.j2", visit, f"{view.total} {view.noun}", "overview", view=view)


def _people(campaign: Campaign, asked: _Asked, rows: Sequence[dict[str, str]], total: int, wanted: Page) -> People:
    start = wanted.start(total)
    number = start // PER_PAGE + 1
    units = [name for name in ("channel", "exposure_id") if rows and name in rows[0]]
    return People(
        campaign=named(campaign.name or campaign.id)[0],
        id=campaign.id,
        back=link("/campaign", id=campaign.id, event=asked.event),
        noun={"channel": "users and channels", "exposure_id": "exposures"}.get("".join(units), "users"),
        what=_what(campaign, asked),
        total=written.number(total),
        unit=units[0].removesuffix("_id").capitalize() if units else "",
        rows=[
            Person(
                *named(row["user_id"]),
                named(row[units[0]])[0] if units else "",
                link("/campaign/why", id=campaign.id, user=row["user_id"]),
            )
            for row in rows
        ],
        first=start + 1 if rows else 0,
        last=start + len(rows),
        before=asked.address(page=str(number - 1)) if number > 1 else "",
        after=asked.address(page=str(number + 1)) if start + len(rows) < total else "",
        csv=asked.address(format="csv"),
    )


def _what(campaign: Campaign, asked: _Asked) -> str:
    variants = {one.id: f'of variant "{named(one.name or one.id)[0]}"' for one in campaign.variants}
    whose = variants.get(asked.variant) or {TOTAL: "of the variants with a message"}.get(
        asked.variant, "of all variants"
    )
    event = asked.event or "A"
    if asked.state.startswith(ALSO):
        did = f"converted on {event} and on {asked.state.removeprefix(ALSO).upper()}"
    elif asked.state.startswith(STEP):
        did = f'converted on {event} by the step "{named(asked.state.removeprefix(STEP))[0]}"'
    elif asked.state.startswith(RECEIVED):
        did = f'received a message of the step "{named(asked.state.removeprefix(RECEIVED))[0]}"'
    elif asked.state.startswith(OUTCOME):
        did = f'with the outcome "{asked.state.removeprefix(OUTCOME).replace("_", " ")}"'
    elif asked.state.startswith(REPORTED):
        did = f'of whose message was reported: "{NEWS[asked.state.removeprefix(REPORTED)]}"'
    else:
        did = STATES[asked.state].format(event=event)
    return " · ".join([did, whose, *_group(asked.narrow)])


def _group(narrow: Narrow) -> Iterator[str]:
    if narrow.channel:
        yield "no known channel" if narrow.channel == NO_CHANNEL else f"channel {channel_name(narrow.channel)}"
    if narrow.attribute:
        value = "not known" if narrow.value is None else f'"{named(narrow.value)[0]}"'
        yield f"{named(narrow.attribute)[0]}: {value}"


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 9 and int(text) > 0):
        raise bad_request(f'page is "{text[:20]}", must be a number from 1')
    return int(text)


def _csv(rows: Sequence[dict[str, str]]) -> str:
    """Return a file in which no cell is a formula."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(list(rows[0]) if rows else ["user_id"])
    writer.writerows([guarded(value) for value in row.values()] for row in rows)
    return text.getvalue()
