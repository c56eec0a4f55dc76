"""Drafts of campaigns over the API: kept half-filled, and never overwritten unseen."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.responses import Response

from afterword.interfaces.api import people_types as types
from afterword.interfaces.api.answers import answer
from afterword.interfaces.api.faults import Refused, bad_request
from afterword.interfaces.api.openapi import OURS
from afterword.interfaces.api.operations import Answered, Body, Call, Operation
from afterword.interfaces.api.parameters import IN_PATH, Text
from afterword.interfaces.api.refusing import read_form, refusals
from afterword.interfaces.api.server import Answers
from afterword.interfaces.moments import iso
from afterword.store.drafts import MAX_BYTES, Draft, DraftChanged
from afterword.store.permissions import Permission

IF_MATCH = "if-match"
ESCAPED = 6
"""Bytes that JSON may spend on one."""


def told(draft: Draft) -> dict[str, Any]:
    """Return a draft as the API tells it."""
    return {
        "id": draft.id,
        "document": draft.document,
        "revision": draft.revision,
        "of": draft.of,
        "created_at": iso(draft.created_at),
        "updated_at": iso(draft.updated_at),
        "updated_by": draft.updated_by,
    }


async def _listed(server: Answers, _call: Call) -> Response:
    found = await asyncio.to_thread(server.data.metadata.drafts.list)
    return answer(200, {"drafts": [told(draft) for draft in found]})


async def _created(server: Answers, call: Call) -> Response:
    asked = await read_form(call, types.NewDraft)
    create, actor = server.data.metadata.drafts.create, server.actor(call.key)
    return await _shown(201, lambda: create(asked.document, actor, server.clock(), os.urandom, asked.of))


async def _told(server: Answers, call: Call) -> Response:
    return await _shown(200, lambda: server.data.metadata.drafts.get(call.id))


async def _saved(server: Answers, call: Call) -> Response:
    revision = _revision(call)
    if revision is None:
        raise Refused(428, "If-Match is missing: say which revision is changed, such as If-Match: 3")
    asked = await read_form(call, types.SavedDraft)
    save, actor = server.data.metadata.drafts.save, server.actor(call.key)
    return await _shown(200, lambda: save(call.id, asked.document, revision, actor, server.clock()))


async def _deleted(server: Answers, call: Call) -> Response:
    revision = _revision(call)
    return await _shown(200, lambda: server.data.metadata.drafts.delete(call.id, revision))


async def _shown(status: int, ask: Callable[[], Draft]) -> Response:
    with refusals():
        try:
            draft = await asyncio.to_thread(ask)
        except DraftChanged as error:
            return answer(412, {"message": str(error), "draft": told(error.newer)}, _tag(error.newer))
    return answer(status, told(draft), _tag(draft))


def _tag(draft: Draft) -> dict[str, str]:
    return {"ETag": f'"{draft.revision}"'}


def _revision(call: Call) -> int | None:
    """Return the revision that `If-Match` names, with or without quotes; None if nothing is said."""
    text = call.request.headers.get(IF_MATCH)
    if text is None:
        return None
    found = re.fullmatch(r'"?([0-9]{1,9})"?', text.strip(), re.ASCII)
    if found is None:
        raise bad_request(f'If-Match is "{text[:40]}", must be a revision such as 3')
    return int(found[1])


ID = Text("id", "the id of a draft", required=True, example="d_mfzwcylbmfqwcylb", place=IN_PATH)
_ALL, _ONE = "/api/drafts", "/api/drafts/{id}"
_UNKNOWN = {404: "there is no such draft"}
_SHOWN = Answered(200, "the draft; `ETag` has its revision", types.Draft)
_CHANGED = Answered(412, "somebody else saved it meanwhile: as it is now", types.NewerDraft)


def _operation(
    method: str,
    path: str,
    summary: str,
    handle: Callable[[Answers, Call], Awaitable[Response]],
    answers: tuple[Answered, ...],
    refusals: Mapping[int, str],
    body: Body | None = None,
    about: str = "",
) -> Operation[Answers]:
    parameters, permission = (ID,) if "{id}" in path else (), Permission.API_DEFINITIONS
    return Operation(method, path, summary, handle, OURS, answers, permission, parameters, body, refusals, about=about)


def _body(form: type, example: Mapping[str, Any]) -> Body:
    return Body(form, example, limit=lambda _policy: ESCAPED * MAX_BYTES)


_DOCUMENT = {"name": "Cart rescue", "channels": ["email"]}
OPERATIONS = (
    _operation("GET", _ALL, "List drafts", _listed, (Answered(200, "all of them", types.AllDrafts),), {}),
    _operation(
        "POST",
        _ALL,
        "Keep a draft of a campaign, whatever there is of it",
        _created,
        (Answered(201, "the draft; `ETag` has its revision", types.Draft),),
        {404: "there is no campaign that it could change"},
        _body(types.NewDraft, {"document": _DOCUMENT, "of": None}),
        about="Nothing in it is checked, but for its size; a campaign is made of it by `POST /api/campaigns`.",
    ),
    _operation("GET", _ONE, "A draft", _told, (_SHOWN,), _UNKNOWN),
    _operation(
        "PUT",
        _ONE,
        "Save a draft",
        _saved,
        (_SHOWN, _CHANGED),
        _UNKNOWN | {428: "`If-Match` is missing"},
        _body(types.SavedDraft, {"document": _DOCUMENT}),
        about="`If-Match` says which revision is changed. If it is no longer that one, nothing is changed.",
    ),
    _operation(
        "DELETE",
        _ONE,
        "Forget a draft",
        _deleted,
        (_SHOWN, _CHANGED),
        _UNKNOWN | {400: "`If-Match` cannot be read"},
        about="With `If-Match` only if it is still at that revision.",
    ),
)
