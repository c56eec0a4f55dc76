"""`afterword log`: look whether the log is good, and make the facts again from it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from afterword.errors import UserError
from afterword.interfaces import options, output
from afterword.interfaces.moments import now
from afterword.interfaces.progress import Meter

if TYPE_CHECKING:
    from afterword.log import BadPlace, Report

DAMAGED = 1
"""Exit code of `log verify` where something is wrong."""
ATTEMPTS = 5
app = typer.Typer(name="log", help="Verify and replay the log.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def verify(data: options.DataDir = Path("./afterword-data"), as_json: options.AsJson = False) -> None:
    """Read the whole log and say whether it is good.

    Also beside a running server. Exit code 1 if it is damaged; half a request at its very end, which a crash may leave
    and nobody was told is kept, is no damage.
    """
    report = _verified(data / "log")
    bad = report.bad
    if as_json:
        output.say_json(_json(report))
    else:
        output.say_rows([_row(one) for one in _json(report)["segments"]])
        output.say(
            f"{report.frames:,} requests from {report.first:,} to before {report.end:,}, {report.erased:,} of them "
            f"erased, {report.size:,} bytes: {'good' if bad is None else 'not good'}"
        )
        if bad is not None:
            what = "ends with half a request, which the next start cuts off" if bad.torn else "is damaged"
            output.note(f"{bad.path} {what}: byte {bad.offset}, position {bad.position} ({bad.reason})")
    if bad is not None and not bad.torn:
        raise typer.Exit(DAMAGED)


@app.command()
def replay(
    data: options.DataDir = Path("./afterword-data"),
    metadata: options.MetadataUrl = None,
    memory: options.Memory = None,
    threads: options.Threads = None,
    as_json: options.AsJson = False,
) -> None:
    """Make facts and results again from the log.

    With the server stopped. The old facts stay until the new ones are complete. A log whose oldest segments were
    removed cannot be replayed.
    """
    from afterword.workspace.replaying import replay as replay_log

    with Meter() as meter:
        done = replay_log(
            data,
            memory=memory,
            threads=threads,
            clock=now,
            chance=os.urandom,
            progress=lambda done, total: meter("requests", done / total),
            metadata_url=metadata,
        )
    if as_json:
        output.say_json({"requests": done.requests, "rows": done.rows, "problem": done.problem})
        return
    if done.problem is not None:
        output.note(f"The old facts could not be read; who was erased is known from the log alone: {done.problem}")
    counted = ", ".join(f"{count:,} {table.replace('_', ' ')}" for table, count in done.rows.items() if count)
    output.say(f"{done.requests:,} requests replayed: {counted or 'nothing'}.")


def _verified(log: Path) -> Report:
    from afterword.log import LogError
    from afterword.log import verify as verify_log

    for _ in range(ATTEMPTS):
        try:
            return verify_log(log)
        except FileNotFoundError:  # a server has just removed an old segment
            continue
        except LogError as error:
            raise UserError(str(error)) from error
    raise UserError(f"segments of {log} are removed faster than they can be read: stop the server first")


def _json(report: Report) -> dict[str, Any]:
    segments = [
        {
            "segment": one.path.name,
            "first": one.first,
            "frames": one.frames,
            "erased": one.erased,
            "bytes": one.size,
            "sealed": one.sealed,
            "bad": _bad(one.bad),
        }
        for one in report.segments
    ]
    return {"good": report.bad is None, "segments": segments, "bad": _bad(report.bad)}


def _bad(place: BadPlace | None) -> dict[str, Any] | None:
    if place is None:
        return None
    return {
        "segment": place.path.name,
        "position": place.position,
        "offset": place.offset,
        "reason": place.reason,
        "torn": place.torn,
    }


def _row(segment: dict[str, Any]) -> dict[str, Any]:
    bad = segment["bad"]
    state = ("torn end" if bad["torn"] else "damaged") if bad else "complete" if segment["sealed"] else "open"
    return {name: segment[name] for name in ("segment", "first", "frames", "erased", "bytes")} | {"state": state}
