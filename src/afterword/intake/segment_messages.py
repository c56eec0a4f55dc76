"""What one message of Segment's protocol is: an event, attributes, a merge, or nothing that counts.

| call | becomes |
| --- | --- |
| `track "Order Completed"` | purchases (`segment_orders`) |
| `track "Order Refunded"` | refunds (`segment_orders`) |
| `track "Application Opened"` | a session |
| `track "Application Updated"` with `previous_version` | an upgrade |
| any other `track` | a custom event |
| `page`, `screen` | a session if it starts a visit, otherwise nothing |
| `identify` | attributes: `context.traits`, over them `traits` |
| `group` | the attribute `group_id`; the traits are the group's, not the user's |
| `alias` | a merge |

A `page` or `screen` **starts a visit** unless it says that it was reached from the same site: its referrer
(`properties.referrer` or `context.page.referrer`) has the host of its own address (`url` in the same places). What
came before is not known here, so a screen, which has no referrer, and a page that was opened without one always do.
A user converts once however many sessions there are (rule 15); `Application Opened` is the better sign.

The **app** of an event is `context.app.namespace` (it stays when the app is renamed or translated), else
`context.app.name`, else for a site the host of `context.page.url` (or a page's `properties.url`), without `www.`.

Events about e-mail and push messages ("Email Opened", "Push Notification Tapped") name campaigns of the service that
sent them, not Afterword's, and stay custom events.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field, replace
from enum import StrEnum
from urllib.parse import urlsplit

import msgspec

from afterword.errors import Reason
from afterword.intake.accepted import Attributes, Event, Json, Merge
from afterword.intake.columns import MAX_LENGTH
from afterword.intake.segment_orders import Sales, purchases_of, refunds_of
from afterword.intake.segment_values import (
    Fields,
    Unusable,
    fields_of,
    json_of,
    needed,
    shown,
    text_of,
    time_of,
    version_of,
)
from afterword.model import EventKind


class Call(StrEnum):
    """The calls of the protocol."""

    TRACK = "track"
    IDENTIFY = "identify"
    PAGE = "page"
    SCREEN = "screen"
    GROUP = "group"
    ALIAS = "alias"

    @property
    def facts(self) -> str:
        """What it becomes, in the words of `Rejected.kind`."""
        return {Call.IDENTIFY: "attributes", Call.GROUP: "attributes", Call.ALIAS: "merges"}.get(self, "events")


@dataclass(frozen=True, slots=True)
class Policy:
    """What a workspace decides."""

    skew: int = 5 * 60 * 1_000_000
    """How many microseconds after its time of receipt an event may have happened (rule 34)."""
    currency: str | None = "USD"
    """The currency of orders that name none, as the protocol has it; None: such orders are rejected."""


@dataclass(slots=True)
class Request:
    """What the messages of one request share."""

    received_at: int
    policy: Policy
    sent_at: int | None = None
    context: Fields = field(default_factory=dict)
    equals: Counter[str] = field(default_factory=Counter)
    """How many messages without an id and with the same text came before."""


@dataclass(slots=True)
class Facts:
    """What one message became."""

    sales: Sales = field(default_factory=Sales)
    attributes: Attributes | None = None
    merge: Merge | None = None
    unread: str | None = None
    """Why it is no fact, though nothing is wrong with it."""


def facts_of(call: Call, message: Fields, item: int, request: Request) -> Facts:
    """Return what a message is; `Unusable` if it is malformed."""
    if call is Call.ALIAS:
        return Facts(merge=_merge(message, item))
    user_id = _user_of(message)
    if call is Call.IDENTIFY:
        return _attributes(item, user_id, _traits_of(message))
    if call is Call.GROUP:
        group = needed(text_of(message.get("groupId"), "groupId"), "groupId", "a group call")
        return _attributes(item, user_id, {"group_id": group})
    context = request.context | fields_of(message.get("context"), "context", Reason.BAD_TYPE)
    properties = fields_of(message.get("properties"), "properties")
    base = _event_of(message, item, user_id, context, request)
    if call is Call.TRACK:
        return Facts(_track(message, base, context, properties, request.policy))
    if not _starts_visit(context, properties):
        return Facts(unread=f"a {call.value} reached from its own site starts no visit")
    said = {name: message[name] for name in ("name", "category") if message.get(name) is not None}
    session = _one(base, EventKind.SESSION, said | properties)
    return Facts(Sales([msgspec.structs.replace(session, app_id=base.app_id or _host_of(properties.get("url")))]))


def _user_of(message: Fields) -> str:
    user_id = text_of(message.get("userId"), "userId") or text_of(message.get("anonymousId"), "anonymousId")
    if user_id is None:
        raise Unusable(Reason.MISSING_FIELD, "userId is missing, and so is anonymousId: a message must have one")
    return user_id


def _merge(message: Fields, item: int) -> Merge:
    previous = needed(text_of(message.get("previousId"), "previousId"), "previousId", "an alias call")
    # The protocol's clients in browsers name an unknown user by the anonymous id here too.
    return Merge(item, previous, _user_of(message))


def _traits_of(message: Fields) -> Fields:
    # Not those that a batch's own context may hold: they would be repeated for every message.
    context = fields_of(message.get("context"), "context", Reason.BAD_TYPE)
    traits = fields_of(context.get("traits"), "context.traits") | fields_of(message.get("traits"), "traits")
    for name in traits:
        if len(name) > MAX_LENGTH:
            what = f"the name of a trait has {len(name)} characters, must be at most {MAX_LENGTH}"
            raise Unusable(Reason.TOO_LONG, what)
        if "\0" in name:
            raise Unusable(Reason.BAD_PROPERTIES, "the name of a trait holds the character NUL, which none may hold")
    return traits


def _attributes(item: int, user_id: str, values: Fields) -> Facts:
    if not values:
        return Facts(unread="an identify without traits says nothing")
    return Facts(attributes=Attributes(item, user_id, json_of(values)))


def _event_of(message: Fields, item: int, user_id: str, context: Fields, request: Request) -> Event:
    """Return what the message says of every event in it."""
    occurred_at, corrected = _when(message, request)
    event_id = _id_of(message, request)
    app = fields_of(context.get("app"), "context.app", Reason.BAD_TYPE)
    device = fields_of(context.get("device"), "context.device", Reason.BAD_TYPE)
    return Event(
        item,
        user_id,
        EventKind.CUSTOM.label,
        occurred_at,
        event_id=event_id,
        # Without an id and a time of its own nothing tells a repetition from another event.
        once=event_id is not None,
        app_id=_app_of(app, context),
        app_version=version_of(app.get("version"), "context.app.version"),
        device_id=text_of(device.get("id"), "context.device.id"),
        corrected=corrected,
    )


def _when(message: Fields, request: Request) -> tuple[int, bool]:
    """Return when it happened, and whether that is derived from the time of receipt.

    A client's clock may be wrong, but the time between two of its readings is right: it happened `sentAt` minus
    `originalTimestamp` before it was received (real clients call the latter `timestamp`). Without `sentAt` the
    time is as it was sent, without any time it is that of receipt. A message that comes through a server of this
    protocol has its `receivedAt`, and its `timestamp` is corrected already.
    """
    if message.get("receivedAt") and message.get("timestamp"):
        message = {"timestamp": message["timestamp"]}
        request = replace(request, sent_at=None)
    name = next((name for name in ("originalTimestamp", "timestamp") if message.get(name)), "timestamp")
    said = time_of(message.get(name), name)
    own = time_of(message.get("sentAt"), "sentAt")
    sent_at = own if own is not None else request.sent_at
    if said is None:
        return request.received_at, True
    corrected = sent_at is not None
    occurred_at = said if sent_at is None else request.received_at - (sent_at - said)
    if occurred_at > request.received_at + request.policy.skew:
        seconds = request.policy.skew // 1_000_000
        what = "sentAt" if corrected else "its receipt"
        raise Unusable(Reason.IN_FUTURE, f"{name} {shown(message[name])} is more than {seconds} s later than {what}")
    if occurred_at < 0:
        raise Unusable(Reason.BAD_TIME, f"{name} {shown(message[name])} with its sentAt is before the year 1970")
    return occurred_at, corrected


def _id_of(message: Fields, request: Request) -> str | None:
    """Return the id of a message: its own, else one derived from its text and its number among its equals (rule 33).

    The text must hold a time. `sentAt` is not part of it: a client that tries again sends another one.
    """
    message_id = text_of(message.get("messageId"), "messageId")
    if message_id is not None:
        return message_id
    if not (message.get("originalTimestamp") or message.get("timestamp")):
        return None
    text = json_of({name: value for name, value in message.items() if name != "sentAt"})
    digest = hashlib.sha256(bytes(text or b"")).hexdigest()[:32]
    request.equals[digest] += 1
    return f"{digest}#{request.equals[digest]}"


def _app_of(app: Fields, context: Fields) -> str | None:
    named = text_of(app.get("namespace"), "context.app.namespace") or text_of(app.get("name"), "context.app.name")
    return named or _host_of(_page_of(context).get("url"))


def _page_of(context: Fields) -> Fields:
    page = context.get("page")
    return page if isinstance(page, dict) else {}


def _host_of(address: Json) -> str | None:
    """Return the host of an address, without `www.`; None if it has none."""
    if not isinstance(address, str):
        return None
    try:
        host = urlsplit(address).hostname
    except ValueError:
        return None
    host = (host or "").removeprefix("www.")
    return host if 0 < len(host) <= MAX_LENGTH and "\0" not in host else None


def _starts_visit(context: Fields, properties: Fields) -> bool:
    page = _page_of(context)
    referrer = _host_of(properties.get("referrer") or page.get("referrer"))
    return referrer is None or referrer != _host_of(properties.get("url") or page.get("url"))


def _one(base: Event, kind: EventKind, properties: Fields, name: str | None = None) -> Event:
    return msgspec.structs.replace(base, kind=kind.label, name=name, properties=json_of(properties))


def _track(message: Fields, base: Event, context: Fields, properties: Fields, policy: Policy) -> Sales:
    name = needed(text_of(message.get("event"), "event"), "event", "a track call")
    if name == "Order Completed":
        return purchases_of(base, properties, policy.currency)
    if name == "Order Refunded":
        return refunds_of(base, properties)
    if name == "Application Opened":
        version = base.app_version or version_of(properties.get("version"), "properties.version")
        return Sales([msgspec.structs.replace(_one(base, EventKind.SESSION, properties), app_version=version)])
    if name == "Application Updated":
        before = version_of(properties.get("previous_version"), "properties.previous_version")
        if before is not None:
            version = version_of(properties.get("version"), "properties.version") or base.app_version
            after = needed(version, "properties.version", "an upgrade")
            upgrade = _one(base, EventKind.UPGRADE, properties)
            return Sales([msgspec.structs.replace(upgrade, from_version=before, app_version=after)])
    return Sales([_one(base, EventKind.CUSTOM, properties, name)])
