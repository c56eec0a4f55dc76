"""Counting rows that look alike: SQL's `GROUP BY` for rows that come by in memory.

A hash table in compiled code, which takes as much memory as there are cells that differ, however many rows there are.
A key is one integer of at most 63 bits into which the caller packs columns: a cell then takes 16 bytes and most tables
stay in the processor's cache, which is what the time depends on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from afterword.attribution.compiled import I32, I64, Int, compiled_without_allocation, inlinable

N = 1
"""The place of the count in a cell, after the key; an empty cell has count 0."""
FEW_CELLS = 1 << 12


class Cells(NamedTuple):
    """The hash table: (capacity, 2 or more) key, count, and what else is kept of a cell; how many cells are in use."""

    table: I64
    used: I64

    def filled(self) -> I64:
        """The cells in use: keys, counts and the rest, as the rows of an array."""
        return self.table[self.table[:, N] > 0].T


def new_cells(extra: int = 0, capacity: int = FEW_CELLS) -> Cells:
    """No cells; `extra` numbers are kept of each besides its count."""
    return Cells(np.zeros((capacity, N + 1 + extra), np.int64), np.zeros(1, np.int64))


@inlinable
def is_full(cells: Cells) -> bool:
    """Half full, that is, so that a key is found almost at once."""
    return bool(2 * cells.used[0] >= cells.table.shape[0])


@inlinable
def cell_of(cells: Cells, key: Int) -> Int:
    """The place of a key's cell, which is made if there is none; the caller adds to its count."""
    table = cells.table
    last = table.shape[0] - 1
    mixed = key * 0x2545F4914F6CDD1D
    at = (mixed ^ (mixed >> 32)) & last
    while table[at, N]:
        if table[at, 0] == key:
            return at
        at = (at + 1) & last
    table[at, 0] = key
    cells.used[0] += 1
    return at


@compiled_without_allocation
def _move(cells: Cells, into: Cells) -> None:
    for row in range(cells.table.shape[0]):
        if cells.table[row, N]:
            at = cell_of(into, cells.table[row, 0])
            for place in range(N, cells.table.shape[1]):  # copying the slice would take a second to compile
                into.table[at, place] = cells.table[row, place]


def _grown(cells: Cells) -> Cells:
    capacity, width = cells.table.shape
    larger = new_cells(width - N - 1, 2 * capacity)
    _move(cells, larger)
    return larger


@compiled_without_allocation
def _count(row: int, cells: Cells, keys: I64) -> int:
    for one in range(row, keys.shape[0]):
        if is_full(cells):
            return one
        if keys[one] >= 0:
            cells.table[cell_of(cells, keys[one]), N] += 1
    return -1


@compiled_without_allocation
def _count_users(row: int, cells: Cells, keys: I64, users: I32) -> int:
    for one in range(row, keys.shape[0]):
        if is_full(cells):
            return one
        at = cell_of(cells, keys[one])
        if cells.table[at, N + 1] != users[one] + 1:
            cells.table[at, N + 1] = users[one] + 1
            cells.table[at, N] += 1
    return -1


@compiled_without_allocation
def _add(row: int, cells: Cells, keys: I64, values: I64) -> int:
    for one in range(row, keys.shape[0]):
        if is_full(cells):
            return one
        at = cell_of(cells, keys[one])
        cells.table[at, N] += 1
        cells.table[at, N + 1] += values[one] >> 32
        cells.table[at, N + 2] += values[one] & 0xFFFFFFFF
    return -1


def filled(cells: Cells, fill: Callable[[int, Cells], int]) -> Cells:
    """Fill in cells from row 0 on: `fill` returns the row at which they were full, -1 at the end."""
    row = fill(0, cells)
    while row >= 0:
        cells = _grown(cells)
        row = fill(row, cells)
    return cells


def count(cells: Cells, keys: I64) -> Cells:
    """Count each key, except negative ones."""
    row = _count(0, cells, keys)
    while row >= 0:
        cells = _grown(cells)
        row = _count(row, cells, keys)
    return cells


def count_users(cells: Cells, keys: I64, users: I32) -> Cells:
    """Count the users of each key, who come in order: a cell needs to know only the last (its one extra number)."""
    row = _count_users(0, cells, keys, users)
    while row >= 0:
        cells = _grown(cells)
        row = _count_users(row, cells, keys, users)
    return cells


def add(cells: Cells, keys: I64, values: I64) -> Cells:
    """Count each key and sum its values: two extra numbers, the upper and lower halves, neither of which overflows."""
    row = _add(0, cells, keys, values)
    while row >= 0:
        cells = _grown(cells)
        row = _add(row, cells, keys, values)
    return cells
