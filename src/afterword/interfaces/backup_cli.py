"""`afterword backup`: a copy of a data directory that is in use, which can be served as it is."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from afterword.interfaces import options, output


def backup(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the backup is to be; a new directory.")],
    data: options.DataDir = Path("./afterword-data"),
    metadata: options.MetadataUrl = None,
    memory: options.Memory = None,
    as_json: options.AsJson = False,
) -> None:
    """Back up a data directory, also while its server runs.

    The backup is a data directory. Everything that was acknowledged before the command began is in it, once. To
    restore, put it in the place of the old one, or serve it where it is. Metadata in PostgreSQL is for PostgreSQL's own
    means to back up, before this command.
    """
    from afterword.interfaces.directory import api_of
    from afterword.workspace.backing_up import back_up

    with api_of(data, memory=memory, metadata_url=metadata) as api:

        def copied_facts() -> tuple[Path, int]:
            told = api.post("/api/backup")
            return data / told["facts"], told["position"]

        made = back_up(data, out, copied_facts, own_metadata=metadata is None)
    if as_json:
        output.say_json({**asdict(made), "path": str(made.path)})
        return
    output.say(
        f"{made.path} has the log from position {made.first:,} to {made.position:,}, "
        f"{made.size / 2**20:,.1f} MiB in all."
    )
    if metadata is not None:
        output.note("The metadata is not in it: it belongs to the last backup of its own database before this one.")
