"""Who is kept out of all messages: drawn by a hash of the holdout's own salt, before any campaign assigns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from afterword.selection.assignment import numbers
from afterword.store.bucket_tables import BUCKETS
from afterword.store.holdouts import Holdout
from afterword.store.sql import literal

HOLDOUT = "holdout:"
"""What the hash is for; see `assignment`."""


def held_out(holdouts: Sequence[Holdout], users: Sequence[str], at: int) -> list[str | None]:
    """Return for each user the first of the holdouts in force at `at` that holds it out, None if none does."""
    found: list[str | None] = [None] * len(users)
    for holdout in holdouts:
        if holdout.holds(at):
            drawn = numbers(holdout.salt, HOLDOUT, users) % np.uint64(BUCKETS) < holdout.share
            for place in np.flatnonzero(drawn).tolist():
                found[place] = found[place] or holdout.name
    return found


def drawn_sql(holdout: Holdout, column: str) -> str:
    """Return the SQL condition under which a holdout's hash draws the user in a column; the same as `held_out`."""
    number = f"('0x' || left(sha256({literal(holdout.salt + HOLDOUT)} || {column}), 16))::UBIGINT"
    return f"({number} % {BUCKETS} < {holdout.share})"
