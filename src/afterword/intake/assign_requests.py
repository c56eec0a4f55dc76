"""Whom to assign in which campaign, in Afterword's own dialect (`POST /api/assign`)."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import msgspec
from msgspec import Raw

from afterword.errors import Reason
from afterword.intake import steps
from afterword.intake.accepted import Rejected
from afterword.intake.bodies import DECODE_ERRORS, SPOILED, Body, Policy, RequestError, check_text
from afterword.intake.native import CHANNEL
from afterword.intake.steps import Clock, Draft, draft_of
from afterword.intake.typed import UserId, user_text

EXPECTED = "a JSON object with campaign_id and users, a list of ids"
NAMES = ("campaign_id", "users", "record", "exposed_at", "channel")
BLANK = "user_id is blank, must have at least one character that is no space"
_USERS = msgspec.json.Decoder(list[UserId])


@dataclass(frozen=True, slots=True)
class AssignRequest:
    """What is asked."""

    campaign_id: str
    users: dict[str, int]
    """Each user once, with the place of the first mention."""
    rejected: tuple[Rejected, ...]
    """Ids that cannot be read."""
    record: bool
    """Whether the users are exposed by this."""
    exposed_at: int | None
    """Since when, in epoch microseconds; None is the time of receipt."""
    channel: str | None
    ignored: tuple[str, ...]
    """Fields that mean nothing."""


def read_assign_request(body: bytes, received_at: int, policy: Policy) -> AssignRequest:
    """Read a body; raises `RequestError` for what cannot be used as a whole."""
    parts = Body(check_text(body), EXPECTED)
    fields = parts.fields()
    draft = Draft({name: raw for name, raw in fields.items() if name != "users"})
    draft.need("campaign_id")
    campaign_id = steps.identifier(draft, "campaign_id")
    record = steps.truth(draft, "record")
    channel = CHANNEL(draft, "channel")
    exposed_at = None
    if draft["exposed_at"] is not None:
        exposed_at = steps.time(Clock(policy.latest(received_at), policy.skew_seconds))(draft, "exposed_at")
    if (fault := draft.worst) is not None or campaign_id is None:
        raise RequestError(fault.message if fault is not None else "campaign_id is missing")
    users, rejected = _users(parts, fields, policy.max_items)
    ignored = tuple(sorted(fields.keys() - set(NAMES)))
    return AssignRequest(campaign_id, users, rejected, record, exposed_at, channel, ignored)


def _users(parts: Body, fields: Mapping[str, Raw], most: int) -> tuple[dict[str, int], tuple[Rejected, ...]]:
    items = parts.array(fields, "users")
    if items is None:
        raise RequestError("users is missing, must be a list of ids")
    if len(items) > most:
        raise RequestError(f"users has {len(items)} ids, must be at most {most}: send them in parts")
    users: dict[str, int] = {}
    with suppress(*DECODE_ERRORS):
        for item, sent in enumerate(_USERS.decode(fields["users"])):
            users.setdefault(user_text(sent), item)
        if not any(user.isspace() for user in users):
            return users, ()
    users.clear()  # one of them is unusual: they are looked at one by one
    rejected = []
    for item, raw in enumerate(items):
        draft = Draft({"user_id": raw}) if raw is not SPOILED else draft_of(raw)
        draft.need("user_id")
        user = steps.identifier(draft, "user_id")
        if user is not None and user.isspace():
            draft.fault(Reason.MISSING_FIELD, "user_id", BLANK)
        if draft.faults or user is None:
            rejected.append(draft.rejected(item, "exposures"))
        else:
            users.setdefault(user, item)
    return users, tuple(rejected)
