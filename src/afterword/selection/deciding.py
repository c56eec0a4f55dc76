"""One answer for each user: held out, the variant of the first exposure, or what hash and buckets say (rule 30).

Where the shares have changed since the launch, only users in a bucket that has had several variants can have been told
another variant before. Of these, and of nobody else, it must be known whether they were exposed and to what.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from afterword.model import Campaign
from afterword.selection.assignment import buckets_of, codes, split_of
from afterword.selection.holdouts import held_out
from afterword.store.bucket_tables import Buckets
from afterword.store.holdouts import Holdout


class Assigned(NamedTuple):
    """The answer about a user; either a variant or a holdout is named."""

    user_id: str
    variant_id: str | None
    held_out: str | None


@dataclass(frozen=True, slots=True)
class Decision:
    """Answers that may depend on what some users were exposed to before."""

    assigned: tuple[Assigned, ...]
    unsettled: frozenset[str]
    """Users who keep the variant of their first exposure, if they had one."""

    def settled(self, first: Mapping[str, str]) -> tuple[Assigned, ...]:
        """Return the answers, given the variant of the first exposure of those of the unsettled that had one."""
        return tuple(each._replace(variant_id=first.get(each.user_id, each.variant_id)) for each in self.assigned)


def decide(
    campaign: Campaign, buckets: Buckets, holdouts: Sequence[Holdout], users: Sequence[str], at: int
) -> Decision:
    """Assign users at a time (epoch microseconds) while `buckets` stand."""
    split = split_of(campaign, buckets)
    names = held_out(holdouts, users, at)
    chosen = codes(split, users)
    variants = split.variants
    assigned = tuple(
        Assigned(user, None if name else variants[code], name)
        for user, name, code in zip(users, names, chosen.tolist(), strict=True)
    )
    if not any(buckets.moved):
        return Decision(assigned, frozenset())
    messaged = [each.user_id for each in assigned if each.variant_id not in (None, split.control)]
    moved = np.frombuffer(buckets.moved, dtype=np.bool_)[buckets_of(split, messaged)]
    return Decision(assigned, frozenset(user for user, one in zip(messaged, moved.tolist(), strict=True) if one))
