"""Webhooks over Afterword's own API: made, changed, tried out, paused and resumed."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from afterword.errors import UserError
from afterword.interfaces.api.access import bearer
from afterword.interfaces.api.answers import answer
from afterword.interfaces.api.bodies import read_body
from afterword.interfaces.api.changes import NOW, place_of
from afterword.interfaces.api.faults import Refused, bad_request
from afterword.interfaces.api.server import Answers
from afterword.interfaces.moments import iso
from afterword.interfaces.posting import post
from afterword.store.metadata_database import MetadataUnavailable
from afterword.store.permissions import Permission
from afterword.store.webhooks import UnknownWebhook, Webhook
from afterword.workspace.deliveries import NotSent, make_delivery
from afterword.workspace.live.feed import Position

Found = TypeVar("Found")
BODY_BYTES = 1 << 16


class _Wanted(msgspec.Struct, forbid_unknown_fields=True):
    """What is sent, and where to."""

    url: str
    campaigns: list[str] | None = None
    conversion_events: list[str] | None = None


class _New(_Wanted, forbid_unknown_fields=True):
    """The body that makes a webhook."""

    from_: str = msgspec.field(default=NOW, name="from")


class _Changed(_Wanted, forbid_unknown_fields=True):
    """The body that changes one; without `paused` it stays as paused or active as it is."""

    paused: bool | None = None


class _Resumed(msgspec.Struct, forbid_unknown_fields=True):
    """The body that resumes one; without `from` it goes on where it stood."""

    from_: str | None = msgspec.field(default=None, name="from")


Body = TypeVar("Body", _New, _Changed, _Resumed)


def routes(server: Answers) -> list[Route]:
    """Return the routes."""
    webhooks = _Webhooks(server)
    one = "/api/webhooks/{id}"
    return [
        Route("/api/webhooks", webhooks.listed, methods=["GET"]),
        Route("/api/webhooks", webhooks.created, methods=["POST"]),
        Route(one, webhooks.told, methods=["GET"]),
        Route(one, webhooks.changed, methods=["PUT"]),
        Route(one, webhooks.deleted, methods=["DELETE"]),
        Route(f"{one}/test", webhooks.tested, methods=["POST"]),
        Route(f"{one}/resume", webhooks.resumed, methods=["POST"]),
    ]


def told(webhook: Webhook) -> dict[str, Any]:
    """Return a webhook as the API tells it: all but its secret."""
    return {
        "id": webhook.id,
        "url": webhook.url,
        "campaigns": webhook.campaigns,
        "conversion_events": webhook.conversion_events,
        "status": "paused" if webhook.paused_at is not None else "failing" if webhook.failures else "active",
        "cursor": Position(webhook.feed, webhook.position).cursor,
        "created_at": iso(webhook.created_at),
        "delivered_at": iso(webhook.delivered_at),
        "failures": webhook.failures,
        "failing_since": iso(webhook.failing_since),
        "last_error": webhook.last_error,
        "next_attempt": iso(webhook.next_attempt),
        "paused_at": iso(webhook.paused_at),
    }


class _Webhooks:
    """The endpoints; what asks a database or somebody else's server runs in a thread."""

    def __init__(self, server: Answers) -> None:
        self._server = server
        self._store = server.data.metadata.webhooks

    async def listed(self, request: Request) -> Response:
        headers = self._allowed(request)
        found = await asyncio.to_thread(self._store.list)
        return answer(200, {"webhooks": [told(webhook) for webhook in found]}, headers)

    async def created(self, request: Request) -> Response:
        """Make a webhook; the answer shows its secret, and no other does."""
        headers = self._allowed(request)
        asked = await self._body(request, _New)
        webhook = await self._asked(lambda: self._create(asked))
        return answer(201, {**told(webhook), "secret": webhook.secret}, headers)

    def _create(self, asked: _New) -> Webhook:
        place = place_of(asked.from_, self._server.data.live.feed.state)
        wanted = (asked.url, asked.campaigns, asked.conversion_events)
        return self._store.create(*wanted, (place.born, place.sequence), self._server.clock(), os.urandom)

    async def told(self, request: Request) -> Response:
        headers = self._allowed(request)
        return answer(200, told(await self._asked(lambda: self._store.get(_id(request)))), headers)

    async def changed(self, request: Request) -> Response:
        headers = self._allowed(request)
        asked = await self._body(request, _Changed)
        return answer(200, told(await self._asked(lambda: self._change(_id(request), asked))), headers)

    def _change(self, webhook_id: str, asked: _Changed) -> Webhook:
        now = self._server.clock()
        webhook = self._store.change(webhook_id, asked.url, asked.campaigns, asked.conversion_events, now)
        if asked.paused is None or asked.paused == (webhook.paused_at is not None):
            return webhook
        return self._store.pause(webhook_id, now) if asked.paused else self._resume(webhook_id, None)

    async def deleted(self, request: Request) -> Response:
        headers = self._allowed(request)
        return answer(200, told(await self._asked(lambda: self._store.delete(_id(request)))), headers)

    async def resumed(self, request: Request) -> Response:
        """Send again, from where it stood or `from` somewhere else."""
        headers = self._allowed(request)
        asked = await self._body(request, _Resumed)
        return answer(200, told(await self._asked(lambda: self._resume(_id(request), asked.from_))), headers)

    def _resume(self, webhook_id: str, from_: str | None) -> Webhook:
        webhook, state = self._store.get(webhook_id), self._server.data.live.feed.state
        place = place_of(Position(webhook.feed, webhook.position).cursor if from_ is None else from_, state)
        moved = None if from_ is None else (place.born, place.sequence)
        return self._store.resume(webhook_id, self._server.clock(), moved)

    async def tested(self, request: Request) -> Response:
        """Send a delivery without changes, and say what became of it."""
        headers = self._allowed(request)
        webhook = await self._asked(lambda: self._store.get(_id(request)))
        return answer(200, await asyncio.to_thread(self._test, webhook), headers)

    def _test(self, webhook: Webhook) -> dict[str, Any]:
        delivery = make_delivery(webhook, f"dlv_test_{os.urandom(12).hex()}", [], self._server.clock())
        try:
            answered = post(webhook.url, delivery.headers, delivery.body)
        except NotSent as error:
            return {"delivery_id": delivery.id, "received": False, "status": None, "message": str(error)}
        said = f"the receiver answered {answered.status}"
        return {
            "delivery_id": delivery.id, "received": answered.received, "status": answered.status, "message": said
        }  # fmt: skip

    def _allowed(self, request: Request) -> dict[str, str]:
        return self._server.key(request, bearer(request), Permission.API_DEFINITIONS)[1]

    async def _body(self, request: Request, form: type[Body]) -> Body:
        body = await read_body(request, BODY_BYTES, self._server.policy.body_seconds)
        try:
            return msgspec.json.decode(body or b"{}", type=form)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise bad_request(f"the body cannot be read: {error}") from None

    async def _asked(self, ask: Callable[[], Webhook]) -> Webhook:
        try:
            return await asyncio.to_thread(ask)
        except UnknownWebhook as error:
            raise Refused(404, str(error)) from None
        except MetadataUnavailable:
            raise
        except UserError as error:
            raise bad_request(str(error)) from None


def _id(request: Request) -> str:
    return str(request.path_params["id"])
