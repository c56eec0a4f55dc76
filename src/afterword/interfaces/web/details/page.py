"""The page of a campaign or Canvas, `GET /campaign?id=`; a part of it asks for itself again and again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from afterword.interfaces.api.faults import Refused
from afterword.interfaces.api.latest_answers import latest_report
from afterword.interfaces.web.details.grids import Numbers
from afterword.interfaces.web.details.heading import title_of
from afterword.interfaces.web.details.variants import KEYS, USUAL
from afterword.interfaces.web.details.view import Asked, Details, results_of
from afterword.interfaces.web.links import link
from afterword.interfaces.web.rendering import HEADERS, page, part
from afterword.interfaces.web.visits import Visit, Web
from afterword.store.accounts import Role
from afterword.store.campaigns import StoredCampaign, UnknownCampaign
from afterword.workspace.latest import Answer, StillMaking

COLUMNS_COOKIE = "afterword_columns"
YEAR_SECONDS = 365 * 86_400
TAG_LETTERS = 16
NOT_YET = (409, 503)


def show(web: Web, visit: Visit) -> Response:
    """Show a campaign."""
    stored = find(web, visit.must_ask("id"))
    asked = _asked(visit)
    view = _details(web, visit, stored, asked)
    tag = hashlib.sha256(repr(view).encode("utf-8", "replace")).hexdigest()[:TAG_LETTERS]
    if visit.part:
        if visit.asked("known") == tag:
            return Response(status_code=204, headers=HEADERS)
        return part("campaign_part.html.j2", visit, view=view, tag=tag)
    again = link("/campaign", id=stored.campaign.id, event=asked.letter)
    over_time = link("/campaign/over-time", id=stored.campaign.id, event=asked.letter)
    name = view.title.name
    response = page("campaign.html.j2", visit, name, "overview", view=view, tag=tag, again=again, over_time=over_time)
    if "chosen" in visit.query:
        response.set_cookie(
            COLUMNS_COOKIE, ".".join(asked.columns), YEAR_SECONDS, httponly=True, samesite="lax", secure=visit.secure
        )
    return response


def find(web: Web, campaign: str) -> StoredCampaign:
    """Return a campaign.

    Raises:
        Refused: 404 there is none of this id.

    """
    try:
        return web.server.data.metadata.campaigns.get(campaign)
    except UnknownCampaign as error:
        raise Refused(404, str(error)) from None


def told_of(web: Web, visit: Visit, campaign: str) -> Answer[Mapping[str, Any]]:
    """Return a campaign's part of the report, and as of when it is; raises as `latest_report`."""
    return latest_report(web.server, campaign, visit.patience)


def _details(web: Web, visit: Visit, stored: StoredCampaign, asked: Asked) -> Details:
    numbers = Numbers(stored.campaign.id, visit.role)
    told, nothing, why, newer_comes = _told(web, visit, stored)
    timezone = web.server.data.definitions().workspace.timezone
    exposed = (told["first_exposed_at"], told["last_exposed_at"]) if told else (None, None)
    title = title_of(stored, visit.role, timezone, exposed)
    return Details(
        title,
        results_of(told, asked, numbers) if told else None,
        nothing,
        why,
        letter=asked.letter if stored.campaign.conversion_events else "",
        selects=stored.campaign.selection is not None,
        asks_why=visit.role.includes(Role.ANALYST),
        again=link("/campaign", id=stored.campaign.id, event=asked.letter) if newer_comes else "",
    )


def _told(web: Web, visit: Visit, stored: StoredCampaign) -> tuple[Mapping[str, Any] | None, str, str, bool]:
    """Return what the report says, or why there is nothing to say, and whether something newer comes soon."""
    if stored.launched_at is None:
        return None, "draft", "", False
    try:
        found = told_of(web, visit, stored.campaign.id)
    except StillMaking:
        return None, "counting", "", True
    except Refused as refused:
        if refused.status not in NOT_YET:
            raise
        return None, "waiting", refused.message, False
    told = found.data if found.data["total_with_control"]["exposed"] else None
    return told, "" if told else "nobody", "", found.newer_comes


def _asked(visit: Visit) -> Asked:
    if "chosen" in visit.query:
        named = visit.query.get("columns", ())
    else:
        kept = visit.cookies.get(COLUMNS_COOKIE)
        named = USUAL if kept is None else kept.split(".")
    columns = [key for key in KEYS if key in named]
    return Asked(visit.asked("event", "A"), columns)
