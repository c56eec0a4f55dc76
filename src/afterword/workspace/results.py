"""Results: what a run left in a directory, and what can be asked of it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from afterword.errors import UserError, nearest
from afterword.workspace.inputs import Inputs, check_unchanged, inputs_from_data

if TYPE_CHECKING:
    import duckdb
    from rich.console import RenderableType

    from afterword.workspace.explaining import Story

FILES = ("report.json", "run.json", "conversions.parquet", "credited_purchases.parquet", "rejected.parquet")


class CampaignReport:
    """The report of one campaign: a table in a terminal and in a notebook."""

    def __init__(self, report: Mapping[str, Any], campaign: str) -> None:
        self._report = dict(report)
        self._campaign = campaign

    @property
    def json(self) -> dict[str, Any]:
        """The campaign's part of report.json."""
        found: dict[str, Any] = next(c for c in self._report["campaigns"] if c["id"] == self._campaign)
        return found

    def to_csv(self) -> str:
        """One line per variant, under a header."""
        from afterword.reports.render_csv import csv_text

        return csv_text(self._report, self._campaign)

    def to_markdown(self) -> str:
        """The tables in Markdown."""
        from afterword.reports.render_markdown import markdown

        return markdown(self._report, self._campaign)

    def __rich__(self) -> RenderableType:
        """Return what rich prints."""
        from afterword.reports.render_terminal import terminal_table

        return terminal_table(self._report, self._campaign)

    def __str__(self) -> str:
        return self.to_markdown()

    def _repr_html_(self) -> str:
        from afterword.reports.page import render_page

        return render_page({**self._report, "campaigns": [self.json]})


class Results:
    """A results directory. Reports are read from it; `explain` and `users` read the facts again."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __repr__(self) -> str:
        return f"Results({str(self.path)!r})"

    @cached_property
    def json(self) -> dict[str, Any]:
        """The content of report.json (docs/report-json.md)."""
        data: dict[str, Any] = json.loads((self.path / "report.json").read_text(encoding="utf-8"))
        return data

    @cached_property
    def inputs(self) -> Inputs:
        """What the run read, with its `as_of`."""
        return inputs_from_data(json.loads((self.path / "run.json").read_text(encoding="utf-8")))

    @property
    def as_of(self) -> datetime:
        """The time as of which the results are; facts after it were not seen."""
        return datetime.fromisoformat(self.json["as_of"]).astimezone(UTC)

    @property
    def campaign_ids(self) -> list[str]:
        """All campaigns and Canvases, in their order."""
        return [campaign["id"] for campaign in self.json["campaigns"]]

    def report(self, campaign: str) -> CampaignReport:
        """Return the report of one campaign."""
        self._check_campaign(campaign)
        return CampaignReport(self.json, campaign)

    def explain(self, campaign: str, user: str) -> Story:
        """Say why a user did or did not convert (rule 39); reads the user's facts from the inputs."""
        from afterword.workspace.explaining import explain

        self._check_campaign(campaign)
        check_unchanged(self.inputs)
        return explain(self.inputs, campaign, user)

    def users(
        self, campaign: str, variant: str | None = None, event: str = "A", state: str = "converted"
    ) -> list[dict[str, Any]]:
        """List the units behind a number (rule 38): users, exposures or pairs of user and channel.

        Args:
            campaign: the campaign's or Canvas's id.
            variant: one variant, or `total` (all but control); None or `total_with_control` is all.
            event: "A" to "D".
            state: "converted", "pending", "not_converted" or "exposed".
        """
        from afterword.workspace.listing import list_users

        self._check_campaign(campaign)
        check_unchanged(self.inputs)
        return list_users(self.inputs, campaign, variant, event, state)

    @cached_property
    def _connection(self) -> duckdb.DuckDBPyConnection:
        from afterword.store.connection import open_memory

        return open_memory(1 << 30, os.cpu_count() or 1, self.path)

    @property
    def conversions(self) -> duckdb.DuckDBPyRelation:
        """conversions.parquet as a DuckDB relation: `.df()`, `.pl()`, `.arrow()`."""
        return self._connection.read_parquet(str(self.path / "conversions.parquet"))

    @property
    def credited_purchases(self) -> duckdb.DuckDBPyRelation:
        """credited_purchases.parquet as a DuckDB relation."""
        return self._connection.read_parquet(str(self.path / "credited_purchases.parquet"))

    @property
    def rejected(self) -> duckdb.DuckDBPyRelation:
        """rejected.parquet as a DuckDB relation."""
        return self._connection.read_parquet(str(self.path / "rejected.parquet"))

    def _check_campaign(self, campaign: str) -> None:
        if campaign not in self.campaign_ids:
            raise UserError(f'unknown campaign "{campaign}"{nearest(campaign, self.campaign_ids)}')


def open_results(path: str | os.PathLike[str]) -> Results:
    """Open a results directory that a run left."""
    directory = Path(path)
    if not directory.is_dir():
        raise UserError(f"there is no results directory {directory}; `afterword run` makes one")
    for name in FILES:
        if not (directory / name).is_file():
            raise UserError(f"{directory} is no complete results directory: {name} is missing")
    return Results(directory)
