"""`afterword assign`: the variant of each user of a file, from a definition file or a data directory."""

from __future__ import annotations

import errno
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from afterword.errors import UserError
from afterword.interfaces import options, output
from afterword.interfaces.arguments import renames
from afterword.interfaces.export_cli import SUFFIXES, aside
from afterword.interfaces.moments import iso, now
from afterword.interfaces.reading_cli import is_said

if TYPE_CHECKING:
    from afterword.interfaces.client import Api
    from afterword.workspace.assigning import UsersToAssign
    from afterword.workspace.live.exporting import Form


def assign(
    context: typer.Context,
    campaign: options.Campaign,
    users: Annotated[
        list[str] | None,
        typer.Option(
            "--users",
            metavar="FILE...",
            help="Whom to assign: a column user_id. Several values and globs are accepted.",
        ),
    ] = None,
    campaigns: Annotated[
        Path | None,
        typer.Option(
            "--campaigns", metavar="CAMPAIGNS.yaml", help="A definition file; the answer is that of the launch."
        ),
    ] = None,
    data: options.AskedData = None,
    record: Annotated[
        bool, typer.Option("--record", help="Record the users as exposed; only of a data directory.")
    ] = False,
    exposed_at: Annotated[
        str | None,
        typer.Option("--exposed-at", metavar="TIME", help="Since when they are exposed. Not set: now."),
    ] = None,
    channel: Annotated[
        str | None, typer.Option("--channel", metavar="CHANNEL", help="The channel of the recorded exposures.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="The file to write: .csv, .ndjson or .parquet. Not set: print CSV."),
    ] = None,
    column_map: options.Map = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that exists.")] = False,
    memory: options.Memory = None,
    metadata: options.MetadataUrl = None,
) -> None:
    """Assign users to the variants of a campaign.

    Writes user_id, variant_id and, for who gets no message for now, the holdout in held_out. Deterministic: the same
    users get the same variants while the shares stand.
    """
    if not users:
        raise UserError("no users are named: give files with a column user_id with --users")
    if campaigns is not None and data is not None and is_said(context, "data"):
        raise UserError("both --campaigns and --data are given: a campaign is in a file or in a data directory")
    if campaigns is None and data is None:
        raise UserError("name a definition file with --campaigns, or a data directory with --data")
    if campaigns is not None and (record or exposed_at is not None or channel is not None):
        raise UserError("exposures are recorded in a data directory: name it with --data")
    if (exposed_at is not None or channel is not None) and not record:
        raise UserError("--exposed-at and --channel say how users are recorded: add --record")
    form = _form(out, force=force)
    body: dict[str, Any] = {"campaign_id": campaign, "record": record}
    from afterword.workspace.assigning import UsersToAssign

    with UsersToAssign(users, renames(column_map or ()), memory=memory) as found:
        if campaigns is not None:
            _assign_by_file(found, campaigns, campaign, form, out)
            recorded = 0
        else:
            assert data is not None
            if record:  # one time for all parts, and for all that is sent again
                body |= {"exposed_at": exposed_at or iso(now()), "channel": channel}
            if record and exposed_at is None:
                output.note(
                    f"Recording exposures at {body['exposed_at']}. If this is interrupted, run the same command again "
                    f"with --exposed-at {body['exposed_at']} added: who is recorded by then is not recorded again."
                )
            from afterword.interfaces.directory import api_of

            with api_of(data, memory=memory, metadata_url=metadata) as api:
                recorded = _assign_by_api(found, api, body, form, out)
        # The answer counts those, too, who were recorded at this very time before: their exposures stand once.
        exposed = f", {recorded:,} of them recorded as exposed at {body['exposed_at']}" if record else ""
        output.note(f"{output.counted(found.count, 'user')} assigned{exposed}{'' if out is None else f': {out}'}")


def _form(out: Path | None, *, force: bool) -> Form:
    from afterword.workspace.live.exporting import Form

    if out is None:
        return Form.CSV
    if out.suffix not in SUFFIXES:
        raise UserError(f"{out} must end in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}, which says the format")
    if out.exists() and not force:
        raise UserError(f"{out} exists; name another file with --out, or replace it with --force")
    return Form(out.suffix.removeprefix("."))


def _assign_by_file(found: UsersToAssign, campaigns: Path, campaign: str, form: Form, out: Path | None) -> None:
    from afterword.intake.definitions import load_definitions

    definitions = load_definitions(campaigns)
    with _target(out) as path:
        found.assign(definitions, campaign, form, path)


def _assign_by_api(found: UsersToAssign, api: Api, body: dict[str, Any], form: Form, out: Path | None) -> int:
    """Have the users assigned and return how many were exposed by it."""
    recorded = 0

    def answers(some: list[str]) -> list[dict[str, Any]]:
        nonlocal recorded
        told = api.post("/api/assign", {**body, "users": some})
        recorded += told["recorded"]
        return list(told["assigned"])

    with _target(out) as path:
        found.ask(answers, form, path)
    return recorded


@contextmanager
def _target(out: Path | None) -> Iterator[Path]:
    """Give a file to write to, which becomes `out` or is printed."""
    if out is not None:
        with aside(out) as path:
            yield path
        return
    with tempfile.TemporaryDirectory(prefix="afterword-") as place:
        path = Path(place) / "assigned"
        yield path
        with path.open(encoding="utf-8", newline="") as file:
            try:
                shutil.copyfileobj(file, sys.stdout)
                sys.stdout.flush()
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                raise UserError("there is no space left where the output goes: it ends early") from None
