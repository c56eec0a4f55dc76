"""How many items a request brought."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from afterword.intake.accepted import Accepted

_KINDS = ("events", "exposures", "step_messages", "attributes", "merges", "deletions")


class Counts(NamedTuple):
    """How many items of a request were taken, by kind, and how many were not, by reason."""

    accepted: Sequence[tuple[str, int]]
    rejected: Sequence[tuple[str, int]]


def counts_of(accepted: Accepted) -> Counts:
    """Count the items of a request."""
    found = Counter({kind: count for kind in _KINDS if (count := len(getattr(accepted, kind)))})
    for usual in (accepted.usual_events, accepted.usual_purchases):
        if usual is not None:
            found["events"] += len(usual.objects)
    rejected = Counter(one.reason.value for one in accepted.rejected) if accepted.rejected else {}
    return Counts(tuple(found.items()), tuple(rejected.items()))
