"""The result files: Parquet written group by group in their final order, and the directory that appears whole."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from afterword.attribution.derive import LETTERS
from afterword.attribution.runs import Runs, Text
from afterword.attribution.tables import ResultRows
from afterword.errors import UserError
from afterword.model import LETTERS as LETTER_NAMES
from afterword.model import Channel, Definitions

TIME = pa.timestamp("us", tz="UTC")
AMOUNT = pa.decimal128(18, 6)
GROUP_ROWS = 1 << 18
COMPRESSION = "zstd"

CONVERSIONS = pa.schema(
    [
        ("conversion_id", pa.string()), ("campaign_id", pa.string()), ("conversion_event", pa.string()),
        ("user_id", pa.string()), ("exposure_id", pa.string()), ("variant_id", pa.string()),
        ("channel", pa.string()), ("step_id", pa.string()), ("exposed_at", TIME), ("converted_at", TIME),
        ("event_id", pa.string()), ("after_open", pa.bool_()), ("after_click", pa.bool_()),
        ("definition_version", pa.string()), ("as_of", TIME),
    ]
)  # fmt: skip
CREDITED = pa.schema(
    [
        ("campaign_id", pa.string()), ("variant_id", pa.string()), ("channel", pa.string()),
        ("exposure_id", pa.string()), ("user_id", pa.string()), ("event_id", pa.string()),
        ("occurred_at", TIME), ("amount", AMOUNT), ("currency", pa.string()), ("refunded", AMOUNT),
    ]
)  # fmt: skip
PLAIN_COLUMNS = ("conversion_id", "exposure_id", "event_id", "user_id", "exposed_at", "converted_at", "occurred_at")
"""Columns whose values hardly repeat: a dictionary would only cost time."""


def write_rows(
    rows: ResultRows, definitions: Definitions, versions: Sequence[str], as_of: int, directory: Path
) -> None:
    """Write conversions.parquet and credited_purchases.parquet."""
    writer = _Writer(rows, definitions, versions, as_of)
    with ThreadPoolExecutor(2) as pool:
        jobs = [
            pool.submit(_write, directory / "conversions.parquet", CONVERSIONS, writer.conversions()),
            pool.submit(_write, directory / "credited_purchases.parquet", CREDITED, writer.credited()),
        ]
        for job in jobs:
            job.result()


def _write(path: Path, schema: pa.Schema, groups: Iterator[pa.Table]) -> None:
    dictionary = [name for name in schema.names if name not in PLAIN_COLUMNS]
    with pq.ParquetWriter(path, schema, compression=COMPRESSION, use_dictionary=dictionary) as writer:
        waiting: list[pa.Table] = []
        rows = 0
        for group in groups:
            waiting.append(group)
            rows += group.num_rows
            if rows >= GROUP_ROWS:
                writer.write_table(pa.concat_tables(waiting), row_group_size=GROUP_ROWS)
                waiting, rows = [], 0
        if waiting:
            writer.write_table(pa.concat_tables(waiting), row_group_size=GROUP_ROWS)


class _Writer:
    """Turns derived rows into the columns of the files."""

    def __init__(self, rows: ResultRows, definitions: Definitions, versions: Sequence[str], as_of: int) -> None:
        self._rows = rows
        self._campaigns = definitions.campaigns
        self._versions = versions
        self._as_of = as_of
        self._channels = _names([channel.value for channel in Channel])

    def conversions(self) -> Iterator[pa.Table]:
        """Yield the conversions of each campaign and conversion event."""
        runs = self._rows.conversions
        for key in range(len(self._campaigns) * LETTERS):
            size = int(runs.rows[key])
            if not size:
                continue
            campaign, letter = self._campaigns[key // LETTERS], LETTER_NAMES[key % LETTERS]
            exposure_id, event_id = _text(runs.text(key, "exposure_id")), _text(runs.text(key, "event_id"))
            columns = {
                "conversion_id": _conversion_ids(f"{campaign.id}/{letter}/", exposure_id, event_id),
                "campaign_id": _repeated(campaign.id, size),
                "conversion_event": _repeated(letter, size),
                "exposure_id": exposure_id,
                "step_id": _named([step.id for step in campaign.steps], runs.column(key, "step")),
                "exposed_at": _time(runs.column(key, "exposed_at")),
                "converted_at": _time(runs.column(key, "converted_at")),
                "event_id": event_id,
                "after_open": pa.array(runs.column(key, "after_open").astype(bool)),
                "after_click": pa.array(runs.column(key, "after_click").astype(bool)),
                "definition_version": _repeated(self._versions[key // LETTERS], size),
                "as_of": _time(np.full(size, self._as_of, np.int64)),
            } | self._shared(runs, key, [variant.id for variant in campaign.variants])
            yield pa.table([columns[name] for name in CONVERSIONS.names], schema=CONVERSIONS)

    def credited(self) -> Iterator[pa.Table]:
        """Yield the credited purchases of each campaign."""
        runs = self._rows.credited
        for key, campaign in enumerate(self._campaigns):
            size = int(runs.rows[key])
            if not size:
                continue
            columns = {
                "campaign_id": _repeated(campaign.id, size),
                "exposure_id": _text(runs.text(key, "exposure_id")),
                "event_id": _text(runs.text(key, "event_id")),
                "occurred_at": _time(runs.column(key, "occurred_at")),
                "amount": _amount(runs.column(key, "amount")),
                "currency": _named(self._rows.currencies, runs.column(key, "currency")),
                "refunded": _amount(runs.column(key, "refunded")),
            } | self._shared(runs, key, [variant.id for variant in campaign.variants])
            yield pa.table([columns[name] for name in CREDITED.names], schema=CREDITED)

    def _shared(self, runs: Runs, key: int, variants: list[str]) -> dict[str, pa.Array]:
        return {
            "user_id": self._rows.users.take(pa.array(runs.column(key, "user"))),
            "variant_id": _named(variants, runs.column(key, "variant")),
            "channel": _taken(self._channels, runs.column(key, "channel")),
        }


def _conversion_ids(prefix: str, exposure_id: pa.Array, event_id: pa.Array) -> pa.Array:
    """A conversion is named by what makes it one: campaign, letter, exposure and event."""
    return pc.binary_join_element_wise(pa.scalar(prefix), exposure_id, pa.scalar("/"), event_id, "")


def _names(names: Sequence[str]) -> pa.Array:
    return pa.array(list(names), pa.string())


def _named(names: Sequence[str], numbers: Any) -> pa.Array:
    return _taken(_names(names), numbers)


def _taken(names: pa.Array, numbers: Any) -> pa.Array:
    """Return names by number; a negative number is no name."""
    return names.take(pa.array(numbers, mask=numbers < 0))


def _repeated(value: str, size: int) -> pa.Array:
    return pa.repeat(pa.scalar(value, pa.string()), size)


def _time(microseconds: Any) -> pa.Array:
    return pa.array(microseconds, pa.int64()).view(TIME)


def _amount(millionths: Any) -> pa.Array:
    """Return decimals of six places; DuckDB's and Arrow's decimals are 128-bit integers with a scale."""
    wide = np.empty((len(millionths), 2), np.int64)
    wide[:, 0] = millionths
    wide[:, 1] = millionths >> 63
    return pa.Array.from_buffers(AMOUNT, len(millionths), [None, pa.py_buffer(wide)])


def _text(text: Text) -> pa.Array:
    offsets = text.offsets.astype(np.int32)
    return pa.Array.from_buffers(
        pa.string(), len(offsets) - 1, [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(text.data))]
    )


@contextmanager
def written_aside(target: Path, *, force: bool) -> Iterator[Path]:
    """Give a directory to write into; it takes the target's place only when all went well.

    A results directory that exists stays as it is unless `force` is set, and then until the new one is complete.
    """
    check_target(target, force=force)
    made = [parent for parent in target.parents if not parent.exists()]
    aside: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
        yield aside
        aside.chmod(0o755)
        _put_in_place(aside, target)
    except OSError as error:
        raise UserError(f"cannot write results to {target}: {error.strerror or error}; nothing was changed") from error
    finally:
        if aside is not None:
            shutil.rmtree(aside, ignore_errors=True)
        for parent in made:  # those that are empty, because nothing was put into them
            with suppress(OSError):
                parent.rmdir()


def _put_in_place(aside: Path, target: Path) -> None:
    """Rename; old results are moved out of the way first, and come back if the new ones cannot take their place."""
    if not target.exists():
        os.replace(aside, target)
        return
    with tempfile.TemporaryDirectory(
        prefix=f".{target.name}-old-", dir=target.parent, ignore_cleanup_errors=True
    ) as old:
        kept = Path(old) / target.name
        os.replace(target, kept)
        try:
            os.replace(aside, target)
        except OSError:
            os.replace(kept, target)
            raise


def check_target(target: Path, *, force: bool) -> None:
    """Refuse a results directory that exists, unless `force` is set and it is one."""
    if not target.exists():
        return
    if not target.is_dir():
        raise UserError(f"{target} exists and is no directory")
    if not any(target.iterdir()):
        return
    if not force:
        raise UserError(f"{target} exists; name another directory with --out, or replace it with --force")
    if not (target / "run.json").exists():
        raise UserError(f"{target} is no results directory, so --force does not replace it; name another with --out")
