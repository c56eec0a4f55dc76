"""What a run reads: definitions, files, options; and the same as run.json keeps it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, TypeVar

from afterword.errors import UserError
from afterword.intake.definitions import (
    check_definitions,
    definitions_to_data,
    load_definitions,
    parse_definitions,
)
from afterword.intake.sources import InputFile, Kind, ReadOptions, Source
from afterword.model import Definitions

Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
KINDS: tuple[Kind, ...] = ("exposures", "events", "step_messages", "merges", "rates")
HASH_CHUNK = 1 << 22
_UNITS: tuple[Literal["s", "ms", "us"], ...] = ("s", "ms", "us")
_DATES: tuple[Literal["start-of-day", "end-of-day"], ...] = ("start-of-day", "end-of-day")
_Choice = TypeVar("_Choice", bound=str)


@dataclass(frozen=True)
class Inputs:
    """Everything that the results depend on, besides the program."""

    definitions: Definitions
    sources: Mapping[Kind, Source]
    options: ReadOptions = field(default_factory=ReadOptions)
    as_of: int | None = None
    """Epoch microseconds; None is the latest time among the facts."""
    recorded: tuple[dict[str, Any], ...] = ()
    """The files as an earlier run found them: kind, path, bytes, sha256."""

    def only(self, campaign: str) -> Inputs:
        """Return the inputs with the conversion events of one campaign only."""
        return replace(self, definitions=only_campaign(self.definitions, campaign))


def only_campaign(definitions: Definitions, campaign: str) -> Definitions:
    """Return the definitions with the conversion events of one campaign only.

    The other campaigns stay, since an id may be disputed between facts of several (rule 33).
    """
    campaigns = tuple(c if c.id == campaign else replace(c, conversion_events=()) for c in definitions.campaigns)
    return replace(definitions, campaigns=campaigns)


def gather_inputs(
    definitions: str | os.PathLike[str] | Definitions,
    *,
    exposures: Paths = (),
    events: Paths = (),
    step_messages: Paths = (),
    merges: Paths = (),
    rates: Paths | None = None,
    exposures_sql: str | os.PathLike[str] | None = None,
    events_sql: str | os.PathLike[str] | None = None,
    rename: Mapping[str, str] | None = None,
    time_unit: str | None = None,
    dates: str | None = None,
    as_of: datetime | str | None = None,
    needs_exposures: bool = True,
) -> Inputs:
    """Check what a user names and put it together."""
    if isinstance(definitions, Definitions):
        checked = check_definitions(definitions)
    else:
        checked = load_definitions(os.fspath(definitions))
    sources: dict[Kind, Source] = {
        "exposures": _source("exposures", exposures, exposures_sql),
        "events": _source("events", events, events_sql),
        "step_messages": _source("step_messages", step_messages, None),
        "merges": _source("merges", merges, None),
        "rates": _source("rates", rates or (), None),
    }
    if needs_exposures and sources["exposures"].sql is None and not sources["exposures"].paths:
        raise UserError("no exposures are named: give files with --exposures, or a statement with --exposures-sql")
    options = read_options(rename or {}, time_unit, dates)
    return Inputs(checked, sources, options, None if as_of is None else parse_as_of(as_of))


def read_options(rename: Mapping[str, str], time_unit: str | None, dates: str | None) -> ReadOptions:
    """Check how a user wants files to be read."""
    if time_unit not in (None, *_UNITS):
        raise UserError(f'time unit is "{time_unit}", must be s, ms or us')
    if dates not in (None, *_DATES):
        raise UserError(f'dates is "{dates}", must be start-of-day or end-of-day')
    return ReadOptions(dict(rename), _choice(time_unit, _UNITS), _choice(dates, _DATES))


def _choice(value: str | None, known: tuple[_Choice, ...]) -> _Choice | None:
    return next((one for one in known if one == value), None)


def _source(kind: Kind, paths: Paths, statement: str | os.PathLike[str] | None) -> Source:
    named = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    if statement is None:
        return Source(kind, tuple(os.fspath(path) for path in named))
    if named:
        raise UserError(f"{kind} come from files or from a statement, not from both")
    text = os.fspath(statement)
    if text.lower().endswith(".sql"):
        path = Path(text)
        if not path.is_file():
            raise UserError(f"{kind}: there is no file {path}")
        try:
            return Source(kind, None, path.read_text(encoding="utf-8"), str(path))
        except UnicodeDecodeError as error:
            raise UserError(f"{path} is not UTF-8: {error.reason} at byte {error.start}") from error
        except OSError as error:
            raise UserError(f"{path} cannot be read: {error.strerror}") from error
    return Source(kind, None, text)


def parse_as_of(value: datetime | str) -> int:
    """Return epoch microseconds of a time; a text is ISO 8601, without an offset it is UTC."""
    moment = value
    if isinstance(moment, str):
        try:
            moment = datetime.fromisoformat(moment)
        except ValueError:
            raise UserError(
                f'as-of is "{value}", must be a time in ISO 8601, for example 2024-12-01T09:30:00Z'
            ) from None
        if len(str(value).strip()) <= 10:
            raise UserError(
                f'as-of is "{value}", a date without a time; say which moment, for example {value}T23:59:59Z'
            )
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - EPOCH) // timedelta(microseconds=1)


def describe_files(kind: Kind, files: Iterable[InputFile]) -> list[dict[str, Any]]:
    """Return path, size and hash of each input (of a statement: its text)."""
    described = []
    for file in files:
        entry: dict[str, Any] = {"kind": kind, "path": file.path, "bytes": file.size}
        if file.statement is not None:
            entry |= {"statement": file.statement, "sha256": hashlib.sha256(file.statement.encode()).hexdigest()}
        else:
            entry |= {"path": str(Path(file.path).resolve()), "sha256": hash_file(file.path)}
        described.append(entry)
    return described


def hash_file(path: str | os.PathLike[str]) -> str:
    """Return the sha256 of a file."""
    digest = hashlib.sha256()
    with open(path, "rb", buffering=0) as stream:
        while chunk := stream.read(HASH_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def inputs_to_data(inputs: Inputs, files: list[dict[str, Any]], as_of: int) -> dict[str, Any]:
    """Return what run.json says."""
    return {
        "definitions": definitions_to_data(inputs.definitions),
        "options": {
            "rename": dict(inputs.options.rename),
            "time_unit": inputs.options.time_unit,
            "dates": inputs.options.dates,
            "as_of_given": inputs.as_of is not None,
        },
        "as_of": as_of,
        "inputs": files,
    }


def inputs_from_data(data: Mapping[str, Any]) -> Inputs:
    """Return the inputs of an earlier run, with its `as_of`.

    Raises:
        KeyError, TypeError: this is not what `inputs_to_data` gave.

    """
    sources: dict[Kind, Source] = {}
    for kind in KINDS:
        entries = [entry for entry in data["inputs"] if entry["kind"] == kind]
        statement = next((entry for entry in entries if "statement" in entry), None)
        if statement is not None:
            sources[kind] = Source(kind, None, statement["statement"], statement["path"])
        else:
            sources[kind] = Source(kind, tuple(entry["path"] for entry in entries))
    options = data["options"]
    return Inputs(
        parse_definitions(data["definitions"], "run.json"),
        sources,
        ReadOptions(options["rename"], options["time_unit"], options["dates"]),
        data["as_of"],
        tuple(data["inputs"]),
    )


def check_unchanged(inputs: Inputs) -> None:
    """Refuse to go on where a file is not what the earlier run read."""
    for entry in inputs.recorded:
        if "statement" in entry:
            continue
        path = Path(entry["path"])
        if not path.is_file():
            raise UserError(f"{path} is gone; it was read for these results")
        if path.stat().st_size != entry["bytes"] or hash_file(path) != entry["sha256"]:
            raise UserError(f"{path} has changed since it was read for these results; run again")
