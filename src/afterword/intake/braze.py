"""The Braze-compatible `/users/track`: attributes, events, purchases, and sessions, which the original does not have.

The body is decoded in one piece; if that fails, object by object; what is unusual is read field by field.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec
from msgspec import Raw

from afterword.intake import braze_items, braze_typed
from afterword.intake.accepted import Accepted, Event, Usual
from afterword.intake.bodies import DECODE_ERRORS, Body, Policy, RequestError, check_text
from afterword.intake.braze_items import Read
from afterword.intake.braze_users import error_of
from afterword.intake.braze_usual import read_usual
from afterword.intake.steps import Clock, Draft, draft_of

ARRAYS = ("attributes", "events", "purchases", "sessions")
"""The arrays of a request, in the order in which they are applied; items are numbered through all of them."""
NO_DATA = "Valid data must be provided in the 'attributes', 'events', or 'purchases' fields."

_T = TypeVar("_T")
_DEFAULT_POLICY = Policy()


@dataclass(frozen=True, slots=True)
class Track:
    """What became of a request to `/users/track`."""

    accepted: Accepted
    processed: Mapping[str, int]
    """How many objects of each array that was sent are good."""
    errors: Sequence[Mapping[str, Any]]
    """The others, in the form of the answer."""

    @property
    def status(self) -> int:
        """The status of the answer: 400 if nothing was good."""
        return 201 if any(self.processed.values()) else 400

    @property
    def answer(self) -> dict[str, Any]:
        """The answer in the dialect's form."""
        errors = {"errors": list(self.errors)} if self.errors else {}
        if self.status != 201:
            return {"message": NO_DATA} | errors
        return {"message": "success"} | {f"{name}_processed": n for name, n in self.processed.items()} | errors


@dataclass(slots=True)
class _Reading:
    """A request on its way."""

    parts: Body
    clock: Clock
    accepted: Accepted = field(default_factory=Accepted)
    processed: dict[str, int] = field(default_factory=dict)
    errors: list[dict[str, Any]] = field(default_factory=list)
    _fields: dict[str, Raw] | None = None

    def array(self, name: str) -> list[Raw] | None:
        """Return the objects of an array as they were sent: taken apart only when one of them needs it."""
        if self._fields is None:
            self._fields = self.parts.fields()
        return self.parts.array(self._fields, name)

    def refuse(self, draft: Draft, array: str, index: int, item: int) -> None:
        self.accepted.rejected.append(draft.rejected(item, "attributes" if array == "attributes" else "events"))
        self.errors.append(error_of(draft, array, index))


def read_track(body: bytes, received_at: int, policy: Policy = _DEFAULT_POLICY, *, keep_usual: bool = False) -> Track:
    """Read the body of `/users/track`.

    Args:
        body: as it was sent.
        received_at: in epoch microseconds.
        policy: limits.
        keep_usual: a request of usual objects need not be made facts of (`Accepted.usual_events`), which is quicker.

    Raises:
        RequestError: the body cannot be used as a whole.

    """
    body = check_text(body)
    if keep_usual and (track := _read_whole(body, received_at, policy)) is not None:
        return track
    reading = _Reading(Body(body), Clock(policy.latest(received_at), policy.skew_seconds))
    arrays = _decode(body, reading)
    _check_limits(arrays, policy)
    first = 0
    for name, objects in arrays.items():
        if name == "attributes":
            good = _read_attributes(reading, objects, first)
        else:
            good = _read_events(reading, name, objects, first)
        reading.processed[name] = good
        first += len(objects)
    return Track(reading.accepted, reading.processed, reading.errors)


def _read_whole(body: bytes, received_at: int, policy: Policy) -> Track | None:
    usual = read_usual(body, policy.latest(received_at))
    if usual is None:
        return None
    sent = {"events": usual.events, "purchases": usual.purchases}
    arrays = {name: objects for name, objects in sent.items() if objects is not None}
    _check_limits(arrays, policy)
    events, purchases = usual.events or [], usual.purchases or []
    accepted = Accepted(
        usual_events=Usual(0, events) if events else None,
        usual_purchases=Usual(len(events), purchases) if purchases else None,
    )
    return Track(accepted, {name: len(objects) for name, objects in arrays.items()}, [])


def _decode(body: bytes, reading: _Reading) -> dict[str, list[Any]]:
    """Return the arrays that were sent, of typed objects if all are usual, else of objects as they were sent."""
    try:
        sent = braze_typed.TRACK.decode(body)
        found: list[list[Any] | None] = [sent.attributes, sent.events, sent.purchases, sent.sessions]
    except DECODE_ERRORS:
        found = [reading.array(name) for name in ARRAYS]
    return {name: objects for name, objects in zip(ARRAYS, found, strict=True) if objects is not None}


def _check_limits(arrays: Mapping[str, list[Any]], policy: Policy) -> None:
    for name, objects in arrays.items():
        if policy.track_each is not None and len(objects) > policy.track_each:
            raise RequestError(f"{name} has {len(objects)} objects, must be at most {policy.track_each}")
    in_all = sum(map(len, arrays.values()))
    if policy.track_in_all is not None and in_all > policy.track_in_all:
        raise RequestError(f"the request has {in_all} objects, must be at most {policy.track_in_all}")


def _read_attributes(reading: _Reading, objects: list[Any], first: int) -> int:
    good = 0
    for index, sent in enumerate(objects):
        draft = Draft(sent) if isinstance(sent, dict) else draft_of(sent)
        fact = braze_items.attributes(first + index, draft)
        if fact is None:
            reading.refuse(draft, "attributes", index, first + index)
        else:
            good += 1
            reading.accepted.attributes.append(fact)
    return good


_Typed = Callable[[int, Any, int], Event | None]
_READERS: Mapping[str, tuple[msgspec.json.Decoder[Any], _Typed, Read]] = {
    "events": (braze_typed.EVENT, braze_typed.typed_event, braze_items.event),
    "purchases": (braze_typed.PURCHASE, braze_typed.typed_purchase, braze_items.purchase),
    "sessions": (braze_typed.SESSION, braze_typed.typed_session, braze_items.session),
}


def _read_events(reading: _Reading, name: str, objects: list[Any], first: int) -> int:
    decoder, typed, read = _READERS[name]
    latest, events = reading.clock.latest, reading.accepted.events
    good = 0
    raws = objects if objects and isinstance(objects[0], Raw) else None
    for index, sent in enumerate(objects if raws is None else _typed_or_none(decoder, raws)):
        fact = None if sent is None else typed(first + index, sent, latest)
        if fact is not None:
            events.append(fact)
            good += 1
            continue
        if raws is None:
            raws = reading.array(name) or []
        draft = draft_of(raws[index])
        facts = read(first + index, draft, reading.clock)
        if draft.faults:
            reading.refuse(draft, name, index, first + index)
        else:
            events.extend(facts)
            good += 1
    return good


def _typed_or_none(decoder: msgspec.json.Decoder[_T], raws: list[Raw]) -> Iterator[_T | None]:
    for raw in raws:
        try:
            yield decoder.decode(raw)
        except DECODE_ERRORS:
            yield None
