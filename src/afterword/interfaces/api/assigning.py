"""`POST /api/assign`: users to variants, answered by the process that takes facts in (decision 0048).

It knows hash and buckets by itself. Only for users in a bucket that has changed its variant since the launch does it
ask the other process what they were exposed to first.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from afterword.errors import nearest
from afterword.intake.accepted import Accepted, Exposure
from afterword.intake.assign_requests import AssignRequest, read_assign_request
from afterword.interfaces.api.assignment_types import Assign, Assigned, NobodyAssigned
from afterword.interfaces.api.faults import Refused, bad_request
from afterword.interfaces.api.openapi import OURS
from afterword.interfaces.api.operations import Answered, Body, PerServer
from afterword.interfaces.api.server import Receiving
from afterword.interfaces.api.writing import Sent, taking_operation
from afterword.model import Campaign, Counting
from afterword.selection import deciding
from afterword.store.bucket_tables import Buckets
from afterword.store.campaign_history import Epoch
from afterword.store.campaign_rules import Status, noun
from afterword.store.campaigns import UnknownCampaign
from afterword.store.holdouts import Holdout
from afterword.store.metadata import Metadata
from afterword.store.permissions import Permission

LOADED_SECONDS, POLL_SECONDS = 10.0, 0.05
"""How long to wait until what came before a change of shares is loaded."""


@dataclass(frozen=True, slots=True)
class _Standing:
    """What answers depend on now."""

    campaign: Campaign
    epoch: Epoch
    holdouts: Sequence[Holdout]


@dataclass(frozen=True, slots=True)
class Assignment:
    """What became of a request."""

    request: AssignRequest
    campaign: Campaign
    assigned: tuple[deciding.Assigned, ...]
    accepted: Accepted

    @property
    def status(self) -> int:
        """The status of the answer: 400 if there were users and none can be used."""
        return 400 if self.request.rejected and not self.assigned else 200

    @property
    def answer(self) -> dict[str, Any]:
        """The variants, and which users cannot be read."""
        exposures = {one.user_id: one.exposure_id for one in self.accepted.exposures}
        control = {variant.id for variant in self.campaign.variants if variant.control}
        ignored = self.request.ignored
        return {
            "message": "success" if self.status == 200 else "no user can be used",
            "campaign_id": self.request.campaign_id,
            "assigned": [
                {"user_id": user, "variant_id": variant, "control": variant in control, "held_out": held_out}
                | ({"exposure_id": exposures[user]} if user in exposures else {})
                for user, variant, held_out in self.assigned
            ],
            "recorded": len(exposures),
            "rejected": [
                {"item": each.item, "reason": each.reason.value, "message": each.message}
                for each in self.request.rejected
            ],
            "notes": [f"ignored fields: {', '.join(name[:60] for name in ignored[:20])}"] if ignored else [],
        }


async def _assign(server: Receiving, sent: Sent) -> Assignment:
    request = read_assign_request(sent.body, sent.at, server.policy.intake)
    standing = await server.in_thread(_standing, server.data.metadata, request.campaign_id)
    campaign, epoch = standing.campaign, standing.epoch
    _check_channel(request, campaign)
    at = sent.at if request.exposed_at is None else request.exposed_at
    buckets: Buckets = epoch.buckets
    decision = await server.in_thread(deciding.decide, campaign, buckets, standing.holdouts, list(request.users), at)
    first: Mapping[str, str] = {}
    if decision.unsettled:
        await _until_loaded(server, campaign.id, epoch.number)
        first = await server.first_variants(campaign.id, sorted(decision.unsettled))
    assigned = decision.settled(first)
    accepted = Accepted(exposures=_exposures(request, assigned, at, sent.stem) if request.record else [])
    accepted.rejected.extend(request.rejected if request.record else ())
    return Assignment(request, campaign, assigned, accepted)


def _standing(metadata: Metadata, campaign_id: str) -> _Standing:
    try:
        stored, epoch = metadata.campaigns.epoch(campaign_id)
    except UnknownCampaign as error:
        raise Refused(404, str(error)) from None
    if epoch is None or stored.status is not Status.RUNNING:
        called = f'{noun(stored.campaign)} "{campaign_id}"'
        raise Refused(409, f"{called} is {stored.status}, must be running for users to be assigned; launch it first")
    return _Standing(stored.campaign, epoch, metadata.holdouts.list())


def _check_channel(request: AssignRequest, campaign: Campaign) -> None:
    known = [str(channel) for channel in campaign.channels]
    if request.channel is not None and known and request.channel not in known:
        said = f'channel is "{request.channel}", must be one of the campaign\'s: {", ".join(known)}'
        raise bad_request(said + nearest(request.channel, known))
    if request.record and request.channel is None and campaign.counting is Counting.ONCE_PER_CHANNEL:
        raise bad_request("channel is missing: this campaign counts once per channel, so every exposure names one")


_SEEN: PerServer[Receiving, dict[str, tuple[int, int]]] = PerServer(lambda _server: {})
"""Per campaign the share epoch, and up to where the log was when it was first met here."""


async def _until_loaded(server: Receiving, campaign_id: str, epoch: int) -> None:
    """Wait until the facts know all exposures that were recorded before the shares that stand were met here."""
    seen, keeper = _SEEN.of(server), server.data.keeper
    if seen.get(campaign_id, (0, 0))[0] != epoch:
        seen[campaign_id] = epoch, server.data.log.durable
    position, loop = seen[campaign_id][1], asyncio.get_running_loop()
    until = loop.time() + LOADED_SECONDS
    while not (keeper.heard and keeper.loaded >= position):
        if loop.time() > until:
            message = "the shares changed, and what users were exposed to before is not loaded yet: come again"
            raise Refused(503, message, {"Retry-After": "5"})
        await asyncio.sleep(POLL_SECONDS)


def _exposures(
    request: AssignRequest, assigned: Sequence[deciding.Assigned], at: int, stem: str | None
) -> list[Exposure]:
    found = []
    for user, variant, _held_out in assigned:
        if variant is None:
            continue
        item = request.users[user]
        if request.exposed_at is None and stem is not None:
            exposure_id = f"~{stem}-{item}"  # the time will be another one when the request is sent again
        else:
            of = f"{request.campaign_id}\0{request.channel or ''}\0{at}\0{user}"
            exposure_id = f"~{hashlib.sha256(of.encode()).hexdigest()[:32]}"
        found.append(Exposure(item, user, request.campaign_id, at, exposure_id, variant, request.channel))
    return found


ABOUT = (
    "Deterministic: the same user gets the same variant while the shares stand, nobody ever moves between control and "
    "a message, and who was exposed before keeps the variant when the shares change (rule 30). Who is in a holdout "
    "gets none. With `record` the users are exposed by this, as `POST /api/exposures` would do it, and the answer "
    "comes when that is on the disk. A request that is sent again exposes nobody twice if it names `exposed_at` or has "
    "an `Idempotency-Key`."
)
OPERATIONS = (
    taking_operation(
        "/api/assign",
        Permission.API_WRITE,
        "Assign users to the variants of a campaign",
        Body(
            Assign,
            {"campaign_id": "cart-rescue", "users": ["ann", "ben"], "record": True, "channel": "email"},
            limit=lambda policy: policy.batch_bytes,
        ),
        _assign,
        (
            Answered(
                200,
                "the variant of each user",
                Assigned,
                {
                    "message": "success",
                    "campaign_id": "cart-rescue",
                    "assigned": [
                        {
                            "user_id": "ann",
                            "variant_id": "a",
                            "control": False,
                            "held_out": None,
                            "exposure_id": "~2f1d",
                        },
                        {"user_id": "ben", "variant_id": None, "control": False, "held_out": "2026 Q1"},
                    ],
                    "recorded": 1,
                    "rejected": [],
                    "notes": [],
                },
            ),
            Answered(400, "nobody can be assigned", NobodyAssigned),
        ),
        OURS,
        {
            404: "there is no such campaign",
            409: "the campaign does not run; or the same `Idempotency-Key` with another body, or while the first "
            "request is still at work",
        },
        about=ABOUT,
    ),
)
