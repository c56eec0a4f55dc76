"""The way of every request that brings facts: key, body, dialect, log, answer."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
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
from afterword.interfaces.api.headers import header
from afterword.interfaces.api.operations import BEARER, Answered, Body, Call, Operation, Scheme
from afterword.interfaces.api.server import Receiving
from afterword.store.idempotency import Answer, IdempotencyConflict
from afterword.store.keys import Key
from afterword.store.metadata_database import MetadataUnavailable
from afterword.store.permissions import Permission

IDEMPOTENCY = b"idempotency-key"


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


@dataclass(frozen=True, slots=True)
class Sent:
    """A request that brings facts."""

    body: bytes
    content_type: str | None
    at: int
    """The time of receipt, in microseconds since 1970."""
    key: Key
    name: str | None
    """Its `Idempotency-Key`."""

    @property
    def stem(self) -> str | None:
        """What ids are made of that are the same when the request is sent again; None without an `Idempotency-Key`."""
        if self.name is None:
            return None
        return hashlib.sha256(f"{self.key.id}\0{self.name}".encode()).hexdigest()[:32]


Taking = Callable[[Receiving, Sent], Awaitable[Read]]
"""Makes facts of a request. Raises `RequestError` or `Refused`."""


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

    async def taking(server: Receiving, sent: Sent) -> Read:
        return read(server.policy.intake)(sent.body, sent.content_type, sent.at)

    return taking_operation(path, permission, summary, body, taking, answers, tag, scheme=scheme, about=about)


def taking_operation(
    path: str,
    permission: Permission,
    summary: str,
    body: Body,
    taking: Taking,
    answers: tuple[Answered, ...],
    tag: str,
    refusals: Mapping[int, str] | None = None,
    scheme: Scheme = BEARER,
    about: str = "",
) -> Operation[Receiving]:
    """Return the operation of a path whose facts depend on more than the request."""

    async def take(server: Receiving, call: Call) -> Response:
        server.ready_to_accept()
        content = await call.body()
        scope = call.request.scope
        sent = Sent(content, header(scope, b"content-type"), server.clock(), call.key, header(scope, IDEMPOTENCY))
        if sent.name is not None:
            return await _take_once(server, sent, sent.name, call.request, taking)
        found = await _made(taking, server, sent)
        keeping, status, told = server.keep(found.accepted, sent.key, sent.at), found.status, _telling(found)
        del found  # before the wait, see `keep`
        return answer(status, told(await keeping))

    known = {409: "the same `Idempotency-Key` with another body, or while the first request is still at work"}
    refused = {**known, **(refusals or {})}
    return Operation(
        "POST", path, summary, take, tag, answers, permission, (), body, refused, scheme=scheme, about=about
    )


async def _made(taking: Taking, server: Receiving, sent: Sent) -> Read:
    try:
        return await taking(server, sent)
    except RequestError as error:
        raise bad_request(str(error)) from None


def _telling(found: Read) -> Callable[[int | None], Mapping[str, Any]]:
    """Return what answers, given the position: who asks for persons to be erased must know when that is done."""
    told, asks_to_erase = found.answer, isinstance(found, Deletions)
    return lambda position: {**told, "position": position} if asks_to_erase and position is not None else told


async def _take_once(server: Receiving, sent: Sent, name: str, request: Request, taking: Taking) -> Response:
    """Take a request that says which one it is: again, it gets the answer that it got before."""
    store, key = server.data.metadata.idempotency, sent.key
    told = request.scope["path"].encode("utf-8", "replace") + b"\0" + sent.body
    try:
        known = await server.in_thread(store.begin, key.id, name, told, sent.at)
    except IdempotencyConflict as error:
        raise Refused(409, str(error)) from None
    except MetadataUnavailable:
        raise
    except UserError as error:
        raise bad_request(str(error)) from None
    if known is not None:
        return Response(known.body, known.status, media_type=JSON)
    try:
        found = await _made(taking, server, sent)
        name_equals(found.accepted, sent.stem or "")
        position = await server.keep(found.accepted, key, sent.at)
    except BaseException:
        await server.in_thread(store.abandon, key.id, name, sent.at)
        raise
    response = answer(found.status, _telling(found)(position))
    given = Answer(found.status, bytes(response.body))
    await server.in_thread(store.finish, key.id, name, sent.at, given)
    return response


def name_equals(accepted: Accepted, stem: str) -> None:
    """Give events that would be new every time an id from the request's own, so that a retry repeats them."""
    unfold(accepted)
    for event in accepted.events:
        if event.event_id is None and not event.once:
            event.event_id = f"~{stem}-{event.item}"
