"""Situations of campaigns, made up: who was exposed when, and what they did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from afterword.selection.situation import Candidate, Cohort, Situation

DAY_US = 86_400_000_000
AS_OF = 1_790_000_000_000_000
PIECES = (24.0, 48.0, 72.0)


@dataclass(frozen=True)
class Seen:
    """Users of one variant, of closed windows and of one day whose windows are open, and who converted of them."""

    closed: tuple[int, int]
    open: tuple[int, int] = (0, 0)
    share: int = 4500


def situation(
    variants: Mapping[str, Seen], *, control: int = 1000, settled_on: str | None = None, out: Mapping[str, int] = {}
) -> Situation:
    """A campaign with a deadline of three days; half of the conversions come on the first day, a quarter on each other.

    The open windows are those of the last day: half of the conversions that will come have come at its end.
    """
    cohorts = (
        Cohort("2026-09-01", "2026-09-07", 240.0, 408.0, True),
        Cohort("2026-09-20", "2026-09-20", 23.0, 25.0, False),
    )
    kept = {**({"control": control} if control else {}), **out}
    return Situation(
        "weekly",
        AS_OF,
        3 * 86_400,
        PIECES,
        cohorts,
        tuple(_candidate(name, seen) for name, seen in variants.items()),
        tuple(kept.items()),
        settled_on,
    )


def _candidate(name: str, seen: Seen) -> Candidate:
    (n, converted), (young, early) = seen.closed, seen.open
    came = (converted // 2 + early, converted // 4, converted - converted // 2 - converted // 4)
    watched, left = [], n
    for piece, happened in enumerate(came):
        here = left + (young if piece == 0 else 0)
        watched.append(24.0 * (here - happened / 2))
        left -= happened - (early if piece == 0 else 0)
    return Candidate(name, seen.share, (n, young), (converted, early), tuple(watched), came)
