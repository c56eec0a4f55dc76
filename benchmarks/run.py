"""Time the contenders on the same files: `python -m benchmarks.run --scale medium`.

Each contender runs in a process of its own, one after the other, `--rounds` times in rotation. The
whole process counts: start, imports, reading, computing, writing. This module imports nothing
heavy: on Linux a child's peak memory starts at its parent's.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.machine import ROOT, described

HERE = Path(__file__).parent
SCALES = ("tiny", "small", "medium", "large")


@dataclass(frozen=True, slots=True)
class Contender:
    """A script of this directory with its switches."""

    name: str
    says: str
    module: str
    switches: tuple[str, ...] = ()
    computes: bool = True
    takes_memory: bool = False
    """Whether `--memory` is handed on to it."""


CONTENDERS = (
    Contender("afterword", "**Afterword**", "afterword_run", takes_memory=True),
    Contender("analyst", "analyst's SQL (DuckDB)", "analyst_sql"),
    Contender("best", "best SQL (DuckDB)", "best_sql"),
    Contender("best-distinct", "best SQL, all repetitions removed first", "best_sql", ("--distinct",)),
    Contender("polars", "Polars", "polars_contender"),
    Contender("read", "reading only", "read_only", computes=False),
    Contender("sort", "reading and `ORDER BY user_id, occurred_at`", "read_and_sort", computes=False),
    Contender("sort-dense", "the same by dense ids", "read_and_sort", ("--dense",), computes=False),
    Contender("sort-hash", "the same by hash", "read_and_sort", ("--hash",), computes=False),
    Contender("sort-dense-rows", "by dense ids, row numbers for ids", "read_and_sort", ("--dense", "--rows"), False),
    Contender("sort-hash-rows", "by hash, row numbers for ids", "read_and_sort", ("--hash", "--rows"), False),
)


@dataclass(slots=True)
class Outcome:
    """The runs of one contender; `problem` is why there is no result, or how it differs."""

    contender: Contender
    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    peak_mib: list[float] = field(default_factory=list)
    problem: str = ""
    compared: bool = False


def run_once(outcome: Outcome, data: Path, out: Path, memory: str | None, timeout: float) -> str:
    """Run a contender in a fresh process and note what it took; that in words."""
    contender = outcome.contender
    shutil.rmtree(out, ignore_errors=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", f"benchmarks.{contender.module}", str(data), str(out), *contender.switches]
    if memory and contender.takes_memory:
        command += ["--memory", memory]
    paths = os.pathsep.join([str(ROOT), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    log = out.parent / f"{contender.name}.log"
    with log.open("w") as said:
        began = time.perf_counter()
        process = subprocess.Popen(
            command,
            stdout=said,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": paths},
            start_new_session=True,
        )
        signal.signal(signal.SIGALRM, lambda *_: os.killpg(process.pid, signal.SIGKILL))
        signal.setitimer(signal.ITIMER_REAL, timeout)
        try:
            _, status, used = os.wait4(process.pid, 0)
        except KeyboardInterrupt:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        late = wall >= timeout
        outcome.problem = f"over {timeout:.0f} s" if late else f"failed ({process.returncode}), see {log.name}"
        return outcome.problem
    outcome.wall.append(wall)
    outcome.cpu.append(used.ru_utime + used.ru_stime)
    outcome.peak_mib.append(used.ru_maxrss / 1024)
    return f"{wall:.1f} s"


def compare(outcomes: list[Outcome], out: Path) -> None:
    """Check every result against the first one, in a process of its own."""
    done = [outcome for outcome in outcomes if outcome.contender.computes and outcome.wall]
    for outcome in done[1:]:
        command = [sys.executable, "-m", "benchmarks.compare"]
        command += [str(out / which.contender.name) for which in (done[0], outcome)]
        found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        outcome.compared = True
        if found.returncode != 0:
            outcome.problem = "different results"
            print(found.stdout + found.stderr, file=sys.stderr)
    if done[1:]:
        done[0].compared = True


def table(outcomes: list[Outcome]) -> str:
    """Return the outcomes as a Markdown table; ratios are to the first contender, medians of the rounds."""
    base = statistics.median(outcomes[0].wall) if outcomes[0].wall else None
    lines = [
        "| | wall | CPU | peak memory | wall, Afterword = 1 | results |",
        "| --- | ---: | ---: | ---: | ---: | --- |",
    ]
    for outcome in outcomes:
        if outcome.wall:
            wall = statistics.median(outcome.wall)
            ratio = f"{wall / base:.2f}" if base and outcomes[0].contender.name == "afterword" else ""
            numbers = (
                f"{wall:.1f} s | {statistics.median(outcome.cpu):.1f} s | {max(outcome.peak_mib):,.0f} MiB | {ratio}"
            )
        else:
            numbers = " | | | "
        results = outcome.problem or ("the same" if outcome.compared else "")
        lines.append(f"| {outcome.contender.says} | {numbers} | {results} |")
    return "\n".join(lines)


def as_json(scale: str, made: dict[str, Any], outcomes: list[Outcome], memory: str | None) -> dict[str, Any]:
    """Return everything that was measured."""
    runs = {
        outcome.contender.name: {
            "wall_s": [round(value, 3) for value in outcome.wall],
            "cpu_s": [round(value, 3) for value in outcome.cpu],
            "peak_mib": [round(value) for value in outcome.peak_mib],
            "problem": outcome.problem or None,
            "same_results": None if not outcome.compared else not outcome.problem,
        }
        for outcome in outcomes
    }
    return {"scale": scale, "facts": made, "machine": described(), "memory": memory, "runs": runs}


def write_json(path: Path, result: dict[str, Any]) -> None:
    """Write what was measured; contenders that did not run keep their numbers if all else is the same."""
    path.parent.mkdir(exist_ok=True)
    if path.exists():
        before = json.loads(path.read_text())
        if all(before[key] == result[key] for key in ("facts", "machine", "memory")):
            result = result | {"runs": before["runs"] | result["runs"]}
    path.write_text(json.dumps(result, indent=2) + "\n")


def heading(result: dict[str, Any]) -> str:
    """Return what was measured on what, as a paragraph."""
    facts, machine = result["facts"], dict(result["machine"])
    rows = f"{facts['events']:,} events + {facts['exposures']:,} exposures of {facts['users']:,} users"
    first = f"{machine.pop('processor')}, {machine.pop('cores')} cores, {machine.pop('memory')}"
    memory = f", Afterword with `--memory {result['memory']}`" if result["memory"] else ""
    return f"{rows}{memory}. {first}; {', '.join(f'{name} {value}' for name, value in machine.items())}."


def into_readme(scale: str, text: str) -> None:
    """Put the table of a scale between its marks in README.md."""
    readme = HERE / "README.md"
    before, mark, rest = readme.read_text().partition(f"<!-- {scale} -->\n")
    _, end, after = rest.partition(f"<!-- end of {scale} -->")
    if not mark or not end:
        raise SystemExit(f"README.md has no marks for {scale}")
    readme.write_text(f"{before}{mark}{text}\n{end}{after}")


def facts_of(scale: str, directory: Path) -> dict[str, Any]:
    """Generate the facts unless they are there, and read them once so that everybody finds them in memory."""
    if not (directory / "made.json").exists():
        print(f"generating {scale} facts in {directory}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "benchmarks.generate", scale, str(directory)], cwd=ROOT, check=True)
    for path in sorted(directory.glob("*.parquet")):
        with path.open("rb") as file:
            while file.read(1 << 24):
                pass
    made: dict[str, Any] = json.loads((directory / "made.json").read_text())
    return made


def compile_first(data: Path, out: Path) -> None:
    """Run Afterword once on few facts: its functions are compiled at their first use on a machine, and kept."""
    facts_of("tiny", data / "tiny")
    first = Outcome(CONTENDERS[0])
    said = run_once(first, data / "tiny", out / "compile", None, 600)
    print(f"afterword, to compile: {said}", file=sys.stderr)
    shutil.rmtree(out / "compile", ignore_errors=True)
    if first.problem:
        raise SystemExit(f"afterword {first.problem}")


def chosen(only: str | None, without: str | None) -> list[Contender]:
    """Return the contenders named on the command line, all by default."""
    known = {contender.name: contender for contender in CONTENDERS}
    names = only.split(",") if only else list(known)
    left_out = without.split(",") if without else []
    for name in [*names, *left_out]:
        if name not in known:
            raise SystemExit(f'unknown contender "{name}", known are {", ".join(known)}')
    return [known[name] for name in names if name not in left_out]


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description="Time Afterword and others on the same generated facts.")
    parser.add_argument("--scale", choices=SCALES, default="small")
    parser.add_argument("--data", type=Path, default=HERE / "data", help="where facts and results are")
    parser.add_argument("--only", help="names of contenders, with commas: " + ",".join(c.name for c in CONTENDERS))
    parser.add_argument("--without", help="names of contenders to leave out")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--memory", help="limit for Afterword, such as 3GB")
    parser.add_argument("--timeout", type=float, default=1800)
    parser.add_argument("--readme", action="store_true", help="put the table into benchmarks/README.md")
    parser.add_argument("--keep", action="store_true", help="keep the results of the contenders")
    args = parser.parse_args()
    data: Path = args.data.resolve() / args.scale
    out: Path = args.data.resolve() / f"{args.scale}-results"
    made = facts_of(args.scale, data)
    outcomes = [Outcome(contender) for contender in chosen(args.only, args.without)]
    if any(outcome.contender.name == "afterword" for outcome in outcomes):
        compile_first(args.data.resolve(), out)
    for turn in range(args.rounds):
        for outcome in outcomes[turn % len(outcomes) :] + outcomes[: turn % len(outcomes)]:
            if not outcome.problem:
                said = run_once(outcome, data, out / outcome.contender.name, args.memory, args.timeout)
                print(f"{outcome.contender.name}: {said}", file=sys.stderr)
    compare(outcomes, out)
    result = as_json(args.scale, made, outcomes, args.memory)
    text = f"{heading(result)}\n\n{table(outcomes)}"
    print(text)
    write_json(HERE / "results" / f"{args.scale}.json", result)
    if args.readme:
        into_readme(args.scale, text)
    if not args.keep:
        for outcome in outcomes:
            shutil.rmtree(out / outcome.contender.name, ignore_errors=True)
    return 1 if any(outcome.problem for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
