"""What a new version of a definition would do to the numbers: the old ones, and an exploration of the new (rule 6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from afterword.interfaces.api.explorations import take
from afterword.interfaces.api.faults import Refused
from afterword.interfaces.web import written
from afterword.interfaces.web.links import link
from afterword.interfaces.web.visits import Web
from afterword.model import LETTERS, Campaign
from afterword.reports import wording
from afterword.store.campaigns import StoredCampaign
from afterword.workspace.explorations import Stage
from afterword.workspace.live.exploring import NAMES, Question

HUNDRED = 100


@dataclass(frozen=True, slots=True)
class Side:
    """A conversion event of one version and what came of it."""

    event: str
    converted: str
    rate: str


@dataclass(frozen=True, slots=True)
class Compared:
    """One letter, now and under the new version."""

    letter: str
    now: Side | None
    new: Side | None


@dataclass(frozen=True, slots=True)
class Effect:
    """The comparison, or how far it is."""

    address: str
    rows: Sequence[Compared]
    exposed: str
    """Of the variants with a message, under the new counting."""
    as_of: str
    percent: int
    doing: str
    failure: str

    @property
    def is_over(self) -> bool:
        """Whether there is nothing to wait for."""
        return bool(self.rows or self.failure)


def effect_of(web: Web, stored: StoredCampaign, campaign: Campaign, draft: str) -> Effect:
    """Return how the numbers would change, or how far the answer is; asking again goes on.

    Args:
        web: the server.
        stored: the campaign as it is.
        campaign: as it would be.
        draft: whose page asks.

    """
    address = link("/draft/effect", id=draft)
    if not campaign.conversion_events:
        return _said(address, "The new version has no conversion event: there is nothing to compare.")
    workspace = web.server.data.metadata.workspace()
    try:
        one = take(web.server, Question(workspace, campaign, exploratory=True, beside=stored.campaign))
    except Refused as error:
        return Effect(address, (), "", "", 0, error.message, "")
    if one.stage is Stage.FAILED:
        return _said(address, f"The new version could not be computed: {one.failure}.")
    if one.result is None:
        return Effect(address, (), "", "", round(HUNDRED * one.progress), one.doing or "waiting for its turn", "")
    new, now = one.result, one.result["beside"]
    most = max(len(stored.campaign.conversion_events), len(campaign.conversion_events))
    rows = [Compared(letter, _side(now, NAMES[letter]), _side(new, NAMES[letter])) for letter in LETTERS[:most]]
    return Effect(address, rows, written.number(new["total"]["exposed"]), written.moment(new["as_of"]), HUNDRED, "", "")


def _said(address: str, failure: str) -> Effect:
    return Effect(address, (), "", "", HUNDRED, "", failure)


def _side(told: Mapping[str, Any], name: str) -> Side | None:
    event = next((one for one in told["conversion_events"] if one["letter"] == name), None)
    if event is None:
        return None
    found = told["total"]["conversions"][name]
    about = f"{wording.event_title(event)} · {wording.event_sentence(event)}"
    return Side(about, written.number(found["converted"]), written.percent(found["rate"]))
