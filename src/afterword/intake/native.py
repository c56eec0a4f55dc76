"""Afterword's own dialect: items whose fields are the columns of files (docs/files.md)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from msgspec import Raw

from afterword.errors import Reason
from afterword.intake import steps
from afterword.intake.accepted import Accepted, Event, Exposure, Rejected, StepMessage
from afterword.intake.bodies import BYTE_ORDER_MARK, SPOILED, Body, Policy, RequestError, check_text
from afterword.intake.facts import MANDATORY, OPTIONAL
from afterword.intake.native_typed import typed_event, typed_events
from afterword.intake.steps import Clock, Draft, Step, draft_of
from afterword.model import Channel, EventKind, Outcome

Kind: TypeAlias = Literal["events", "exposures", "step_messages"]

DEFAULT_POLICY = Policy()
_NAMES: Mapping[Kind, frozenset[str]] = {
    "events": frozenset(MANDATORY["events"] + OPTIONAL["events"]),
    "exposures": frozenset(MANDATORY["exposures"] + OPTIONAL["exposures"]),
    "step_messages": frozenset(MANDATORY["step_messages"] + OPTIONAL["step_messages"]),
}
_EXPECTED = "a JSON object with a list, a list of objects, or one object"
_MAX_NOTED = 20


@dataclass(frozen=True, slots=True)
class Items:
    """What became of the items of one request."""

    accepted: Accepted
    sent: int
    """How many items the request had."""
    notes: tuple[str, ...] = ()

    @property
    def status(self) -> int:
        """The status of the answer: 400 if there were items and none can be used."""
        return 400 if self.sent and len(self.accepted.rejected) == self.sent else 201

    @property
    def answer(self) -> dict[str, Any]:
        """The answer: how many items were accepted, which were not and why, and notes."""
        rejected = self.accepted.rejected
        return {
            "message": "success" if self.status == 201 else "no item can be used",
            "accepted": self.sent - len(rejected),
            "rejected": [
                {"item": each.item, "reason": each.reason.value, "message": each.message} for each in rejected
            ],
            "notes": list(self.notes),
        }


def read_events(body: bytes, content_type: str | None, received_at: int, policy: Policy = DEFAULT_POLICY) -> Items:
    """Read the body of `POST /api/events`; `received_at` is in epoch microseconds."""
    return _read("events", _event, lambda accepted: accepted.events, body, content_type, received_at, policy)


def read_exposures(body: bytes, content_type: str | None, received_at: int, policy: Policy = DEFAULT_POLICY) -> Items:
    """Read the body of `POST /api/exposures`."""
    return _read("exposures", _exposure, lambda accepted: accepted.exposures, body, content_type, received_at, policy)


def read_step_messages(
    body: bytes, content_type: str | None, received_at: int, policy: Policy = DEFAULT_POLICY
) -> Items:
    """Read the body of `POST /api/step-messages`."""
    return _read(
        "step_messages", _step_message, lambda accepted: accepted.step_messages, body, content_type, received_at, policy
    )


def _read(
    kind: Kind,
    read: Callable[[int, Draft, Clock], Any],
    target: Callable[[Accepted], list[Any]],
    body: bytes,
    content_type: str | None,
    received_at: int,
    policy: Policy,
) -> Items:
    lines = _is_lines(content_type)
    body = body if lines else check_text(body)
    # Good events are decoded all at once; if one is not good, all are read one by one, as other items always are.
    typed = typed_events(body) if kind == "events" and not lines else None
    sent: Sequence[Any] = _items(kind, body, lines) if typed is None else typed
    count = len(sent)
    if count > policy.max_items:
        raise RequestError(f"the request has {count} {kind}, must be at most {policy.max_items}")
    clock = Clock(policy.latest(received_at), policy.skew_seconds)
    accepted = Accepted()
    facts, names = target(accepted), _NAMES[kind]
    ignored: set[str] = set()
    raws: Sequence[Raw] | None = sent if typed is None else None
    for item, each in enumerate(sent):
        fact = None if typed is None else typed_event(item, each, clock.latest)
        if fact is None:
            raws = _items(kind, body, lines) if raws is None else raws
            draft = draft_of(raws[item])
            ignored.update(draft.fields.keys() - names)
            fact = read(item, draft, clock)
        if isinstance(fact, Rejected):
            accepted.rejected.append(fact)
        else:
            facts.append(fact)
    return Items(accepted, count, _notes(kind, ignored))


def _is_lines(content_type: str | None) -> bool:
    name = (content_type or "").lower()
    return "ndjson" in name or "jsonl" in name or "json-lines" in name


def _items(kind: Kind, body: bytes, lines: bool) -> list[Raw]:
    """Return the items of a body as they were sent."""
    if lines:
        return [_line(line) for line in map(bytes.strip, body.removeprefix(BYTE_ORDER_MARK).split(b"\n")) if line]
    parts = Body(body, _EXPECTED)
    if body.lstrip()[:1] == b"[":
        return parts.items()
    fields = parts.fields()
    if kind not in fields:
        return [parts.whole()]
    items = parts.array(fields, kind)
    return [] if items is None else items


def _line(line: bytes) -> Raw:
    """Return a line as an item; what is not UTF-8 spoils its own line alone."""
    try:
        line.decode()
    except UnicodeDecodeError:
        return SPOILED
    return Raw(line)


def _notes(kind: Kind, ignored: set[str]) -> tuple[str, ...]:
    if not ignored:
        return ()
    names = sorted(ignored)
    more = f" and {len(names) - _MAX_NOTED} more" if len(names) > _MAX_NOTED else ""
    return (f"{kind}: ignored fields: {', '.join(name[:60] for name in names[:_MAX_NOTED])}{more}",)


_KIND = steps.choice(tuple(kind.label for kind in EventKind), Reason.BAD_KIND)
CHANNEL = steps.choice(tuple(Channel), Reason.UNKNOWN_CHANNEL)
_OUTCOME = steps.choice(tuple(Outcome), Reason.BAD_TYPE)
_NEEDS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "custom": ("a custom event", ("name",)),
    "purchase": ("a purchase", ("price", "currency")),
    "refund": ("a refund", ("refund_of", "price")),
    "upgrade": ("an upgrade", ("from_version", "app_version")),
} | {
    kind.label: ("what became of a message", ("campaign_id",))
    for kind in EventKind
    if kind >= EventKind.MESSAGE_DELIVERED
}
_EVENT_STEPS: tuple[tuple[str, Step], ...] = (
    *((name, steps.identifier) for name in ("event_id", "name", "product_id", "order_id", "app_id", "app_version")),
    *((name, steps.identifier) for name in ("from_version", "device_id", "campaign_id", "exposure_id", "refund_of")),
    ("price", steps.price),
    ("quantity", steps.quantity()),
    ("currency", steps.currency),
    ("machine", steps.truth),
    ("properties", steps.properties),
    ("channel", CHANNEL),
)
"""How each field of an event is read, in the order in which files are; what is not sent has its default."""
_EXPOSURE_STEPS: tuple[tuple[str, Step], ...] = (
    *((name, steps.identifier) for name in ("exposure_id", "variant_id", "trigger_event_id")),
    ("channel", CHANNEL),
    ("outcome", _OUTCOME),
)
_STEP_MESSAGE_STEPS: tuple[tuple[str, Step], ...] = (
    ("message_id", steps.identifier),
    ("exposure_id", steps.identifier),
)


def _values(draft: Draft, these: tuple[tuple[str, Step], ...]) -> dict[str, Any]:
    return {name: step(draft, name) for name, step in these if name in draft.fields}


def _event(item: int, draft: Draft, clock: Clock) -> Event | Rejected:
    draft.need("user_id")
    draft.need("kind")
    kind = _KIND(draft, "kind")
    whose, needed = _NEEDS.get(kind, ("", ()))
    for name in needed:
        draft.need(name, whose)
    occurred_at = steps.time(clock)(draft, "occurred_at")
    user_id = steps.identifier(draft, "user_id")
    values = _values(draft, _EVENT_STEPS)
    if "price" in values:
        exact = values["price"]
        steps.check_amount(draft, "price", kind, exact, values.get("quantity", 1))
        values["price"] = steps.price_text(draft["price"], exact)
    if draft.faults or user_id is None or occurred_at is None:
        return draft.rejected(item, "events")
    return Event(item, user_id, kind, occurred_at, **values)


def _exposure(item: int, draft: Draft, clock: Clock) -> Exposure | Rejected:
    draft.need("user_id")
    draft.need("campaign_id")
    exposed_at = steps.time(clock)(draft, "exposed_at")
    user_id, campaign_id = steps.identifier(draft, "user_id"), steps.identifier(draft, "campaign_id")
    values = _values(draft, _EXPOSURE_STEPS)
    if draft.faults or user_id is None or campaign_id is None or exposed_at is None:
        return draft.rejected(item, "exposures")
    return Exposure(item, user_id, campaign_id, exposed_at, **values)


def _step_message(item: int, draft: Draft, clock: Clock) -> StepMessage | Rejected:
    for name in ("user_id", "campaign_id", "step_id"):
        draft.need(name)
    received_at = steps.time(clock)(draft, "received_at")
    user_id, campaign_id, step_id = (steps.identifier(draft, name) for name in ("user_id", "campaign_id", "step_id"))
    values = _values(draft, _STEP_MESSAGE_STEPS)
    if draft.faults or user_id is None or campaign_id is None or step_id is None or received_at is None:
        return draft.rejected(item, "step_messages")
    return StepMessage(item, user_id, campaign_id, step_id, received_at, **values)
