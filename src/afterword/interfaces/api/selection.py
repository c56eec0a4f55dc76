"""Intelligent Selection over the API: how it stands and stood, and what somebody wants it to do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from starlette.responses import Response

from afterword.errors import UserError
from afterword.interfaces.api import selection_types as types
from afterword.interfaces.api.answers import answer
from afterword.interfaces.api.campaigns import report_of
from afterword.interfaces.api.faults import Refused, bad_request
from afterword.interfaces.api.openapi import OURS
from afterword.interfaces.api.operations import Answered, Body, Call, Operation
from afterword.interfaces.api.parameters import EPOCH, ID, WholeNumber
from afterword.interfaces.api.refusing import form_of, refusals
from afterword.interfaces.api.server import RETRY_SECONDS, Answers
from afterword.interfaces.decided import percent, told
from afterword.interfaces.moments import iso
from afterword.store.campaign_forms import to_data
from afterword.store.permissions import Permission
from afterword.store.selections import Cause, StoredDecision, UnknownDecision
from afterword.workspace.selecting import Selecting, chosen_for, decision_of

BODY_BYTES = 1 << 16
SHOWN, MOST = 50, 10_000
DECISION = WholeNumber("decision", "the number of a decision; 0 is the newest", 0, 999_999_999, 0)
LIMIT = WholeNumber("limit", "how many decisions are listed", 0, MOST, SHOWN)
ONLY_FOR = {"decision": "accept", "seed": "decide", "apply": "decide"}


class NoResults(UserError):
    """There is no report to decide from yet; there will be one."""


def selecting_of(server: Answers) -> Selecting:
    """Return what makes decisions from the results of a server."""

    def report(campaign_id: str) -> tuple[int, Mapping[str, Any]]:
        try:
            found = report_of(server, campaign_id)
        except Refused as error:
            raise NoResults(error.message) from None
        as_of = datetime.fromisoformat(found["as_of"]) - EPOCH
        return as_of // timedelta(microseconds=1), found["campaigns"][0]

    return Selecting(server.data.metadata, report, server.clock)


async def _told(server: Answers, call: Call) -> Response:
    number, limit = DECISION.read(call.parameters), LIMIT.read(call.parameters)
    return answer(200, await _asked(lambda: standing(server, call.id, number or None, limit)))


async def _acted(server: Answers, call: Call) -> Response:
    asked = form_of(await call.body(), types.Asked)
    for name, action in ONLY_FOR.items():
        if name in asked and asked["action"] != action:
            raise bad_request(f"{name} belongs to action {action}, not to {asked['action']}")
    call.noting["action"] = asked["action"]
    return answer(200, await _asked(lambda: act(server, call.id, asked)))


def act(server: Answers, campaign_id: str, asked: types.Asked) -> dict[str, Any]:
    """Decide, accept, pause or resume; return how it stands then.

    Raises:
        UserError: what is asked for is not there, or not possible.

    """
    store, now = server.data.metadata.selections, server.clock()
    chosen_for(server.data.metadata.campaigns.get(campaign_id))
    number: int | None = None
    if asked["action"] == "decide":
        seed, apply = asked.get("seed"), asked.get("apply")
        number = selecting_of(server).decide(campaign_id, Cause.REQUEST, seed=seed, apply=apply).number
    elif asked["action"] == "accept":
        number = asked.get("decision") or _newest(server, campaign_id)
        store.apply(campaign_id, number, now)
    elif asked["action"] == "pause":
        store.pause(campaign_id, now)
    else:
        store.resume(campaign_id)
    return standing(server, campaign_id, number, SHOWN)


def _newest(server: Answers, campaign_id: str) -> int:
    last = server.data.metadata.selections.last(campaign_id)
    if last is None:
        raise UnknownDecision(f'"{campaign_id}" has no decision that could be accepted: decide first')
    return last.number


def standing(server: Answers, campaign_id: str, number: int | None, limit: int) -> dict[str, Any]:
    """Return how it stands (docs/selection.md), with one decision whole: the newest where no number is given.

    Raises:
        UserError: there is no such campaign or decision.

    """
    metadata = server.data.metadata
    stored = metadata.campaigns.get(campaign_id)
    last = metadata.selections.last(campaign_id)
    shown = last if number is None else metadata.selections.get(campaign_id, number)
    return {
        "campaign": campaign_id,
        "settings": to_data(stored.campaign).get("selection"),
        "stage": None if last is None else last.stage,
        "paused_at": iso(metadata.selections.paused_at(campaign_id)),
        "due_at": iso(selecting_of(server).due_at(stored)),
        "decision": None if shown is None else _decision(shown),
        "decisions": [_summary(one) for one in metadata.selections.list(campaign_id, limit)],
    }


def _summary(one: StoredDecision) -> dict[str, Any]:
    return {
        "number": one.number,
        "decided_at": iso(one.decided_at),
        "cause": one.cause.value,
        "stage": one.stage,
        "shares": percent(one.shares),
        "applied_at": iso(one.applied_at),
    }


def _decision(one: StoredDecision) -> dict[str, Any]:
    decision = decision_of(one.document)
    return _summary(one) | {"shares_before": percent(one.shares_before)} | told(decision)


async def _asked(ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    with refusals():
        try:
            return await asyncio.to_thread(ask)
        except NoResults as error:
            raise Refused(503, str(error), {"Retry-After": RETRY_SECONDS}) from None


_PATH = "/api/campaigns/{id}/selection"
_STANDS = (Answered(200, "how it stands", types.Selection),)
_REFUSED = {404: "there is no such campaign, or no such decision", 504: "there was no answer in time"}

OPERATIONS = (
    Operation(
        "GET",
        _PATH,
        "Intelligent Selection: how it stands, and its decisions",
        _told,
        OURS,
        _STANDS,
        Permission.API_READ,
        (ID, DECISION, LIMIT),
        None,
        _REFUSED,
    ),
    Operation(
        "POST",
        _PATH,
        "Intelligent Selection: decide now, accept a decision, pause or resume",
        _acted,
        OURS,
        _STANDS,
        Permission.API_DEFINITIONS,
        (ID,),
        Body(types.Asked, {"action": "decide", "apply": True}, limit=lambda _policy: BODY_BYTES),
        _REFUSED | {409: "its state does not allow it", 503: "the results are not up to date"},
    ),
)
