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
from afterword.attribution.runs import Runs
from afterword.attribution.tables import ResultRows, stacked_text
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
        for group in groups:
            table = pa.table([group[name] for name in written.names], schema=written)
            writer.write_table(table, row_group_size=GROUP_ROWS)


def _groups(runs: Runs) -> Iterator[_Group]:
    """Cut the keys that have rows into groups that fill a row group each; few large arrays are cheaper than many."""
    keys: list[int] = []
    rows = 0
    for key in np.flatnonzero(runs.rows).tolist():
        keys.append(key)
        rows += int(runs.rows[key])
        if rows >= GROUP_ROWS:
            yield _Group(runs, keys)
            keys, rows = [], 0
    if keys:
        yield _Group(runs, keys)


class _Group:
    """Rows of some keys."""

    def __init__(self, runs: Runs, keys: list[int]) -> None:
        self._runs = runs
        self.keys = np.array(keys)
        self._sizes = runs.rows[self.keys]

    def numbers(self, name: str) -> Any:
        """Return a column."""
        return np.concatenate([self._runs.column(key, name) for key in self.keys])

    def text(self, name: str) -> pa.Array:
        """Return a column of strings."""
        text = stacked_text([self._runs.text(key, name) for key in self.keys])
        return pa.Array.from_buffers(
            pa.string(),
            len(text.offsets) - 1,
            [None, pa.py_buffer(text.offsets.astype(np.int32)), pa.py_buffer(text.data)],
        )

    def by_key(self, values: Any) -> Any:
        """Return what each row has from its key."""
        return np.repeat(values, self._sizes)

    def users(self, rows: ResultRows) -> pa.Array:
        """Return the ids of the users."""
        return rows.users.take(pa.array(self.numbers("user")))


def _conversions(
    rows: ResultRows, campaigns: Sequence[Campaign], versions: Sequence[str], as_of: int
) -> Iterator[dict[str, pa.Array]]:
    """Yield the columns of the conversions of each campaign and conversion event."""
    names = _CampaignNames(campaigns)
    letters, versioned = _Names([LETTER_NAMES]), _Names([versions])
    steps = _Names([[step.id for step in campaign.steps] for campaign in campaigns])
    prefixes = pa.array([f"{campaign.id}/{letter}/" for campaign in campaigns for letter in LETTER_NAMES], pa.string())
    for group in _groups(rows.conversions):
        exposure_id, event_id = group.text("exposure_id"), group.text("event_id")
        campaign = group.by_key(group.keys // LETTERS)
        exposed_at = group.numbers("exposed_at")
        yield names.columns(group, campaign) | {
            # A conversion is named by what makes it one: campaign, letter, exposure and event.
            "conversion_id": pc.binary_join_element_wise(
                prefixes.take(pa.array(group.by_key(group.keys))), exposure_id, pa.scalar("/"), event_id, ""
            ),
            "conversion_event": letters.column(0, group.by_key(group.keys % LETTERS)),
            "exposure_id": exposure_id,
            "user_id": group.users(rows),
            "step_id": steps.column(campaign, group.numbers("step")),
            "exposed_at": _time(exposed_at),
            "converted_at": _time(group.numbers("converted_at")),
            "event_id": event_id,
            "after_open": pa.array(group.numbers("after_open").astype(bool)),
            "after_click": pa.array(group.numbers("after_click").astype(bool)),
            "definition_version": versioned.column(0, campaign),
            "as_of": _time(np.full(len(exposed_at), as_of, np.int64)),
        }


def _credited(rows: ResultRows, campaigns: Sequence[Campaign]) -> Iterator[dict[str, pa.Array]]:
    """Yield the columns of the credited purchases of each campaign."""
    names = _CampaignNames(campaigns)
    currencies = _Names([_used(rows)])
    for group in _groups(rows.credited):
        yield names.columns(group, group.by_key(group.keys)) | {
            "exposure_id": group.text("exposure_id"),
            "user_id": group.users(rows),
            "event_id": group.text("event_id"),
            "occurred_at": _time(group.numbers("occurred_at")),
            "amount": _amount(group.numbers("amount")),
            "currency": currencies.column(0, group.numbers("currency")),
            "refunded": _amount(group.numbers("refunded")),
        }


def _used(rows: ResultRows) -> list[str | None]:
    """Return the currencies by number, and None for numbers that are versions of apps, of which there may be many."""
    used = np.zeros(len(rows.currencies), np.bool_)
    for key in np.flatnonzero(rows.credited.rows).tolist():
        used[rows.credited.column(key, "currency")] = True
    return [name if here else None for name, here in zip(rows.currencies, used.tolist(), strict=True)]


class _Names:
    """A column of names: one dictionary for the whole file, and lists of names that numbers count in."""

    def __init__(self, lists: Sequence[Sequence[str | None]]) -> None:
        distinct = dict.fromkeys(name for names in lists for name in names if name is not None)
        place: dict[str | None, int] = {name: number for number, name in enumerate(distinct)}
        self._dictionary = pa.array(list(distinct), pa.string())
        # The number -1 stands for no name: it finds the last entry of a list.
        self._places = np.full((len(lists), 1 + max(map(len, lists), default=0)), -1, np.int32)
        for row, names in zip(self._places, lists, strict=True):
            row[: len(names)] = [place.get(name, -1) for name in names]

    def column(self, lists: Any, numbers: Any) -> pa.Array:
        """Return names by list (one, or one per row) and number."""
        places = self._places[lists, numbers]
        missing = places < 0
        indices = pa.array(places, mask=missing if missing.any() else None)
        return pa.DictionaryArray.from_arrays(indices, self._dictionary)


class _CampaignNames:
    """The names that both files have: of campaigns, variants and channels."""

    def __init__(self, campaigns: Sequence[Campaign]) -> None:
        self._campaigns = _Names([[campaign.id for campaign in campaigns]])
        self._variants = _Names([[variant.id for variant in campaign.variants] for campaign in campaigns])
        self._channels = _Names([[channel.value for channel in Channel]])

    def columns(self, group: _Group, campaign: Any) -> dict[str, pa.Array]:
        """Return the three columns of a group."""
        return {
            "campaign_id": self._campaigns.column(0, campaign),
            "variant_id": self._variants.column(campaign, group.numbers("variant")),
            "channel": self._channels.column(0, group.numbers("channel")),
        }


def _time(microseconds: Any) -> pa.Array:
    return pa.array(microseconds, pa.int64()).view(TIME)


def _amount(millionths: Any) -> pa.Array:
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
