"""What pages say in the marketer's words."""

from __future__ import annotations

from afterword.store.accounts import Role
from afterword.store.campaign_rules import Status

EDITOR, ANALYST, ADMIN = Role.EDITOR, Role.ANALYST, Role.ADMIN

STATUS = {
    Status.DRAFT: "Draft",
    Status.RUNNING: "Active",
    Status.STOPPED: "Stopped",
    Status.ARCHIVED: "Archived",
}


def kind(value: str) -> str:
    """Return what a campaign or Canvas is called."""
    return "Canvas" if value == "canvas" else "Campaign"


def people(value: str) -> str:
    """Return what those are called whom a campaign or Canvas reached."""
    return "Entries" if value == "canvas" else "Recipients"


VERDICT = {
    "winner": "Winner",
    "leading": "Leading",
    "no_difference": "No difference worth having",
    "too_early": "Too early to say",
    "split_broken": "Split broken",
    "control_best": "Control is best",
    "no_winner": "No winner",
}
