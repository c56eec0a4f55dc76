"""What is fixed about a campaign that a draft is to change, and why (rules 6, 18, 30)."""

from __future__ import annotations

from dataclasses import dataclass

from afterword.store.campaigns import StoredCampaign

KEPT_ID = "Facts and calls of the API name the id, so it stays from the day on which the campaign was made."
CONTROL = "Fixed at launch: nobody moves between control and a message (rule 30)."
PLAN = (
    "Fixed at launch: how results are judged is said before they are seen. Duplicate the campaign to have another plan."
)


@dataclass(frozen=True, slots=True)
class Locks:
    """Reasons, empty for what is free."""

    id: str = ""
    kind: str = ""
    """`campaign` or `canvas` where it cannot become the other."""
    control: str = ""
    variants: frozenset[str] = frozenset()
    steps: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset()
    plan: str = ""

    @property
    def launched(self) -> bool:
        """Whether the campaign was launched."""
        return bool(self.plan)


def locks_of(stored: StoredCampaign | None) -> Locks:
    """Return what is fixed; nothing is for a new campaign."""
    if stored is None:
        return Locks()
    campaign = stored.campaign
    if stored.launched_at is None:
        return Locks(id=KEPT_ID, kind=campaign.kind)
    return Locks(
        KEPT_ID,
        campaign.kind,
        CONTROL,
        frozenset(one.id for one in campaign.variants),
        frozenset(one.id for one in campaign.steps),
        frozenset(one.value for one in campaign.channels),
        PLAN,
    )
