"""`afterword export`: the rows behind results as one file, or facts from which a run gives the same results."""

from __future__ import annotations

import os
import shlex
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, cast

import typer

from afterword.errors import UserError
from afterword.interfaces import options, output
from afterword.interfaces.reading_cli import asked_directory

if TYPE_CHECKING:
    from afterword.interfaces.client import Api
    from afterword.workspace.live.exporting import Wanted

SUFFIXES = (".parquet", ".csv", ".ndjson")


class What(StrEnum):
    """Whose rows are exported; also the last part of the API's path."""

    CONVERSIONS = "conversions"
    CREDITED = "credited-purchases"


def export(
    context: typer.Context,
    campaign: Annotated[
        str | None, typer.Argument(metavar="[CAMPAIGN]", help="A campaign's or Canvas's id. Not set: all.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="The file to write: .parquet, .csv or .ndjson.")
    ] = None,
    what: Annotated[
        What, typer.Option("--what", metavar="conversions|credited-purchases", help="Whose rows.")
    ] = What.CONVERSIONS,
    event: Annotated[
        str | None, typer.Option("--event", metavar="LETTER", help="Only of this conversion event, A to D.")
    ] = None,
    variant: Annotated[str | None, typer.Option("--variant", metavar="VARIANT", help="Only of this variant.")] = None,
    facts: Annotated[
        Path | None,
        typer.Option(
            "--facts", metavar="DIR", help="Write facts and definitions, from which `run` gives the same results."
        ),
    ] = None,
    results: options.ResultsDir = Path("./afterword-results"),
    data: options.AskedData = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that exists.")] = False,
    memory: options.Memory = None,
    metadata: options.MetadataUrl = None,
) -> None:
    """Write conversions or credited purchases to a file.

    From a results directory or a data directory, in the columns and the order of the result files. With --facts, all
    facts of a data directory.
    """
    directory = asked_directory(context, data)
    if (out is None) == (facts is None):
        raise UserError("name either a file with --out or, for all facts, a directory with --facts")
    if facts is not None:
        if directory is None:
            raise UserError("--facts exports a data directory: name it with --data")
        if any(said is not None for said in (campaign, event, variant)):
            raise UserError("--facts exports all facts: leave the campaign, --event and --variant away")
        _check_empty(facts)
    else:
        assert out is not None
        wanted = _wanted(out, what, campaign, event, variant)
        if out.exists() and not force:
            raise UserError(f"{out} exists; name another file with --out, or replace it with --force")
    if directory is None:
        from afterword.workspace.exported_results import export_results
        from afterword.workspace.results import open_results

        opened = open_results(results)
        assert out is not None
        with aside(out) as path:
            export_results(opened, wanted, path)
        output.say(f"{out} is written.")
        return
    from afterword.interfaces.directory import api_of

    with api_of(directory, memory=memory, metadata_url=metadata) as api:
        if facts is not None:
            output.say(_export_facts(api, facts))
            return
        assert out is not None
        _export_rows(api, what, wanted, out)
    output.say(f"{out} is written.")


def _wanted(out: Path, what: What, campaign: str | None, event: str | None, variant: str | None) -> Wanted:
    from afterword.workspace.live.exporting import Form, Rows, Wanted

    if out.suffix not in SUFFIXES:
        raise UserError(f"{out} must end in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}, which says the format")
    if what is What.CREDITED and event is not None:
        raise UserError("purchases are credited whatever the conversion events are: leave --event away")
    rows = Rows.CREDITED if what is What.CREDITED else Rows.CONVERSIONS
    return Wanted(rows, Form(out.suffix.removeprefix(".")), campaign, event, variant)


def _export_rows(api: Api, what: What, wanted: Wanted, out: Path) -> None:
    asked = {"campaign": wanted.campaign, "event": wanted.event, "variant": wanted.variant, "format": wanted.form.value}
    with api.opened("GET", f"/api/{what.value}", query=asked) as pieces, aside(out) as path, path.open("wb") as file:
        for piece in pieces:
            file.write(piece)
        file.flush()  # it takes its place while it is still open


@contextmanager
def aside(target: Path) -> Iterator[Path]:
    """Give a file to write to, which takes the target's place only when all went well."""
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}-", dir=target.parent)
    except OSError as error:
        raise UserError(f"{target} cannot be written: {error.strerror}") from None
    os.close(handle)
    path = Path(name)
    try:
        yield path
        mask = os.umask(0)
        os.umask(mask)
        path.chmod(0o666 & ~mask)  # temporary files are for nobody else
        os.replace(path, target)
    finally:
        with suppress(FileNotFoundError):
            path.unlink()


def _check_empty(directory: Path) -> None:
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise UserError(f"{directory} exists and is no empty directory: name another with --facts")


def _export_facts(api: Api, target: Path) -> str:
    """Write the files and return by which command they give results."""
    import json

    try:
        aside = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    except OSError as error:
        raise UserError(f"{target} cannot be made: {error.strerror}") from None
    try:
        with api.opened("GET", "/api/facts") as pieces:
            _unpack(pieces, aside)
        told = json.loads((aside / "export.json").read_text(encoding="utf-8"))
        aside.chmod(0o700)  # these are people's facts
        os.replace(aside, target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return f"Facts are in {target}. This gives the same results:\n  {_command(target, told)}"


def _command(directory: Path, told: dict[str, object]) -> str:
    words = ["afterword", "run", str(directory / "campaigns.json")]
    for name in cast("list[str]", told["files"]):
        words += [f"--{name.partition('.')[0].replace('_', '-')}", str(directory / name)]
    return shlex.join([*words, "--as-of", str(told["as_of"])])


def _unpack(pieces: Iterator[bytes], directory: Path) -> None:
    with tarfile.open(fileobj=cast("IO[bytes]", _Reader(pieces)), mode="r|") as tar:
        for member in tar:
            content = tar.extractfile(member)
            if content is None or Path(member.name).name != member.name:
                raise UserError(f'the answer holds "{member.name[:60]}", which is no name of an exported file')
            with (directory / member.name).open("wb") as file:
                shutil.copyfileobj(content, file)


class _Reader:
    """Pieces that are read as a file."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._left = b""

    def read(self, size: int) -> bytes:
        """Return so many bytes, fewer at the end."""
        parts, missing = [self._left], size - len(self._left)
        while missing > 0 and (piece := next(self._pieces, b"")):
            parts.append(piece)
            missing -= len(piece)
        joined = b"".join(parts)
        self._left = joined[size:]
        return joined[:size]
