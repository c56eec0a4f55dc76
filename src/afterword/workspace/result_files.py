"""The result files: Parquet written group by group in their final order, and the directory that appears whole."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from afterword.attribution.derive import LETTERS
from afterword.attribution.runs import Runs
from afterword.attribution.tables import ResultRows
from afterword.attribution.texts import joined_texts, string_array, text_of_strings
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
PLAIN_COLUMNS = ("conversion_id", "exposure_id", "event_id", "user_id", "exposed_at", "converted_at", "occurred_at")
"""Columns whose values hardly repeat: a dictionary would only cost time."""
WORDS = ("campaign_id", "conversion_event", "variant_id", "channel", "step_id", "definition_version", "currency")
"""Columns of few words."""
WORD = pa.dictionary(pa.int32(), pa.string())


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
    kept = pa.schema([(name, WORD if name in WORDS else schema.field(name).type) for name in schema.names])
    # Without Arrow's own schema in the file its words are plain texts to every reader.
    with pq.ParquetWriter(
        path, kept, compression=COMPRESSION, use_dictionary=dictionary, store_schema=False, max_rows_per_page=GROUP_ROWS
    ) as writer:
        waiting: list[pa.Table] = []
        rows = 0
        for group in _ahead(groups):
            waiting.append(group)
            rows += group.num_rows
            if rows >= GROUP_ROWS:
                writer.write_table(pa.concat_tables(waiting), row_group_size=GROUP_ROWS)
                waiting, rows = [], 0
        if waiting:
            writer.write_table(pa.concat_tables(waiting), row_group_size=GROUP_ROWS)


def _ahead(groups: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Yield groups, each made while the one before is written."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, groups, None)
        while (group := coming.result()) is not None:
            coming = pool.submit(next, groups, None)
            yield group


class _Words:
    """Names of few different values: columns of them are numbers, as Parquet writes them too."""

    def __init__(self, names: Iterable[str]) -> None:
        listed = list(dict.fromkeys(names))
        self._number = {name: number for number, name in enumerate(listed)}
        self._names = string_array(text_of_strings(listed))

    def column(self, numbers: NDArray[Any]) -> pa.Array:
        """Return a column of names given by number; a negative number is no name."""
        present = numbers >= 0
        bits = None if present.all() else pa.py_buffer(np.packbits(present, bitorder="little"))
        buffers = [bits, pa.py_buffer(np.ascontiguousarray(numbers, np.int32))]
        indices = pa.Array.from_buffers(pa.int32(), len(numbers), buffers)
        return pa.DictionaryArray.from_arrays(indices, self._names)

    def repeated(self, name: str, size: int) -> pa.Array:
        """Return a column of one name."""
        return self.column(np.full(size, self._number[name], np.int32))

    def translated(self, names: Sequence[str], numbers: NDArray[Any]) -> pa.Array:
        """Return a column of names given by their numbers in a list; a negative number is no name."""
        table = np.array([*(self._number.get(name, -1) for name in names), -1], np.int32)
        return self.column(table[numbers])


class _Writer:
    """Turns derived rows into the columns of the files."""

    def __init__(self, rows: ResultRows, definitions: Definitions, versions: Sequence[str], as_of: int) -> None:
        self._rows = rows
        self._campaigns = definitions.campaigns
        self._versions = versions
        self._as_of = as_of
        campaigns = definitions.campaigns
        self._ids = _Words(campaign.id for campaign in campaigns)
        self._letters = _Words(LETTER_NAMES)
        self._variants = _Words(variant.id for campaign in campaigns for variant in campaign.variants)
        self._steps = _Words(step.id for campaign in campaigns for step in campaign.steps)
        self._channels = _Words(channel.value for channel in Channel)
        self._definitions = _Words(versions)
        self._currencies = _Words(rows.currencies[number] for number in _used(rows.credited, "currency"))

    def conversions(self) -> Iterator[pa.Table]:
        """Yield the conversions of each campaign and conversion event."""
        runs = self._rows.conversions
        for key in range(len(self._campaigns) * LETTERS):
            size = int(runs.rows[key])
            if not size:
                continue
            campaign, letter = self._campaigns[key // LETTERS], LETTER_NAMES[key % LETTERS]
            exposure_id, event_id = runs.text(key, "exposure_id"), runs.text(key, "event_id")
            names = joined_texts(f"{campaign.id}/{letter}/", exposure_id, "/", event_id)
            columns = {
                "conversion_id": string_array(names),
                "conversion_event": self._letters.repeated(letter, size),
                "exposure_id": string_array(exposure_id),
                "step_id": self._steps.translated([step.id for step in campaign.steps], runs.column(key, "step")),
                "exposed_at": _time(runs.column(key, "exposed_at")),
                "converted_at": _time(runs.column(key, "converted_at")),
                "event_id": string_array(event_id),
                "after_open": _boolean(runs.column(key, "after_open")),
                "after_click": _boolean(runs.column(key, "after_click")),
                "definition_version": self._definitions.repeated(self._versions[key // LETTERS], size),
                "as_of": _time(np.full(size, self._as_of, np.int64)),
            } | self._shared(runs, key, campaign)
            yield pa.table({name: columns[name] for name in CONVERSIONS.names})

    def credited(self) -> Iterator[pa.Table]:
        """Yield the credited purchases of each campaign."""
        runs = self._rows.credited
        for key, campaign in enumerate(self._campaigns):
            if not int(runs.rows[key]):
                continue
            columns = {
                "exposure_id": string_array(runs.text(key, "exposure_id")),
                "event_id": string_array(runs.text(key, "event_id")),
                "occurred_at": _time(runs.column(key, "occurred_at")),
                "amount": _amount(runs.column(key, "amount")),
                "currency": self._currencies.translated(self._rows.currencies, runs.column(key, "currency")),
                "refunded": _amount(runs.column(key, "refunded")),
            } | self._shared(runs, key, campaign)
            yield pa.table({name: columns[name] for name in CREDITED.names})

    def _shared(self, runs: Runs, key: int, campaign: Campaign) -> dict[str, pa.Array]:
        variants = [variant.id for variant in campaign.variants]
        channels = [channel.value for channel in Channel]
        return {
            "campaign_id": self._ids.repeated(campaign.id, int(runs.rows[key])),
            # All ids together may need wide offsets, those of one group do not.
            "user_id": self._rows.users.take(_numbers(pa.int32(), runs.column(key, "user"))).cast(pa.string()),
            "variant_id": self._variants.translated(variants, runs.column(key, "variant")),
            "channel": self._channels.translated(channels, runs.column(key, "channel")),
        }


def _used(runs: Runs, name: str) -> list[int]:
    """Return the different numbers in a column."""
    found = [np.unique(runs.column(key, name)) for key in np.flatnonzero(runs.rows).tolist()]
    return np.unique(np.concatenate(found)).tolist() if found else []


def _numbers(kind: pa.DataType, values: NDArray[Any]) -> pa.Array:
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(np.ascontiguousarray(values))])


def _time(microseconds: NDArray[Any]) -> pa.Array:
    return _numbers(TIME, microseconds)


def _boolean(values: NDArray[Any]) -> pa.Array:
    bits = pa.py_buffer(np.packbits(values.astype(bool), bitorder="little"))
    return pa.Array.from_buffers(pa.bool_(), len(values), [None, bits])


def _amount(millionths: NDArray[Any]) -> pa.Array:
    """Return decimals of six places; DuckDB's and Arrow's decimals are 128-bit integers with a scale."""
    wide = np.empty((len(millionths), 2), np.int64)
    wide[:, 0] = millionths
    wide[:, 1] = millionths >> 63
    return pa.Array.from_buffers(AMOUNT, len(millionths), [None, pa.py_buffer(wide)])


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
        # Arrow puts words of its own around the system's.
        why = os.strerror(error.errno) if error.errno else str(error)
        raise UserError(f"cannot write results to {target}: {why}; nothing was changed") from error
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
