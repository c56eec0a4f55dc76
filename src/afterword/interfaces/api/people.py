"""People who sign in, over the API: listed, invited, given another role, disabled."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.responses import Response

from afterword.interfaces.api import people_types as types
from afterword.interfaces.api.answers import answer
from afterword.interfaces.api.openapi import OURS
from afterword.interfaces.api.operations import Answered, Body, Call, Operation
from afterword.interfaces.api.parameters import IN_PATH, Text
from afterword.interfaces.api.refusing import asked_of, read_form
from afterword.interfaces.api.server import Answers
from afterword.interfaces.moments import iso
from afterword.store.accounts import Account, Role
from afterword.store.permissions import Permission

BODY_BYTES = 1 << 16


def told(account: Account) -> dict[str, Any]:
    """Return somebody as the API tells it."""
    return {
        "id": account.id,
        "email": account.email,
        "name": account.name,
        "role": account.role.value,
        "created_at": iso(account.created_at),
        "disabled_at": iso(account.disabled_at),
        "last_seen_at": iso(account.last_seen_at),
        "invited_until": iso(account.invited_until),
    }


async def _listed(server: Answers, _call: Call) -> Response:
    found = await asyncio.to_thread(server.data.metadata.accounts.list)
    return answer(200, {"people": [told(account) for account in found]})


async def _invited(server: Answers, call: Call) -> Response:
    asked = await read_form(call, types.NewPerson)
    invite, role = server.data.metadata.accounts.invite, Role(asked.role)
    account, secret = await asked_of(lambda: invite(asked.email, asked.name, role, server.clock(), os.urandom))
    return answer(201, {**told(account), "invitation": secret})


async def _changed(server: Answers, call: Call) -> Response:
    asked = await read_form(call, types.ChangedPerson)
    return answer(200, told(await asked_of(lambda: _change(server, call.id, asked))))


def _change(server: Answers, account_id: str, asked: types.ChangedPerson) -> Account:
    store, now = server.data.metadata.accounts, server.clock()
    account = store.get(account_id)
    if asked.role is not None:
        account = store.set_role(account_id, Role(asked.role), now)
    if asked.disabled is not None:
        account = store.disable(account_id, now) if asked.disabled else store.enable(account_id, now)
    return account


async def _linked(server: Answers, call: Call) -> Response:
    reset = server.data.metadata.accounts.reset
    account, secret = await asked_of(lambda: reset(call.id, server.clock(), os.urandom))
    return answer(201, {**told(account), "invitation": secret})


async def _signed_out(server: Answers, call: Call) -> Response:
    metadata = server.data.metadata

    def end() -> int:
        return metadata.sessions.end_all(metadata.accounts.get(call.id).id, server.clock())

    return answer(200, {"sessions": await asked_of(end)})


ID = Text("id", "the id of a person", required=True, example="p1", place=IN_PATH)
_ALL, _ONE = "/api/people", "/api/people/{id}"
_UNKNOWN = {404: "there is nobody with this id"}


def _operation(
    method: str,
    path: str,
    summary: str,
    handle: Callable[[Answers, Call], Awaitable[Response]],
    answered: Answered,
    refusals: Mapping[int, str],
    body: Body | None = None,
    about: str = "",
) -> Operation[Answers]:
    parameters = (ID,) if "{id}" in path else ()
    permission = Permission.ADMIN
    return Operation(
        method, path, summary, handle, OURS, (answered,), permission, parameters, body, refusals, about=about
    )


def _body(form: type, example: Mapping[str, Any]) -> Body:
    return Body(form, example, limit=lambda _policy: BODY_BYTES)


OPERATIONS = (
    _operation("GET", _ALL, "List the people who may sign in", _listed, Answered(200, "all of them", types.People), {}),
    _operation(
        "POST",
        _ALL,
        "Invite somebody",
        _invited,
        Answered(201, "the person, and what the link holds", types.InvitedPerson),
        {409: "the address is taken"},
        _body(types.NewPerson, {"email": "ben@example.com", "name": "Ben", "role": "analyst"}),
        about="The link is `/invitation?secret=` and the invitation. Who has not accepted yet gets a new link.",
    ),
    _operation(
        "PUT",
        _ONE,
        "Give somebody another role, let nobody in with an account, or let them in again",
        _changed,
        Answered(200, "the person", types.Person),
        _UNKNOWN | {409: "it is the last admin who can sign in"},
        _body(types.ChangedPerson, {"role": "editor", "disabled": False}),
        about="Another role and disabling end all sessions of the person.",
    ),
    _operation(
        "POST",
        f"{_ONE}/invitation",
        "Let somebody choose another password",
        _linked,
        Answered(201, "the person, and what the link holds", types.InvitedPerson),
        _UNKNOWN | {409: "the account is disabled"},
        about="The password before stands until then.",
    ),
    _operation(
        "DELETE",
        f"{_ONE}/sessions",
        "Sign somebody out everywhere",
        _signed_out,
        Answered(200, "how many sessions have ended", types.EndedSessions),
        _UNKNOWN,
        about="Who knows the password can sign in again.",
    ),
)
