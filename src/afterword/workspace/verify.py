"""`afterword verify`: whether a run gives the same again."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from afterword import __version__
from afterword.workspace.inputs import check_unchanged
from afterword.workspace.results import open_results
from afterword.workspace.run import compute
from afterword.workspace.session import Progress

MOST_DIFFERENCES = 20
TABLES = ("conversions.parquet", "credited_purchases.parquet", "rejected.parquet")


def verify(
    path: str | os.PathLike[str],
    *,
    memory: str | int | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> list[str]:
    """Compute the results again from the inputs that they name; return what differs, nothing if all is the same.

    Raises:
        UserError: an input is gone or has changed, so that there is nothing to compare.

    """
    results = open_results(path)
    inputs = results.inputs
    check_unchanged(inputs)
    with tempfile.TemporaryDirectory(prefix="afterword-verify-") as scratch:
        again = Path(scratch) / "again"
        compute(inputs, again, memory=memory, threads=threads, progress=progress)
        differences = list(_differences(results.path, again))
    if differences and results.json["fingerprint"]["program"] != __version__:
        was = results.json["fingerprint"]["program"]
        differences.append(f"the results are of version {was}, this is version {__version__}")
    return differences


def _differences(first: Path, second: Path) -> Iterator[str]:
    for name in TABLES:
        try:
            left, right = pq.ParquetFile(first / name), pq.ParquetFile(second / name)
        except pa.ArrowException as error:
            yield f"{name}: damaged ({str(error).splitlines()[0]})"
            continue
        if left.metadata.num_rows != right.metadata.num_rows:
            yield f"{name}: {left.metadata.num_rows:,} rows, now {right.metadata.num_rows:,}"
        elif not (_same_rejections(left, right) if name == "rejected.parquet" else _same_rows(left, right)):
            yield f"{name}: rows differ"
    reports = [json.loads((path / "report.json").read_text(encoding="utf-8")) for path in (first, second)]
    for report in reports:
        report.pop("fingerprint")
    found = list(_compare(reports[0], reports[1], ""))
    yield from found[:MOST_DIFFERENCES]
    if len(found) > MOST_DIFFERENCES:
        yield f"report.json: {len(found) - MOST_DIFFERENCES} more differences"


def _same_rows(left: pq.ParquetFile, right: pq.ParquetFile) -> bool:
    """Compare two files of as many rows, group by group; the groups are cut alike."""
    if left.schema_arrow != right.schema_arrow:
        return False
    batches = zip(left.iter_batches(1 << 17), right.iter_batches(1 << 17), strict=True)
    return all(a.equals(b) for a, b in batches)


def _same_rejections(left: pq.ParquetFile, right: pq.ParquetFile) -> bool:
    """Compare without the files' names, which may have been given in another way."""
    columns = ["row", "reason", "message"]
    order = [(name, "ascending") for name in columns]
    return bool(left.read(columns).sort_by(order).equals(right.read(columns).sort_by(order)))


def _compare(first: Any, second: Any, place: str) -> Iterator[str]:
    """Yield where two JSON values differ."""
    if isinstance(first, dict) and isinstance(second, dict):
        for key in [*first, *(key for key in second if key not in first)]:
            here = f"{place}.{key}" if place else key
            if key in first and key in second:
                yield from _compare(first[key], second[key], here)
            else:
                yield f"report.json {here}: " + ("was there, now it is not" if key in first else "is new")
    elif isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
        for index, (a, b) in enumerate(zip(first, second, strict=True)):
            yield from _compare(a, b, f"{place}[{index}]")
    elif first != second:
        yield f"report.json {place}: {json.dumps(first)}, now {json.dumps(second)}"
