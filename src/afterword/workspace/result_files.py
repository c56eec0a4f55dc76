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
from afterword.model import Campaign, Channel, Definitions

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
NAMES = (
    "campaign_id", "conversion_event", "variant_id", "channel", "step_id", "definition_version", "currency",
)  # fmt: skip
"""Columns of few distinct values: numbers and a dictionary from the start, so that no value is hashed."""
PLAIN = ("conversion_id", "exposure_id", "event_id", "user_id", "exposed_at", "converted_at", "occurred_at")
"""Columns whose values hardly repeat: a dictionary would only cost time."""
UNRANGED = (
    "conversion_id", "exposure_id", "event_id", "user_id", "variant_id", "channel", "step_id", "definition_version",
    "currency",
)  # fmt: skip
"""Columns that are in no order: the least and greatest value in a group of rows would tell a reader nothing."""


def write_rows(
    rows: ResultRows, definitions: Definitions, versions: Sequence[str], as_of: int, directory: Path
) -> None:
    """Write conversions.parquet and credited_purchases.parquet."""
    with ThreadPoolExecutor(2) as pool:
        conversions = _conversions(rows, definitions.campaigns, versions, as_of)
        credited = _credited(rows, definitions.campaigns)
        jobs = [
            pool.submit(_write, directory / "conversions.parquet", CONVERSIONS, conversions),
            pool.submit(_write, directory / "credited_purchases.parquet", CREDITED, credited),
        ]
        for job in jobs:
            job.result()


def _write(path: Path, schema: pa.Schema, groups: Iterator[dict[str, pa.Array]]) -> None:
    named = pa.dictionary(pa.int32(), pa.string())
    written = pa.schema([(name, named if name in NAMES else schema.field(name).type) for name in schema.names])
    with pq.ParquetWriter(
        path,
        written,
        compression=COMPRESSION,
        use_dictionary=[name for name in schema.names if name not in PLAIN],
        write_statistics=[name for name in schema.names if name not in UNRANGED],
        max_rows_per_page=GROUP_ROWS,  # pages end at their megabyte, not at 20,000 rows: 8 % less time
        store_schema=False,  # or readers would be given Arrow's dictionaries, and not strings
    ) as writer:
        waiting: list[pa.Table] = []
        rows = 0
        for group in groups:
            waiting.append(pa.table([group[name] for name in written.names], schema=written))
            rows += waiting[-1].num_rows
            if rows >= GROUP_ROWS:
                writer.write_table(pa.concat_tables(waiting), row_group_size=GROUP_ROWS)
                waiting, rows = [], 0
        if waiting:
            writer.write_table(pa.concat_tables(waiting), row_group_size=GROUP_ROWS)


def _conversions(
    rows: ResultRows, campaigns: Sequence[Campaign], versions: Sequence[str], as_of: int
) -> Iterator[dict[str, pa.Array]]:
    """Yield the columns of the conversions of each campaign and conversion event."""
    runs = rows.conversions
    names = _CampaignNames(campaigns)
    letters, versioned = _Names([LETTER_NAMES]), _Names([versions])
    steps = _Names([[step.id for step in campaign.steps] for campaign in campaigns])
    for key in np.flatnonzero(runs.rows).tolist():
        size, index, letter = int(runs.rows[key]), key // LETTERS, key % LETTERS
        exposure_id, event_id = _text(runs.text(key, "exposure_id")), _text(runs.text(key, "event_id"))
        prefix = f"{campaigns[index].id}/{LETTER_NAMES[letter]}/"
        yield names.columns(runs, key, index) | {
            "conversion_id": _conversion_ids(prefix, exposure_id, event_id),
            "conversion_event": letters.repeated(letter, size),
            "exposure_id": exposure_id,
            "user_id": rows.users.take(pa.array(runs.column(key, "user"))),
            "step_id": steps.column(index, runs.column(key, "step")),
            "exposed_at": _time(runs.column(key, "exposed_at")),
            "converted_at": _time(runs.column(key, "converted_at")),
            "event_id": event_id,
            "after_open": pa.array(runs.column(key, "after_open").astype(bool)),
            "after_click": pa.array(runs.column(key, "after_click").astype(bool)),
            "definition_version": versioned.repeated(index, size),
            "as_of": _time(np.full(size, as_of, np.int64)),
        }


