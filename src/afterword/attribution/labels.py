"""Words of few different values as small integers: currencies, versions, pairs of versions, channels.

Events come with hashes of these words (`facts`). A label is numbered when its hash is first met; what the
words are is asked of the database when all events have been read.
"""

from __future__ import annotations

import duckdb
import numpy as np

from afterword.attribution.compiled import I8, I32, U8, U64, Int, compiled, inlinable
from afterword.attribution.facts import Source
from afterword.attribution.texts import numbers_of
from afterword.model import Channel, EventKind

FIRST_PLACES = 1024
NO_LABEL = np.uint64(0)
NONE, CURRENCY, VERSION, STATED, CHANNEL = range(5)
"""What a label can be; by kind of event: currency of a purchase, version of a session, both versions of a stated
upgrade, channel of an open or click."""
WHAT: U8 = np.zeros(16, np.uint8)
WHAT[EventKind.PURCHASE] = CURRENCY
WHAT[EventKind.SESSION] = VERSION
WHAT[EventKind.UPGRADE] = STATED
WHAT[EventKind.MESSAGE_OPEN] = CHANNEL
WHAT[EventKind.MESSAGE_CLICK] = CHANNEL
_M = np.uint64(0xFF51AFD7ED558CCD)

_ASKED = {
    CURRENCY: ("currency", "'' AS before", "currency"),
    VERSION: ("app_version", "'' AS before", "app_version"),
    STATED: ("app_version", "from_version AS before", "app_version, from_version"),
}


@inlinable
def _key(what: Int, word: Int, before: Int) -> Int:
    """Return the hash of a label, never 0."""
    h = (word ^ (np.uint64(what) << np.uint64(60))) * _M
    if what == STATED:
        h = (h ^ (h >> np.uint64(32)) ^ before) * _M
    return (h ^ (h >> np.uint64(29))) | np.uint64(1)


@compiled
def label_keys(
    kind: U8, currency: U64, version: U64, stated: U64, channel: I8, missing: int, versions_matter: bool, what_of: U8
) -> U64:
    """Return the hash of each event's label, 0 where it has none; `missing` is the hash of a missing word."""
    out = np.zeros(kind.shape[0], np.uint64)
    absent = np.uint64(missing)
    for i in range(kind.shape[0]):
        what = what_of[kind[i]]
        if what == CURRENCY:
            if currency[i] != absent:
                out[i] = _key(what, currency[i], np.uint64(0))
        elif what == CHANNEL:
            if channel[i] >= 0:
                out[i] = _key(what, np.uint64(channel[i]), np.uint64(0))
        elif what != NONE and versions_matter and version[i] != absent:
            out[i] = _key(what, version[i], stated[i])
    return out


@compiled
def _keys(what: int, word: U64, before: U64) -> U64:
    out = np.empty(word.shape[0], np.uint64)
    for i in range(word.shape[0]):
        out[i] = _key(what, word[i], before[i])
    return out


@compiled
def _encode(keys: U64, slots: U64, codes: I32, count: int, start: int, out: I32) -> tuple[int, int]:
    """Number the keys from `start` on; stop where the table is half full. Return (next, how many numbers)."""
    mask = np.uint64(slots.shape[0] - 1)
    for i in range(start, keys.shape[0]):
        key = keys[i]
        if key == NO_LABEL:
            out[i] = -1
            continue
        place = (key >> np.uint64(1)) & mask
        while slots[place] != NO_LABEL and slots[place] != key:
            place = (place + np.uint64(1)) & mask
        if slots[place] == NO_LABEL:
            if 2 * count >= slots.shape[0]:
                return i, count
            slots[place] = key
            codes[place] = count
            count += 1
        out[i] = codes[place]
    return keys.shape[0], count


class Labels:
    """Numbers labels by their hashes; -1 is a missing one."""

    def __init__(self) -> None:
        self.names: list[str] = []
        """What each label says; both versions of a stated upgrade with chr(31) between. Known after `resolve`."""
        self.what: list[int] = []
        self._slots: U64 = np.zeros(FIRST_PLACES, np.uint64)
        self._codes: I32 = np.zeros(FIRST_PLACES, np.int32)
        self._count = 0

    def encode(self, keys: U64) -> I32:
        """Return the numbers of labels given by hash."""
        out: I32 = np.empty(len(keys), np.int32)
        start = 0
        while True:
            start, self._count = _encode(keys, self._slots, self._codes, self._count, start, out)
            if start == len(keys):
                return out
            self._grow()

    def _grow(self) -> None:
        known, codes = self._slots[self._slots != NO_LABEL], self._codes[self._slots != NO_LABEL]
        self._slots = np.zeros(2 * len(self._slots), np.uint64)
        self._codes = np.zeros(len(self._slots), np.int32)
        ordered = known[np.argsort(codes)]
        _encode(ordered, self._slots, self._codes, 0, 0, np.empty(len(ordered), np.int32))

    def resolve(self, con: duckdb.DuckDBPyConnection, source: Source) -> None:
        """Ask for the words behind the numbers."""
        used = self._slots != NO_LABEL
        known = dict(zip(self._slots[used].tolist(), self._codes[used].tolist(), strict=True))
        self.names, self.what = [""] * self._count, [NONE] * self._count
        for what, words, keys in self._words(con, source):
            for word, key in zip(words, keys.tolist(), strict=True):
                if key in known:
                    self.names[known[key]], self.what[known[key]] = word, what

    def currency(self, code: str) -> int:
        """Return the number of a currency, -2 (which is no label, and not the missing one) if there is none."""
        named = zip(self.what, self.names, strict=True)
        return next((number for number, label in enumerate(named) if label == (CURRENCY, code)), -2)

    def _words(self, con: duckdb.DuckDBPyConnection, source: Source) -> list[tuple[int, list[str], U64]]:
        if not self._count:
            return []
        channels: U64 = np.arange(len(Channel), dtype=np.uint64)
        found = [(CHANNEL, [str(int(c)) for c in channels], _keys(CHANNEL, channels, channels))]
        for what, (column, before, group) in _ASKED.items():
            if column not in source.columns or (what == STATED and "from_version" not in source.columns):
                continue
            table = con.sql(
                f"SELECT {column} AS word, {before}, hash({column}) AS word_hash, hash(before) AS before_hash "
                f"FROM ({source.sql}) s WHERE {column} IS NOT NULL GROUP BY {group}"
            ).to_arrow_table()
            words = table.column("word").to_pylist()
            if what == STATED:
                pairs = zip(table.column("before").to_pylist(), words, strict=True)
                words = [f"{from_}{chr(31)}{to}" for from_, to in pairs]
            hashes = [numbers_of(table.column(name).combine_chunks()) for name in ("word_hash", "before_hash")]
            found.append((what, words, _keys(what, *hashes)))
        return found
