"""Repetitions and conflicts of ids (rule 33).

The scan gives a hash of the id and one of the content per row. Rows whose id hashes are equal are
found by a hash table per part of the hash range; what then differs in content is read again and
compared exactly, so a collision of hashes or another spelling of the same content costs time only.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from afterword.attribution.compiled import I32, I64, U8, U64, compiled
from afterword.attribution.facts import DERIVED_BIT, FILE_MASK, FILE_SHIFT, RECORD_MASK
from afterword.attribution.runs import Runs

PARTS = 256
EMPTY_ROWS: I64 = np.empty(0, np.int64)


@compiled
def mix(idhash: U64, kind: U8) -> U64:
    """Return one hash per (kind, id)."""
    out = np.empty(idhash.shape[0], np.uint64)
    for i in range(idhash.shape[0]):
        x = idhash[i] ^ (np.uint64(kind[i]) * np.uint64(0x9E3779B97F4A7C15))
        x ^= x >> np.uint64(29)
        x *= np.uint64(0xBF58476D1CE4E5B9)
        out[i] = x ^ (x >> np.uint64(32))
    return out


@compiled
def _repeated(h: U64) -> tuple[I32, I32]:
    """Return the rows whose hash occurs more than once, and for each the first row of its group."""
    size = 16
    while size < 2 * h.shape[0]:
        size *= 2
    table = np.full(size, -1, np.int32)
    rows = np.empty(h.shape[0], np.int32)
    heads = np.empty(h.shape[0], np.int32)
    in_group = np.zeros(h.shape[0], np.bool_)
    found = 0
    mask = np.uint64(size - 1)
    for i in range(h.shape[0]):
        place = h[i] & mask
        while table[place] >= 0 and h[table[place]] != h[i]:
            place = (place + np.uint64(1)) & mask
        head = table[place]
        if head < 0:
            table[place] = i
            continue
        if not in_group[head]:
            in_group[head] = True
            rows[found] = head
            heads[found] = head
            found += 1
        rows[found] = i
        heads[found] = head
        found += 1
    return rows[:found].copy(), heads[:found].copy()


class RowSet:
    """A set of row numbers, one bit for every record of the files."""

    def __init__(self, rows: I64, records_per_file: I64) -> None:
        """Make the set; `records_per_file` bounds the records of each file."""
        self.count = len(rows)
        self._base = np.zeros(len(records_per_file) + 1, np.int64)
        np.cumsum(records_per_file + 1, out=self._base[1:])
        self._bits = np.zeros(int(self._base[-1]) // 8 + 1, np.uint8)
        _set_bits(self._bits, self._base, rows)

    def without(self, rows: I64) -> I32 | None:
        """Return the positions of the rows that are not in the set, or None where none is."""
        if not self.count:
            return None
        kept = _kept(self._bits, self._base, rows)
        return None if len(kept) == len(rows) else kept


@compiled
def _set_bits(bits: U8, base: I64, rows: I64) -> None:
    for row in rows:
        place = base[(row >> FILE_SHIFT) & FILE_MASK] + (row & RECORD_MASK)
        bits[place >> 3] |= np.uint8(1 << (place & 7))


@compiled
def _kept(bits: U8, base: I64, rows: I64) -> I32:
    kept = np.empty(rows.shape[0], np.int32)
    count = 0
    for i in range(rows.shape[0]):
        row = rows[i]
        place = base[(row >> FILE_SHIFT) & FILE_MASK] + (row & RECORD_MASK)
        if not bits[place >> 3] & np.uint8(1 << (place & 7)):
            kept[count] = i
            count += 1
    return kept[:count]


class Repetitions:
    """Collects (id, content, row) of every fact and says which rows are to be dropped."""

    def __init__(self, budget: int, directory: Path) -> None:
        types = {"h": np.uint64, "content": np.uint64, "row": np.int64}
        self._runs = Runs(PARTS, types, budget, directory)

    def add(self, h: U64, content: U64, row: I64, usable: I32) -> None:
        """Add a batch; `usable` is negative for rows that are no facts (rejected, after as_of)."""
        part = (h >> np.uint64(56)).astype(np.int32)
        part[usable < 0] = -1
        self._runs.append(part, {"h": h, "content": content, "row": row}, {})

    def resolve(self, compare: Callable[[I64], tuple[I64, I64]]) -> tuple[I64, I64]:
        """Return the rows that are repetitions and the rows that are conflicts.

        Args:
            compare: given the rows of ids that seem to come with different content, reads them again
                and returns (repetitions, conflicts) among them.

        """
        repeated: list[I64] = []
        unclear: list[I64] = []
        for part in range(PARTS):
            if self._runs.rows[part] < 2:
                continue
            rows, heads = _repeated(self._runs.column(part, "h"))
            if len(rows):
                content = self._runs.column(part, "content")[rows]
                same, differ = _judge(self._runs.column(part, "row")[rows], heads, content)
                repeated.append(same)
                unclear.append(differ)
        self._runs.close()
        if any(len(rows) for rows in unclear):
            same, conflicts = compare(np.concatenate(unclear))
            repeated.append(same)
        else:
            conflicts = EMPTY_ROWS
        return np.concatenate([EMPTY_ROWS, *repeated]), conflicts


def _judge(row: I64, group: I32, content: U64) -> tuple[I64, I64]:
    """Split groups of equal ids: rows surely repeated, and all rows of groups that need a look."""
    order = np.lexsort((row, group))
    row, group, content = row[order], group[order], content[order]
    starts = np.flatnonzero(np.r_[True, group[1:] != group[:-1]])
    number = np.cumsum(np.r_[True, group[1:] != group[:-1]]) - 1
    derived = (row >> DERIVED_BIT) & 1 == 1
    differs = np.zeros(len(starts), bool)
    np.logical_or.at(differs, number, (content != content[starts][number]) & ~derived)
    first = np.zeros(len(row), bool)
    first[starts] = True
    repeated = row[~first & ~differs[number] & ~derived]
    copies = _surplus_copies(row[derived], number[derived])
    return np.concatenate([repeated, copies]), row[differs[number]]


def _surplus_copies(row: I64, group: I64) -> I64:
    """Of equal facts without id, keep those of the file that has most of them (rule 33)."""
    if not len(row):
        return EMPTY_ROWS
    file = (row >> FILE_SHIFT) & FILE_MASK
    pairs, counts = np.unique(np.stack([group, file]), axis=1, return_counts=True)
    # The first file with most copies wins: later and smaller entries are overwritten by it.
    best: dict[int, tuple[int, int]] = {}
    for (g, f), n in zip(pairs.T.tolist(), counts.tolist(), strict=True):
        if g not in best or n > best[g][1]:
            best[g] = (f, n)
    winner = np.array([best[g][0] for g in group.tolist()], np.int64)
    surplus: I64 = row[file != winner]
    return surplus
