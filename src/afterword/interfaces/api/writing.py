"""The way of every request that brings facts: key, body, dialect, log, answer."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import Response

from afterword.errors import UserError
from afterword.intake.accepted import Accepted
from afterword.intake.bodies import Policy as IntakePolicy
from afterword.intake.bodies import RequestError
from afterword.intake.braze_usual import unfold
from afterword.intake.native_users import Deletions
from afterword.interfaces.api.answers import JSON, answer
from afterword.interfaces.api.faults import Refused, bad_request
from afterword.interfaces.api.operations import BEARER, Answered, Body, Call, Operation, Scheme
from afterword.interfaces.api.server import Receiving
from afterword.store.idempotency import Answer, IdempotencyConflict
from afterword.store.keys import Key
from afterword.store.metadata_database import MetadataUnavailable
from afterword.store.permissions import Permission

IDEMPOTENCY = "idempotency-key"


class Read(Protocol):
    """What a dialect makes of a body."""

    @property
    def accepted(self) -> Accepted:
        """The facts."""

    @property
    def status(self) -> int:
        """The status of the answer."""

    @property
    def answer(self) -> Mapping[str, Any]:
        """The answer."""


Dialect = Callable[[bytes, str | None, int], Read]
"""Reads (body, content type, time of receipt)."""


def write_operation(
    path: str,
    permission: Permission,
    summary: str,
    body: Body,
    read: Callable[[IntakePolicy], Dialect],
    answers: tuple[Answered, ...],
    tag: str,
    scheme: Scheme = BEARER,
    about: str = "",
) -> Operation[Receiving]:
    """Return the operation of a path that takes facts of one dialect; `read` makes the dialect from its limits."""

    async def take(server: Receiving, call: Call) -> Response:
        server.ready_to_accept()
        body = await call.body()
        received_at, request = server.clock(), call.request
        dialect = read(server.policy.intake)
        name = request.headers.get(IDEMPOTENCY)
        if name is not None:
            return await _take_once(server, call.key, name, body, request, dialect, received_at)
        found = _read(dialect, body, request, received_at)
        position = await server.keep(found.accepted, call.key, received_at)
        return answer(found.status, _told(found, position))

    refusals = {409: "the same `Idempotency-Key` with another body, or while the first request is still at work"}
    return Operation(
        "POST", path, summary, take, tag, answers, permission, (), body, refusals, scheme=scheme, about=about
    )


def _read(read: Dialect, body: bytes, request: Request, received_at: int) -> Read:
    try:
        return read(body, request.headers.get("content-type"), received_at)
    except RequestError as error:
        raise bad_request(str(error)) from None


def _told(found: Read, position: int | None) -> Mapping[str, Any]:
    """Return the answer; who asks for persons to be erased is told by what to know when that is done."""
    if isinstance(found, Deletions) and position is not None:
        return {**found.answer, "position": position}
    return found.answer


async def _take_once(
    server: Receiving,
    key: Key,
    name: str,
    body: bytes,
    request: Request,
    read: Dialect,
    received_at: int,
) -> Response:
    """Take a request that says which one it is: again, it gets the answer that it got before."""
    store = server.data.metadata.idempotency
    told = request.scope["path"].encode("utf-8", "replace") + b"\0" + body
    try:
        known = await server.in_thread(store.begin, key.id, name, told, received_at)
    except IdempotencyConflict as error:
        raise Refused(409, str(error)) from None
    except MetadataUnavailable:
        raise
    except UserError as error:
        raise bad_request(str(error)) from None
    if known is not None:
        return Response(known.body, known.status, media_type=JSON)
    try:
        found = _read(read, body, request, received_at)
        name_equals(found.accepted, key.id, name)
        position = await server.keep(found.accepted, key, received_at)
    except BaseException:
        await server.in_thread(store.abandon, key.id, name, received_at)
        raise
    response = answer(found.status, _told(found, position))
    given = Answer(found.status, bytes(response.body))
    await server.in_thread(store.finish, key.id, name, received_at, given)
    return response


def name_equals(accepted: Accepted, key_id: str, name: str) -> None:
    """Give events that would be new every time an id from the request's own, so that a retry repeats them."""
    unfold(accepted)
    stem = hashlib.sha256(f"{key_id}\0{name}".encode()).hexdigest()[:32]
    for event in accepted.events:
        if event.event_id is None and not event.once:
            event.event_id = f"~{stem}-{event.item}"
