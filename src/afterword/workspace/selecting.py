"""Intelligent Selection at work: decisions made, kept and applied, when they are due or when somebody asks."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from afterword.errors import UserError
from afterword.model import Campaign, Selection
from afterword.selection.bandit import Decision, decide
from afterword.selection.situation import NothingToSelect, situation_of
from afterword.store.campaign_rules import Status
from afterword.store.campaigns import CampaignRefused, StoredCampaign
from afterword.store.metadata import Metadata
from afterword.store.selections import Cause, StoredDecision

LOOK_SECONDS = 30.0
"""Seconds between two looks at what is due."""
MICROSECONDS = 1_000_000
Report = Callable[[str], tuple[int, Mapping[str, Any]]]
"""Gives the time of a report, in epoch microseconds, and a campaign's entry in it."""


def document_of(decision: Decision) -> str:
    """Return a decision as JSON text; `decision_of` reads it back."""
    return msgspec.json.encode(decision).decode()


def decision_of(document: str) -> Decision:
    """Return what `document_of` wrote."""
    return msgspec.json.decode(document, type=Decision)


def seed_of(campaign_id: str, at: int) -> int:
    """Return the seed of a decision for which nobody named one: it follows from campaign and time."""
    return int.from_bytes(hashlib.sha256(f"{campaign_id}\n{at}".encode()).digest()[:6], "big")


def made(
    campaign: Campaign, entry: Mapping[str, Any], as_of: int, seed: int | None = None, settled_on: str | None = None
) -> Decision:
    """Decide on a campaign's shares, and keep nothing.

    Args:
        campaign: with the shares that it has now.
        entry: of the campaign in report.json.
        as_of: of the report, in epoch microseconds.
        seed: follows from campaign and time if None.
        settled_on: the variant on which the decision before settled, if it did.

    Raises:
        NothingToSelect: there is nothing to choose from, or nothing to choose by.

    """
    situation = situation_of(campaign, entry, as_of, settled_on)
    settings = campaign.selection or Selection()
    return decide(situation, settings, seed_of(campaign.id, as_of) if seed is None else seed)


class Selecting:
    """Makes decisions and keeps them."""

    def __init__(self, metadata: Metadata, report: Report, clock: Callable[[], int]) -> None:
        """Take what is needed.

        Args:
            metadata: campaigns and decisions.
            report: a campaign's results.
            clock: the time, in microseconds since 1970.

        """
        self._metadata = metadata
        self._report = report
        self._clock = clock
        self._one_at_a_time = threading.Lock()

    def decide(
        self, campaign_id: str, cause: Cause, *, seed: int | None = None, apply: bool | None = None
    ) -> StoredDecision:
        """Make a decision, keep it, and apply it if that is wanted (None: as the campaign says).

        Raises `UnknownCampaign`, `CampaignRefused` where the campaign does not run or its definition does not want its
        shares to be chosen, `NothingToSelect`.
        """
        with self._one_at_a_time:
            stored = chosen_for(_running(self._metadata.campaigns.get(campaign_id)))
            last = self._metadata.selections.last(campaign_id)
            as_of, entry = self._report(campaign_id)
            settled_on = None if last is None or last.applied_at is None else last.settled_on
            decision = made(stored.campaign, entry, as_of, seed, settled_on)
            settings = stored.campaign.selection
            automatic = settings is not None and settings.automatic
            return self._metadata.selections.add(
                campaign_id,
                decided_at=self._clock(),
                cause=cause,
                stage=decision.stage.value,
                shares=decision.shares,
                shares_before={one.id: one.share_hundredths for one in stored.campaign.variants},
                settled_on=decision.settled_on,
                document=document_of(decision),
                apply=automatic if apply is None else apply,
            )

    def due_at(self, stored: StoredCampaign) -> int | None:
        """Return when the next decision by schedule is due; None if there will be none.

        It follows from what is kept, so a server that was down for a while decides as soon as it is up again.
        """
        settings, launched = stored.campaign.selection, stored.launched_at
        if settings is None or launched is None or stored.status is not Status.RUNNING:
            return None
        if self._metadata.selections.paused_at(stored.campaign.id) is not None:
            return None
        last = self._metadata.selections.last(stored.campaign.id)
        return (launched if last is None else last.decided_at) + settings.every_seconds * MICROSECONDS

    def due(self) -> list[str]:
        """Return the campaigns that are to be decided on now, in their order."""
        now, found, page = self._clock(), [], 0
        while campaigns := self._metadata.campaigns.list(page=page):
            for stored in campaigns:
                due = self.due_at(stored)
                if due is not None and due <= now:
                    found.append(stored.campaign.id)
            page += 1
        return found


def _running(stored: StoredCampaign) -> StoredCampaign:
    if stored.status is not Status.RUNNING:
        raise CampaignRefused(
            f'"{stored.campaign.id}" is {stored.status}, must be running for its shares to be decided on'
        )
    return stored


def chosen_for(stored: StoredCampaign) -> StoredCampaign:
    """Return a campaign whose definition wants its shares to be chosen; raises `CampaignRefused` for any other."""
    if stored.campaign.selection is None:
        raise CampaignRefused(
            f'"{stored.campaign.id}" has fixed shares: for decisions on them its definition must say '
            "selection: {mode: intelligent}"
        )
    return stored


class Scheduler:
    """Decides on campaigns as they are due, until it is stopped."""

    def __init__(self, selecting: Selecting, tell: Callable[[str, BaseException | None], None]) -> None:
        """Prepare; nothing is decided yet. `tell` is told what is decided and what goes wrong."""
        self._selecting = selecting
        self._tell = tell
        self._told: dict[str, str] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="afterword-selection", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Begin no other decision."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(LOOK_SECONDS)

    def look(self) -> int:
        """Decide on what is due; return on how many campaigns. What fails is told once, and tried at the next look."""
        decided = 0
        for campaign_id in self._selecting.due():
            if self._stopping.is_set():
                break
            try:
                kept = self._selecting.decide(campaign_id, Cause.SCHEDULE)
            except Exception as error:
                self._failed(campaign_id, error)
            else:
                self._told.pop(campaign_id, None)
                decided += 1
                self._tell(f'selection: decision {kept.number} on "{campaign_id}": {kept.stage}', None)
        return decided

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.look()
            except Exception as error:
                self._failed("", error)
            self._stopping.wait(LOOK_SECONDS)

    def _failed(self, campaign_id: str, error: Exception) -> None:
        message = (str(error) or type(error).__name__).splitlines()[0]
        if self._told.get(campaign_id) != message and not self._stopping.is_set():
            self._told[campaign_id] = message
            named = f' on "{campaign_id}"' if campaign_id else ""
            expected = isinstance(error, UserError | NothingToSelect)
            self._tell(f"selection: no decision{named} yet: {message}", None if expected else error)