def _credited(rows: ResultRows, campaigns: Sequence[Campaign]) -> Iterator[dict[str, pa.Array]]:
    """Yield the columns of the credited purchases of each campaign."""
    runs = rows.credited
    names = _CampaignNames(campaigns)
    keys = np.flatnonzero(runs.rows).tolist()
    currencies = _Names([_used(rows, keys)])
    for key in keys:
        yield names.columns(runs, key, key) | {
            "exposure_id": _text(runs.text(key, "exposure_id")),
            "user_id": rows.users.take(pa.array(runs.column(key, "user"))),
            "event_id": _text(runs.text(key, "event_id")),
            "occurred_at": _time(runs.column(key, "occurred_at")),
            "amount": _amount(runs.column(key, "amount")),
            "currency": currencies.column(0, runs.column(key, "currency")),
            "refunded": _amount(runs.column(key, "refunded")),
        }


def _used(rows: ResultRows, keys: Sequence[int]) -> list[str | None]:
    """Return the currencies by number, and None for numbers that are versions of apps, of which there may be many."""
    used = np.zeros(len(rows.currencies), np.bool_)
    for key in keys:
        used[rows.credited.column(key, "currency")] = True
    return [name if here else None for name, here in zip(rows.currencies, used.tolist(), strict=True)]


class _Names:
    """A column of names: one dictionary for the whole file, and lists of names that numbers count in."""

    def __init__(self, lists: Sequence[Sequence[str | None]]) -> None:
        distinct = dict.fromkeys(name for names in lists for name in names if name is not None)
        place = {name: number for number, name in enumerate(distinct)}
        self._dictionary = pa.array(list(distinct), pa.string())
        # The number -1 stands for no name, and finds the last entry.
        self._places = [np.array([*(place.get(name, -1) for name in names), -1], np.int32) for names in lists]

    def column(self, which: int, numbers: Any) -> pa.Array:
        """Return names of one of the lists by number."""
        places = self._places[which][numbers]
        missing = places < 0
        indices = pa.array(places, mask=missing if missing.any() else None)
        return pa.DictionaryArray.from_arrays(indices, self._dictionary)

    def repeated(self, number: int, size: int) -> pa.Array:
        """Return one name of the only list, so many times."""
        return pa.DictionaryArray.from_arrays(np.full(size, self._places[0][number], np.int32), self._dictionary)


class _CampaignNames:
    """The names that both files have: of campaigns, variants and channels."""

    def __init__(self, campaigns: Sequence[Campaign]) -> None:
        self._campaigns = _Names([[campaign.id for campaign in campaigns]])
        self._variants = _Names([[variant.id for variant in campaign.variants] for campaign in campaigns])
        self._channels = _Names([[channel.value for channel in Channel]])

    def columns(self, runs: Runs, key: int, campaign: int) -> dict[str, pa.Array]:
        """Return the three columns of a key's rows."""
        return {
            "campaign_id": self._campaigns.repeated(campaign, int(runs.rows[key])),
            "variant_id": self._variants.column(campaign, runs.column(key, "variant")),
            "channel": self._channels.column(0, runs.column(key, "channel")),
        }


def _conversion_ids(prefix: str, exposure_id: pa.Array, event_id: pa.Array) -> pa.Array:
    """A conversion is named by what makes it one: campaign, letter, exposure and event."""
    return pc.binary_join_element_wise(pa.scalar(prefix), exposure_id, pa.scalar("/"), event_id, "")


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
