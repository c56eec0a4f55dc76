"""Which ids are one person? A naive reading of rule 37."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MergeFact:
    from_user_id: str
    to_user_id: str


def people(merges: Sequence[MergeFact]) -> dict[str, str]:
    """Rule 37: for every merged id the one that stands for the person.

    It is where the merges lead; of several such ends the smallest; where there is no end, the smallest in the
    cycles that nothing leads out of.
    """
    names = {name for merge in merges for name in (merge.from_user_id, merge.to_user_id)}
    return {name: _leader(_linked(name, merges), merges) for name in names}


def _linked(name: str, merges: Sequence[MergeFact]) -> set[str]:
    found = {name}
    while True:
        more = {m.to_user_id for m in merges if m.from_user_id in found}
        more |= {m.from_user_id for m in merges if m.to_user_id in found}
        if more <= found:
            return found
        found |= more


def _reached(name: str, merges: Sequence[MergeFact]) -> set[str]:
    """Whom the merges lead to from `name`, in one step or many."""
    found: set[str] = set()
    while True:
        more = {m.to_user_id for m in merges if m.from_user_id == name or m.from_user_id in found}
        if more <= found:
            return found
        found |= more


def _leader(group: set[str], merges: Sequence[MergeFact]) -> str:
    inside = [merge for merge in merges if merge.from_user_id in group]
    ends = group - {merge.from_user_id for merge in inside}
    if not ends:
        ends = {name for name in group if all(name in _reached(other, inside) for other in _reached(name, inside))}
    return min(ends, key=lambda name: name.encode())
