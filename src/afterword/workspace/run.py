"""A run: files in, a results directory out."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from afterword import __version__
from afterword.attribution.compiled import load_compiler
from afterword.attribution.embedded import Attribution
from afterword.errors import UserError
from afterword.intake.definitions import definition_version
from afterword.intake.sources import InputFile, Kind
from afterword.model import Definitions
from afterword.reports.counted import Count
from afterword.reports.facts import FactCounts
from afterword.reports.files import write_report_files
from afterword.reports.report import report_of
from afterword.workspace.inputs import Inputs, Paths, describe_files, gather_inputs, inputs_to_data
from afterword.workspace.rejections import first_rejection, write_rejected
from afterword.workspace.result_files import check_target, write_rows, written_aside
from afterword.workspace.results import Results, open_results
from afterword.workspace.session import FACTS, Progress, Session
from afterword.workspace.verdicts import add_verdicts

UTC_ASSUMED = "times without an offset were read as UTC"
DATES_READ = "dates without a time were read as --dates says"


def run(
    definitions: str | os.PathLike[str] | Definitions,
    *,
    exposures: Paths = (),
    events: Paths = (),
    step_messages: Paths = (),
    merges: Paths = (),
    rates: Paths | None = None,
    exposures_sql: str | os.PathLike[str] | None = None,
    events_sql: str | os.PathLike[str] | None = None,
    out: str | os.PathLike[str] | None = None,
    as_of: datetime | str | None = None,
    memory: str | int | None = None,
    threads: int | None = None,
    strict: bool = False,
    force: bool = False,
    rename: Mapping[str, str] | None = None,
    time_unit: str | None = None,
    dates: str | None = None,
    progress: Progress | None = None,
) -> Results:
    """Compute results from files (docs/files.md) and leave them in a directory.

    Args:
        definitions: a YAML or JSON file, or `Definitions`.
        exposures: paths, globs or directories of exposures; likewise `events`, `step_messages` and `merges`.
        events: see `exposures`.
        step_messages: see `exposures`.
        merges: see `exposures`.
        rates: exchange rates.
        exposures_sql: a SELECT in DuckDB's SQL, or a path that ends in `.sql`, instead of files.
        events_sql: the same for events.
        out: the results directory to make; a temporary one if None.
        as_of: nothing later is seen; the latest time among the facts if None.
        memory: such as "4GB"; beyond it the disk is used.
        threads: all cores if None.
        strict: fail if any row is rejected.
        force: replace a results directory that exists.
        rename: their column names to ours.
        time_unit: "s", "ms" or "us" for times that are numbers.
        dates: "start-of-day" or "end-of-day" for dates without a time.
        progress: told (stage, share done or None).

    Raises:
        UserError: what was given cannot be used; nothing was written.

    """
    inputs = gather_inputs(
        definitions,
        exposures=exposures,
        events=events,
        step_messages=step_messages,
        merges=merges,
        rates=rates,
        exposures_sql=exposures_sql,
        events_sql=events_sql,
        rename=rename,
        time_unit=time_unit,
        dates=dates,
        as_of=as_of,
    )
    target = Path(out) if out is not None else Path(tempfile.mkdtemp(prefix="afterword-results-"))
    try:
        compute(inputs, target, memory=memory, threads=threads, strict=strict, force=force, progress=progress)
    except BaseException:
        if out is None:
            shutil.rmtree(target, ignore_errors=True)
        raise
    return open_results(target)


def compute(
    inputs: Inputs,
    target: Path,
    *,
    memory: str | int | None = None,
    threads: int | None = None,
    strict: bool = False,
    force: bool = False,
    progress: Progress | None = None,
) -> None:
    """Compute results from inputs that were checked; see `run`."""
    check_target(target, force=force)
    with (
        Session(inputs, memory=memory, threads=threads, progress=progress) as session,
        ThreadPoolExecutor(1) as pool,
    ):
        pool.submit(load_compiler)
        session.stage()
        hashes = pool.submit(_describe_all, dict(session.files))
        count = Count(inputs.definitions)
        found = session.attribute(receiver=count)
        session.require_exposures(found)
        if strict and found.rejected:
            raise UserError(_strict_message(session, found))
        with written_aside(target, force=force) as directory:
            _write(session, found, count, hashes, directory)


def _describe_all(files: Mapping[Kind, Sequence[InputFile]]) -> list[dict[str, Any]]:
    return [entry for kind, found in files.items() for entry in describe_files(kind, found)]


@dataclass(frozen=True)
class Fingerprint:
    """What results depend on: hashes of definitions and facts, and the program's version."""

    definitions: str
    facts: str
    program: str

    @classmethod
    def of(cls, definitions: Any, files: list[dict[str, Any]], options: Any) -> Fingerprint:
        """Return the fingerprint; the order of the files does not matter."""
        told = json.dumps(definitions, sort_keys=True, ensure_ascii=False)
        facts = sorted(f"{entry['kind']} {entry['sha256']}" for entry in files)
        facts.append(json.dumps(options, sort_keys=True))
        return cls(_sha256(told), _sha256("\n".join(facts)), __version__)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _write(
    session: Session, found: Attribution, count: Count, hashes: Future[list[dict[str, Any]]], directory: Path
) -> None:
    """Write all result files into a directory."""
    inputs = session.inputs
    versions = [definition_version(campaign) for campaign in inputs.definitions.campaigns]
    # The rows need no database and the report needs no rows, so they are written side by side.
    with ThreadPoolExecutor(1) as pool:
        rows = pool.submit(write_rows, found.results, inputs.definitions, versions, found.as_of, directory)
        session.progress("writing results", None)
        tables = count.tables(found.results)
        report = report_of(tables, inputs.definitions, _counts(session, found), found.as_of, versions)
        add_verdicts(report["campaigns"], inputs.definitions, tables.persons, found.as_of)
        data = inputs_to_data(inputs, hashes.result(), found.as_of)
        fingerprint = Fingerprint.of(data["definitions"], data["inputs"], data["options"])
        report["fingerprint"] = vars(fingerprint)
        write_report_files(report, directory)
        write_rejected(session, directory, any_rejected=bool(found.rejected))
        data["program"] = __version__
        directory.joinpath("run.json").write_text(
            json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )
        rows.result()
    found.results.close()


def _counts(session: Session, found: Attribution) -> FactCounts:
    notes = [note for kind in FACTS for note in session.scans[kind].notes]
    notes += [UTC_ASSUMED] if found.notes & 1 else []
    notes += [DATES_READ] if found.notes & 2 else []
    return FactCounts(
        events=found.events,
        exposures=found.exposures,
        step_messages=found.step_messages,
        repetitions=found.repetitions,
        after_as_of=found.after_as_of,
        refunds_unmatched=found.refunds_unmatched,
        rejected=found.rejected,
        notes=notes,
    )


def _strict_message(session: Session, found: Attribution) -> str:
    total = sum(found.rejected.values())
    counts = ", ".join(f"{n:,} {reason}" for reason, n in found.rejected.items())
    rows = "row was" if total == 1 else "rows were"
    first = first_rejection(session)
    where = f"; the first: {first.file}, row {first.row}: {first.message}" if first else ""
    return f"--strict: {total:,} {rows} rejected ({counts}){where}"
