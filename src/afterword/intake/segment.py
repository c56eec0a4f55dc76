"""Segment's HTTP tracking API: the body of a request in, facts and the answer out.

`read_batch` is `/v1/batch`, `read_message` each of `/v1/track`, `identify`, `page`, `screen`, `group` and `alias`.
Both are pure: gzip is undone before, the time of receipt is an argument. `segment_messages` says what becomes what.

A message that cannot be used is rejected alone, and its neighbours are kept: a batch is answered with success
even so, because clients give up the whole batch on an error. A single message that cannot be used is answered
with the reason. What clients try again is 408, 410, 429 and 5xx, never what is answered here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from afterword.errors import Reason, UserError, nearest
from afterword.intake.accepted import Accepted, Json, Rejected
from afterword.intake.segment_bodies import batch_of, message_of
from afterword.intake.segment_messages import Call, Facts, Policy, Request, facts_of
from afterword.intake.segment_values import Fields, Unusable, check_depth, fields_of, shown, time_of

__all__ = ["Call", "Policy", "Received", "read_batch", "read_message"]

SUCCESS: Mapping[str, object] = {"success": True}
INVALID = "invalid_request"


@dataclass(frozen=True, slots=True)
class Received:
    """What a request is accepted as, and what it is answered with."""

    accepted: Accepted
    status: int = 200
    answer: Mapping[str, object] = field(default_factory=lambda: dict(SUCCESS))
    """The JSON of the answer: `{"success": true}`, or `{"code", "message"}` with the one sentence."""
    unread: Mapping[str, int] = field(default_factory=dict)
    """How many messages are no facts though nothing is wrong with them, by why."""
    write_key: str | None = field(default=None, repr=False)
    """The key in the body, which some clients in browsers send instead of a header."""


def read_batch(body: bytes, received_at: int, policy: Policy | None = None) -> Received:
    """Read the body of `/v1/batch`.

    Args:
        body: JSON, whatever its content type says.
        received_at: time of receipt, epoch microseconds.
        policy: what the workspace decides.

    """
    try:
        batch = batch_of(body)
        check_depth([batch.context, batch.sent_at])
        context = fields_of(batch.context, "context")
        request = Request(received_at, policy or Policy(), time_of(batch.sent_at, "sentAt"), context)
    except (UserError, Unusable) as error:
        return _refused(INVALID, str(error))
    accepted, unread = Accepted(), _Counts()
    for item, text in enumerate(batch.messages):
        kind = Call.TRACK.facts
        try:
            message = message_of(text)
            call = _call_of(message)
            kind = call.facts
            _keep(facts_of(call, message, item, request), item, kind, accepted, unread)
        except Unusable as unusable:
            accepted.rejected.append(_rejected(item, kind, unusable))
    return Received(accepted, unread=unread.by_note, write_key=_key_of(batch.write_key))


def read_message(kind: str, body: bytes, received_at: int, policy: Policy | None = None) -> Received:
    """Read the body of `/v1/KIND`.

    Args:
        kind: one of `Call`; a type that the message itself names is not looked at.
        body: JSON, whatever its content type says.
        received_at: time of receipt, epoch microseconds.
        policy: what the workspace decides.

    """
    call = Call(kind)
    try:
        message = message_of(body)
    except Unusable as unusable:
        return _refused(INVALID, unusable.message)
    write_key = _key_of(message.pop("writeKey", None))
    accepted, unread = Accepted(), _Counts()
    try:
        facts = facts_of(call, message, 0, Request(received_at, policy or Policy()))
        _keep(facts, 0, call.facts, accepted, unread)
    except Unusable as unusable:
        accepted.rejected.append(_rejected(0, call.facts, unusable))
    if accepted.rejected and not accepted.events:
        first = accepted.rejected[0]
        return _refused(first.reason.value, first.message, accepted, write_key)
    return Received(accepted, unread=unread.by_note, write_key=write_key)


class _Counts:
    def __init__(self) -> None:
        self.by_note: dict[str, int] = {}

    def add(self, note: str) -> None:
        self.by_note[note] = self.by_note.get(note, 0) + 1


def _call_of(message: Fields) -> Call:
    kind = message.get("type")
    if kind is None or kind == "":
        raise Unusable(Reason.MISSING_FIELD, "type is missing, which every message of a batch must have")
    known = tuple(call.value for call in Call)
    if not isinstance(kind, str) or kind not in known:
        hint = nearest(kind, known) if isinstance(kind, str) else ""
        raise Unusable(Reason.BAD_KIND, f"type {shown(kind)} is not one of {', '.join(known)}{hint}")
    return Call(kind)


def _keep(facts: Facts, item: int, kind: str, accepted: Accepted, unread: _Counts) -> None:
    accepted.events.extend(facts.sales.events)
    accepted.rejected.extend(_all_rejected(item, kind, facts.sales.unusable))
    if facts.attributes is not None:
        accepted.attributes.append(facts.attributes)
    if facts.merge is not None:
        accepted.merges.append(facts.merge)
    if facts.unread is not None:
        unread.add(facts.unread)


def _all_rejected(item: int, kind: str, unusable: Iterable[Unusable]) -> list[Rejected]:
    return [_rejected(item, kind, one) for one in unusable]


def _rejected(item: int, kind: str, unusable: Unusable) -> Rejected:
    return Rejected(item, kind, unusable.reason, unusable.message)


def _key_of(value: Json) -> str | None:
    return value if isinstance(value, str) and value else None


def _refused(code: str, message: str, accepted: Accepted | None = None, write_key: str | None = None) -> Received:
    return Received(accepted or Accepted(), 400, {"code": code, "message": message}, write_key=write_key)
