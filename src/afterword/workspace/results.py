"""Results: what a run left in a directory, and what can be asked of it."""

from __future__ import annotations

import html
import json
import os
import shutil
import tempfile
import weakref
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

    from afterword.workspace.story import Story

FILES = ("report.json", "run.json", "conversions.parquet", "credited_purchases.parquet", "rejected.parquet")
RELATION_MEMORY = 1 << 30


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
        return _framed({**self._report, "campaigns": [self.json]})


def _framed(report: dict[str, Any]) -> str:
    """The page in a frame of its own, so that its styles and the notebook's leave each other alone."""
    from afterword.reports.page import render_page

    page = html.escape(render_page(report), quote=True)
    return f'<iframe srcdoc="{page}" sandbox title="Afterword" width="100%" height="720" style="border:0"></iframe>'


class Results:
    """A results directory. Reports are read from it; `explain` and `users` read the facts again."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __repr__(self) -> str:
        return f"Results({str(self.path)!r}), as of {self.json['as_of']}: {', '.join(self.campaign_ids)}"

    def _repr_html_(self) -> str:
        return _framed(self.json)

    @cached_property
    def json(self) -> dict[str, Any]:
        """The content of report.json (docs/report-json.md)."""
        data = self._read_json("report.json")
        if not (isinstance(data.get("campaigns"), list) and isinstance(data.get("as_of"), str)):
            raise self._damaged("report.json", "it is no report")
        return data

    @cached_property
    def inputs(self) -> Inputs:
        """What the run read, with its `as_of`."""
        data = self._read_json("run.json")
        try:
            return inputs_from_data(data)
        except (KeyError, TypeError, AttributeError) as error:
            raise self._damaged("run.json", "it does not say what was read") from error

    def _read_json(self, name: str) -> dict[str, Any]:
        try:
            data = json.loads((self.path / name).read_text(encoding="utf-8"))
        except ValueError as error:  # of JSON as of UTF-8
            raise self._damaged(name, str(error)) from error
        except OSError as error:
            raise UserError(f"{self.path / name} cannot be read: {error.strerror}") from error
        if not isinstance(data, dict):
            raise self._damaged(name, "it is no JSON object")
        return data

    def _damaged(self, name: str, why: str) -> UserError:
        return UserError(f"{self.path / name} is damaged ({why}); make the results again with `afterword run`")

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
        return explain(self.inputs, campaign, user, self.report(campaign).json["conversion_events"])

    def users(
        self,
        campaign: str,
        variant: str | None = None,
        event: str = "A",
        state: str = "converted",
        channel: str = "",
    ) -> list[dict[str, Any]]:
        """List the units behind a number (rule 38): users, exposures or pairs of user and channel.

        Args:
            campaign: the campaign's or Canvas's id.
            variant: one variant, or `total` (all but control); None or `total_with_control` is all.
            event: "A" to "D".
            state: "converted", "pending", "not_converted" or "exposed"; of those who converted "after_open",
                "after_click", "also_b", "step:ID" or "no_step". "exposures" or "outcome:sent" list exposures,
                "received:ID" who received a message of a Canvas step.
            channel: only who converted, or was exposed for the other states, on this one; "none": on no known one.

        """
        from afterword.workspace.listing import list_users

        self._check_campaign(campaign)
        check_unchanged(self.inputs)
        return list_users(self.inputs, campaign, variant, event, state, channel)

    @cached_property
    def _connection(self) -> duckdb.DuckDBPyConnection:
        from afterword.store.connection import open_memory

        # Gone with this object: a relation may be used for as long as the results are held.
        spill = tempfile.mkdtemp(prefix="afterword-")
        weakref.finalize(self, shutil.rmtree, spill, True)
        return open_memory(RELATION_MEMORY, os.cpu_count() or 1, Path(spill))

    def _relation(self, name: str) -> duckdb.DuckDBPyRelation:
        import duckdb

        try:
            return self._connection.read_parquet(str(self.path / name))
        except duckdb.Error as error:
            raise self._damaged(name, str(error).split("\n")[0]) from error

    @property
    def conversions(self) -> duckdb.DuckDBPyRelation:
        """conversions.parquet as a DuckDB relation: `.df()`, `.pl()`, `.arrow()`."""
        return self._relation("conversions.parquet")

    @property
    def credited_purchases(self) -> duckdb.DuckDBPyRelation:
        """credited_purchases.parquet as a DuckDB relation."""
        return self._relation("credited_purchases.parquet")

    @property
    def rejected(self) -> duckdb.DuckDBPyRelation:
        """rejected.parquet as a DuckDB relation."""
        return self._relation("rejected.parquet")

    def _check_campaign(self, campaign: str) -> None:
        if campaign not in self.campaign_ids:
            raise UserError(f'unknown campaign "{campaign}"{nearest(campaign, self.campaign_ids)}')


def open_results(path: str | os.PathLike[str]) -> Results:
    """Open a results directory that a run left."""
    directory = Path(path)
    if not directory.is_dir():
        raise UserError(
            f"there is no results directory {directory}; `afterword run` makes one (what a server has is asked for "
            "with --data)"
        )
    for name in FILES:
        if not (directory / name).is_file():
            raise UserError(f"{directory} is no complete results directory: {name} is missing")
    return Results(directory)
