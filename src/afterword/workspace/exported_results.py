"""The rows of a results directory in other formats, as a data directory exports them."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import duckdb

from afterword.errors import UserError, nearest
from afterword.model import LETTERS
from afterword.store.connection import open_memory
from afterword.store.sql import identifier, one_path
from afterword.workspace.live.exporting import TIMES, Wanted, copy_sql
from afterword.workspace.results import RELATION_MEMORY, Results


def export_results(results: Results, wanted: Wanted, path: Path) -> int:
    """Write rows of the result files to a file, in their order; return how many.

    Raises:
        UserError: there is no such campaign, variant or conversion event, or the result files are damaged.

    """
    _check(results, wanted)
    source = results.path / f"{wanted.rows.value}.parquet"
    times = ", ".join(
        f"epoch_us({identifier(name)}) AS {identifier(name)}" for name in wanted.rows.columns if name in TIMES
    )
    filters = {"campaign_id": wanted.campaign, "conversion_event": wanted.event, "variant_id": wanted.variant}
    named = {name: value for name, value in filters.items() if value is not None}
    only = " AND ".join(["TRUE", *(f"{name} = ${name}" for name in named)])
    rows = f"(SELECT * REPLACE ({times}) FROM read_parquet({one_path(str(source))}) WHERE {only})"
    with tempfile.TemporaryDirectory(prefix="afterword-") as spill:
        con = open_memory(RELATION_MEMORY, os.cpu_count() or 1, Path(spill), preserve_insertion_order=True)
        with con:
            try:
                return int(con.execute(copy_sql(wanted, rows, path), named or None).fetchall()[0][0])
            except duckdb.Error as error:
                why = str(error).splitlines()[0]
                raise UserError(f"{source} cannot be exported: {why}") from error


def _check(results: Results, wanted: Wanted) -> None:
    campaigns = {campaign["id"]: campaign for campaign in results.json["campaigns"]}
    if wanted.campaign is not None and wanted.campaign not in campaigns:
        raise UserError(f'unknown campaign "{wanted.campaign}"{nearest(wanted.campaign, campaigns)}')
    if wanted.event is not None and wanted.event not in LETTERS:
        raise UserError(f'event is "{wanted.event[:60]}", must be one of {", ".join(LETTERS)}')
    if wanted.variant is None:
        return
    if wanted.campaign is None:
        raise UserError("a variant belongs to a campaign: name that too")
    variants = [variant["id"] for variant in campaigns[wanted.campaign]["variants"]]
    if wanted.variant not in variants:
        raise UserError(f'unknown variant "{wanted.variant}" of {wanted.campaign}{nearest(wanted.variant, variants)}')
