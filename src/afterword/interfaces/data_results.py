"""Results of a data directory, in the form that commands have of a results directory."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from afterword.interfaces.client import Api, quoted
from afterword.model import Counting

if TYPE_CHECKING:
    from afterword.workspace.results import CampaignReport
    from afterword.workspace.story import Story


class DataResults:
    """What the API says about campaigns."""

    def __init__(self, api: Api) -> None:
        """Take whom to ask."""
        self._api = api

    @cached_property
    def json(self) -> dict[str, Any]:
        """The report of all campaigns that were launched."""
        found: dict[str, Any] = self._api.get("/api/report")
        return found

    @property
    def campaign_ids(self) -> list[str]:
        """All campaigns and Canvases that were launched, in their order."""
        return [campaign["id"] for campaign in self.json["campaigns"]]

    def report(self, campaign: str) -> CampaignReport:
        """Return the report of one campaign."""
        from afterword.workspace.results import CampaignReport

        return CampaignReport(self.answer(campaign, "report"), campaign)

    def explain(self, campaign: str, user: str) -> Story:
        """Say why a user did or did not convert."""
        from afterword.workspace.story import Story

        return Story.of(self.answer(campaign, "explain", user=user))

    def unit(self, campaign: str) -> str:
        """Return what the campaign counts, as report.json calls it."""
        told = self._api.get(f"/api/campaigns/{quoted(campaign)}")
        return Counting(told.get("counting", Counting.ONCE_PER_USER)).denominator

    def answer(self, campaign: str, about: str, **asked: str | None) -> Any:
        """Return what the API answers about a campaign."""
        return self._api.get(f"/api/campaigns/{quoted(campaign)}/{about}", asked)
