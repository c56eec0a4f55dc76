"""Where derived rows go: to the rows of the result files in their order, and to a receiver."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa

from afterword.attribution.compiled import I32
from afterword.attribution.derive import LETTERS, Derived, Named
from afterword.attribution.gather import Limits
from afterword.attribution.runs import Runs, Text
from afterword.attribution.stored import Receiver, stacked

CURRENCIES = """
CREATE OR REPLACE TEMP TABLE currencies AS
SELECT unnest(range(len($codes)))::INTEGER AS currency, unnest($codes::VARCHAR[]) AS code
"""
FLUSH_ROWS = 1 << 20

CONVERSION_FILE: dict[str, type[np.generic]] = {
    "user": np.int32, "variant": np.int8, "channel": np.int8, "step": np.int32, "exposed_at": np.int64,
    "converted_at": np.int64, "after_open": np.uint8, "after_click": np.uint8,
}  # fmt: skip
CREDITED_FILE: dict[str, type[np.generic]] = {
    "user": np.int32, "variant": np.int8, "channel": np.int8, "occurred_at": np.int64, "amount": np.int64,
    "refunded": np.int64, "currency": np.int32,
}  # fmt: skip


@dataclass(frozen=True)
class ResultRows:
    """Rows of the result files by key, each key's in order of user, channel, exposure."""

    conversions: Runs
    """Key: campaign * 4 + letter."""
    credited: Runs
    """Key: campaign."""
    users: pa.Array
    """The user ids, by user."""
    currencies: list[str]

    def close(self) -> None:
        """Free the rows and their temporary files."""
        self.conversions.close()
        self.credited.close()


class Tables:
    """Receives derived rows, part after part in order of users."""

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        campaigns: int,
        users: pa.Array,
        currencies: list[str],
        limits: Limits,
        receiver: Receiver,
        as_of: int,
    ) -> None:
        self._receiver = receiver
        # Labels number the versions too; what is no currency is never asked for.
        con.execute(CURRENCIES, {"codes": currencies})
        receiver.begin(con, as_of)
        budget = limits.budget // 4
        self.results = ResultRows(
            Runs(max(1, campaigns) * LETTERS, CONVERSION_FILE, budget, limits.directory),
            Runs(max(1, campaigns), CREDITED_FILE, budget, limits.directory),
            users,
            currencies,
        )
        self._waiting: list[tuple[Named, Named]] = []
        self._rows = 0

    def add(self, derived: Derived) -> None:
        """Take the rows of the next part."""
        self._receiver.add(derived)
        self._waiting.append((derived.conversions, derived.credited))
        self._rows += len(derived.conversions.rows["user"]) + len(derived.credited.rows["user"])
        if self._rows >= FLUSH_ROWS:
            self.flush()

    def end(self) -> None:
        """Take note that there are no more parts."""
        self.flush()
        self._receiver.end()

    def flush(self) -> None:
        """Keep what is waiting by key."""
        if not self._waiting:
            return
        conversions = _stacked_named([found for found, _ in self._waiting], ("campaign", "letter", *CONVERSION_FILE))
        credited = _stacked_named([found for _, found in self._waiting], ("campaign", *CREDITED_FILE))
        key = conversions.rows["campaign"] * np.int32(LETTERS) + conversions.rows["letter"]
        _keep(self.results.conversions, key.astype(np.int32), conversions, CONVERSION_FILE)
        _keep(self.results.credited, credited.rows["campaign"], credited, CREDITED_FILE)
        self._waiting = []
        self._rows = 0


def _keep(runs: Runs, key: I32, named: Named, types: dict[str, type[np.generic]]) -> None:
    columns = {name: named.rows[name] for name in types}
    runs.append(key, columns, {"exposure_id": named.exposure_id, "event_id": named.event_id})


def _stacked_named(parts: list[Named], names: Sequence[str]) -> Named:
    return Named(
        stacked([{name: part.rows[name] for name in names} for part in parts]),
        stacked_text([part.exposure_id for part in parts]),
        stacked_text([part.event_id for part in parts]),
    )


def stacked_text(parts: list[Text]) -> Text:
    """Return the strings of all parts, one after the other."""
    ends = np.cumsum([0, *(len(part.data) for part in parts)])
    offsets = [part.offsets[:-1] + end for part, end in zip(parts, ends, strict=False)]
    return Text(np.concatenate([*offsets, ends[-1:]]), np.concatenate([part.data for part in parts]))
