"""Webhooks over Afterword's own API: made, changed, tried out, paused and resumed.

What asks a database or somebody else's server runs in a thread.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.responses import Response

from afterword.interfaces.api import webhook_types as types
from afterword.interfaces.api.answers import answer
from afterword.interfaces.api.changes import place_of
from afterword.interfaces.api.openapi import OURS
from afterword.interfaces.api.operations import Answered, Body, Call, Operation
from afterword.interfaces.api.parameters import IN_PATH, Text
from afterword.interfaces.api.refusing import asked_of, read_form
from afterword.interfaces.api.server import Answers
from afterword.interfaces.moments import iso
from afterword.interfaces.posting import post
from afterword.store.permissions import Permission
from afterword.store.webhooks import Webhook
from afterword.workspace.deliveries import NotSent, make_delivery
from afterword.workspace.live.feed import Position

BODY_BYTES = 1 << 16


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


async def _listed(server: Answers, _call: Call) -> Response:
    found = await asyncio.to_thread(server.data.metadata.webhooks.list)
    return answer(200, {"webhooks": [told(webhook) for webhook in found]})


async def _created(server: Answers, call: Call) -> Response:
    asked = await read_form(call, types.NewWebhook)
    webhook = await asked_of(lambda: _create(server, asked))
    return answer(201, {**told(webhook), "secret": webhook.secret})


def _create(server: Answers, asked: types.NewWebhook) -> Webhook:
    place = place_of(asked.from_, server.data.live.feed.state)
    wanted = (asked.url, asked.campaigns, asked.conversion_events)
    create = server.data.metadata.webhooks.create
    return create(*wanted, (place.born, place.sequence), server.clock(), os.urandom)


async def _told(server: Answers, call: Call) -> Response:
    return answer(200, told(await asked_of(lambda: server.data.metadata.webhooks.get(call.id))))


async def _changed(server: Answers, call: Call) -> Response:
    asked = await read_form(call, types.ChangedWebhook)
    return answer(200, told(await asked_of(lambda: _change(server, call.id, asked))))


def _change(server: Answers, webhook_id: str, asked: types.ChangedWebhook) -> Webhook:
    store, now = server.data.metadata.webhooks, server.clock()
    webhook = store.change(webhook_id, asked.url, asked.campaigns, asked.conversion_events, now)
    if asked.paused is None or asked.paused == (webhook.paused_at is not None):
        return webhook
    return store.pause(webhook_id, now) if asked.paused else _resume(server, webhook_id, None)


async def _deleted(server: Answers, call: Call) -> Response:
    return answer(200, told(await asked_of(lambda: server.data.metadata.webhooks.delete(call.id))))


async def _resumed(server: Answers, call: Call) -> Response:
    asked = await read_form(call, types.ResumedWebhook)
    return answer(200, told(await asked_of(lambda: _resume(server, call.id, asked.from_))))


def _resume(server: Answers, webhook_id: str, from_: str | None) -> Webhook:
    store, state = server.data.metadata.webhooks, server.data.live.feed.state
    webhook = store.get(webhook_id)
    place = place_of(Position(webhook.feed, webhook.position).cursor if from_ is None else from_, state)
    return store.resume(webhook_id, server.clock(), None if from_ is None else (place.born, place.sequence))


async def _tested(server: Answers, call: Call) -> Response:
    webhook = await asked_of(lambda: server.data.metadata.webhooks.get(call.id))
    return answer(200, await asyncio.to_thread(_test, server, webhook))


def _test(server: Answers, webhook: Webhook) -> dict[str, Any]:
    delivery = make_delivery(webhook, f"dlv_test_{os.urandom(12).hex()}", [], server.clock())
    try:
        answered = post(webhook.url, delivery.headers, delivery.body)
    except NotSent as error:
        return {"delivery_id": delivery.id, "received": False, "status": None, "message": str(error)}
    said = f"the receiver answered {answered.status}"
    return {"delivery_id": delivery.id, "received": answered.received, "status": answered.status, "message": said}


ID = Text("id", "the id of a webhook", required=True, example="wh_mfzwcylbmfqwcylb", place=IN_PATH)
_ALL, _ONE = "/api/webhooks", "/api/webhooks/{id}"
_UNKNOWN = {404: "there is no such webhook"}
_GONE = {410: "not all changes from there on are kept"}
_SHOWN = Answered(200, "the webhook, without its secret", types.Webhook)
_EXAMPLE = {"url": "https://warehouse.example/hooks", "campaigns": None, "conversion_events": ["A"]}


def _operation(
    method: str,
    path: str,
    summary: str,
    handle: Callable[[Answers, Call], Awaitable[Response]],
    answered: Answered,
    refusals: Mapping[int, str],
    body: Body | None = None,
) -> Operation[Answers]:
    parameters = (ID,) if "{id}" in path else ()
    refusals = {504: "there was no answer in time", **refusals}
    return Operation(
        method, path, summary, handle, OURS, (answered,), Permission.API_DEFINITIONS, parameters, body, refusals
    )


def _body(form: type, example: Mapping[str, Any]) -> Body:
    return Body(form, example, limit=lambda _policy: BODY_BYTES)


OPERATIONS = (
    _operation("GET", _ALL, "List webhooks", _listed, Answered(200, "all of them", types.AllWebhooks), {}),
    _operation(
        "POST",
        _ALL,
        "Have changes of conversions sent somewhere",
        _created,
        Answered(201, "the webhook with its secret, which is not shown again", types.MadeWebhook),
        _GONE,
        _body(types.NewWebhook, {**_EXAMPLE, "from": "now"}),
    ),
    _operation("GET", _ONE, "How a webhook stands", _told, _SHOWN, _UNKNOWN),
    _operation(
        "PUT",
        _ONE,
        "Change where and what is sent, from where it is",
        _changed,
        _SHOWN,
        _UNKNOWN | _GONE,
        _body(types.ChangedWebhook, {**_EXAMPLE, "paused": True}),
    ),
    _operation("DELETE", _ONE, "Forget a webhook", _deleted, _SHOWN, _UNKNOWN),
    _operation(
        "POST",
        f"{_ONE}/test",
        "Send a delivery without changes",
        _tested,
        Answered(200, "what became of it", types.TestedWebhook),
        _UNKNOWN,
    ),
    _operation(
        "POST",
        f"{_ONE}/resume",
        "Send again, from where it stood or from somewhere else",
        _resumed,
        _SHOWN,
        _UNKNOWN | _GONE,
        _body(types.ResumedWebhook, {"from": "now"}),
    ),
)
