"""Which ids are in the store already: sorted runs of 64-bit hashes in memory (decision 0022)."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Keys: TypeAlias = NDArray[np.uint64]


class KnownKeys:
    """A growing set of hashes, 8 bytes each.

    Runs at least double in size from one to the one before, so that there are few of them and each key
    is moved few times. Merging two sorted runs is what numpy's stable sort (timsort) does in one pass.
    """

    def __init__(self, keys: Keys | None = None, *, whole: bool = True) -> None:
        """Take over keys in any order; they are sorted in place.

        Args:
            keys: none if None.
            whole: whether they are all; otherwise ids that the loader generated are not among them.

        """
        self.whole = whole
        self._runs: list[Keys] = []
        if keys is not None and keys.size:
            keys.sort()
            self._runs.append(keys)

    def __len__(self) -> int:
        return sum(run.size for run in self._runs)

    def among(self, keys: Keys) -> NDArray[np.bool_]:
        """Return for each of the keys, which must be sorted, whether it is in the set."""
        found = np.zeros(keys.size, dtype=np.bool_)
        for run in self._runs:
            place = np.searchsorted(run, keys)
            place[place == run.size] = 0
            found |= run[place] == keys
        return found

    def add(self, keys: Keys) -> None:
        """Add keys, which must be sorted; some may be there already."""
        if not keys.size:
            return
        self._runs.append(keys)
        while len(self._runs) > 1 and self._runs[-2].size < 2 * self._runs[-1].size:
            merged = np.concatenate([self._runs.pop(-2), self._runs.pop()])
            merged.sort(kind="stable")
            self._runs.append(merged)


class Look(NamedTuple):
    """The keys of a batch, each kind sorted and without doubles."""

    new: Keys
    known: Keys
    double: Keys
    """What the batch has more than once, known or not."""


def suspicious(keys: Keys, known: KnownKeys) -> Look:
    """Tell which keys of a batch need a closer look; sorts the keys in place."""
    keys.sort()
    there = known.among(keys)
    first = np.ones(keys.size, dtype=np.bool_)
    first[1:] = keys[1:] != keys[:-1]
    return Look(keys[first & ~there], keys[first & there], np.unique(keys[~first]))
