"""`afterword import`: bring history into a data directory."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from afterword.errors import UserError
from afterword.interfaces import options, output
from afterword.interfaces.arguments import renames
from afterword.interfaces.moments import now
from afterword.interfaces.progress import Meter

if TYPE_CHECKING:
    from afterword.intake.history import HistoryKind
    from afterword.workspace.importing.importing import Imported, Job

NOUNS = {
    "exposures": "exposure",
    "events": "event",
    "step_messages": "step message",
    "users": "user",
    "merges": "merge",
}


def import_(
    exposures: options.Exposures = None,
    events: options.Events = None,
    step_messages: options.StepMessages = None,
    users: options.Users = None,
    merges: options.Merges = None,
    column_map: options.Map = None,
    time_unit: options.Unit = None,
    dates: options.DateMeaning = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Look at all rows first, and import nothing if any would be rejected.")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Import also files that were imported before; known facts add nothing.")
    ] = False,
    rejected: Annotated[
        Path, typer.Option("--rejected", metavar="FILE.parquet", help="Where to list rejected rows, if there are any.")
    ] = Path("./afterword-rejected.parquet"),
    data: options.DataDir = Path("./afterword-data"),
    metadata: options.MetadataUrl = None,
    memory: options.Memory = None,
    threads: options.Threads = None,
    as_json: options.AsJson = False,
) -> None:
    """Bring history into a data directory.

    Reads the files that `run` reads, and puts their facts into the log. Stopped at any moment, the same command goes on
    where it was; files that were imported are not imported again. Campaigns may be defined before or after. While a
    server has the directory open, the import goes through it.
    """
    named: dict[HistoryKind, list[str] | None] = {
        "exposures": exposures,
        "events": events,
        "step_messages": step_messages,
        "users": users,
        "merges": merges,
    }
    if not any(named.values()):
        raise UserError("no files are named: give them with --exposures, --events, --step-messages, --users, --merges")
    if not rejected.parent.is_dir():
        raise UserError(f"--rejected is {rejected}, but there is no directory {rejected.parent}")
    names = renames(column_map or ())
    from afterword.intake.sources import find_files
    from afterword.workspace.importing.importing import Job, Rejections
    from afterword.workspace.inputs import read_options

    job = Job(
        {kind: find_files(kind, paths) for kind, paths in named.items() if paths},
        read_options(names, time_unit, dates),
        Rejections(rejected),
        strict=strict,
        again=again,
        memory=memory,
        threads=threads,
    )
    with Meter() as meter:
        try:
            imported = _imported(job, data, metadata, meter)
        finally:
            listed = job.rejections.close()
    if as_json:
        output.say_json(
            {
                "accepted": dict(imported.accepted),
                "rejected": dict(imported.rejected),
                "imported_before": imported.again,
                "notes": imported.notes,
                "rejected_file": str(rejected) if listed else None,
            }
        )
    else:
        output.say("\n".join(_lines(imported, rejected)))


def _imported(job: Job, data: Path, metadata: str | None, meter: Meter) -> Imported:
    from afterword.interfaces.client import find_server

    if (server := find_server(data)) is not None:
        from afterword.interfaces.import_server import import_through

        return import_through(server, job, meter)
    from afterword.workspace.importing.local import import_here

    return import_here(
        data,
        job,
        clock=now,
        chance=os.urandom,
        told_key=lambda secret: output.note(f"An admin key, shown this once: {secret}"),
        metadata_url=metadata,
        progress=meter,
    )


def _lines(imported: Imported, rejected: Path) -> list[str]:
    read = [output.counted(count, NOUNS[kind]) for kind, count in imported.accepted.items()]
    lines = [f"Imported {', '.join(read)}."] if read else []
    if imported.again:
        files = "file was" if len(imported.again) == 1 else "files were"
        lines.append(
            f"{len(imported.again)} {files} imported before and left alone ({', '.join(imported.again[:5])}"
            f"{', …' if len(imported.again) > 5 else ''}); --again imports them again."
        )
    if total := imported.rejected.total():
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in imported.rejected.items())
        lines.append(f"Rejected {output.counted(total, 'row')} ({reasons}); {rejected} says which and why.")
    return [*lines, *(f"Note: {note}." for note in imported.notes)]
