"""`afterword doctor`: are the definition and fact files usable? Nothing is computed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from afterword.errors import UserError
from afterword.intake.sources import Kind
from afterword.model import Definitions
from afterword.workspace.inputs import Paths, gather_inputs
from afterword.workspace.session import FACTS, Progress, Session

if TYPE_CHECKING:
    from rich.console import RenderableType

EXAMPLES = 3


@dataclass(frozen=True)
class KindFindings:
    """What is in the files of one kind of fact."""

    kind: str
    files: int
    rows: int
    rejected: dict[str, int]
    examples: dict[str, list[str]]
    """By reason: some of the rejected rows in words."""
    notes: list[str]


@dataclass(frozen=True)
class Findings:
    """What the doctor found."""

    problems: list[str]
    """What stops a run; nothing if the facts could be read."""
    campaigns: int
    kinds: list[KindFindings]

    @property
    def healthy(self) -> bool:
        """Whether there is nothing to mend."""
        return not self.problems and not any(kind.rejected for kind in self.kinds)

    @property
    def json(self) -> dict[str, Any]:
        """The findings as plain data."""
        return {"healthy": self.healthy, **asdict(self)}

    def __rich__(self) -> RenderableType:
        """Return what rich prints."""
        from rich.console import Group
        from rich.text import Text

        lines = [Text(problem, style="red") for problem in self.problems]
        if not self.problems:
            noun = "campaign" if self.campaigns == 1 else "campaigns"
            lines.append(Text(f"definitions: {self.campaigns} {noun}, nothing wrong"))
        for kind in self.kinds:
            rejected = sum(kind.rejected.values())
            lines.append(
                Text(
                    f"{kind.kind.replace('_', ' ')}: {kind.files} {'file' if kind.files == 1 else 'files'}, "
                    f"{kind.rows:,} rows, {rejected:,} rejected"
                )
            )
            for reason, count in kind.rejected.items():
                lines.append(Text(f"  {count:,} {reason}", style="red"))
                lines += [Text(f"    {example}", style="dim") for example in kind.examples[reason]]
            lines += [Text(f"  {note}", style="dim") for note in kind.notes]
        lines.append(Text("All is well." if self.healthy else "There is something to mend.", style="bold"))
        return Group(*lines)


def check(
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
    memory: str | int | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Findings:
    """Check files; see `afterword.run` for the arguments. What is wrong is returned, not raised."""
    try:
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
            needs_exposures=False,
        )
        with Session(inputs, memory=memory, threads=threads, progress=progress) as session:
            session.stage()
            kinds = [_look(session, kind) for kind in FACTS if session.files[kind]]
    except UserError as error:
        return Findings(str(error).splitlines(), 0, [])
    return Findings([], len(inputs.definitions.campaigns), kinds)


def _look(session: Session, kind: Kind) -> KindFindings:
    scan = session.scans[kind]
    session.progress(f"reading {kind.replace('_', ' ')}", None)
    counted = session.con.execute(f"SELECT count(*), count(*) FILTER (reason <> 0) FROM ({scan.relation_sql})")
    rows, bad = counted.fetchall()[0]
    rejected: dict[str, int] = {}
    examples: dict[str, list[str]] = {}
    if bad:
        found = session.con.execute(
            f"""
            SELECT reason, count(*),
                list(file || ', row ' || "row" || ': ' || message ORDER BY file, "row")[1:{EXAMPLES}]
            FROM ({scan.rejected_sql()}) GROUP BY reason ORDER BY reason"""
        ).fetchall()
        rejected = {reason: count for reason, count, _ in found}
        examples = {reason: some for reason, _, some in found}
    return KindFindings(kind, len(scan.inputs), int(rows), rejected, examples, list(scan.notes))
