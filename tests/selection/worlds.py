"""Short ways to say experiments: arms by their persons come of age and how many of them converted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from afterword.model import LETTERS, AnalysisPlan
from afterword.selection.experiment import Arm, Experiment, Metric
from afterword.stats.rates import Counts
from afterword.stats.sums import Sums

DAY = 86_400
TODAY = 20_000
A = Metric("A", 3 * DAY)
REVENUE = Metric("revenue", 3 * DAY)


def arm(
    name: str,
    n: int = 0,
    converted: int = 0,
    *,
    waiting: int = 0,
    over_days: int = 10,
    ago: int = 0,
    letters: Mapping[str, int] | None = None,
    guards: Mapping[str, int] | None = None,
) -> Arm:
    """An arm of `n` persons who came of age evenly over the last days (or some ago), and some who are still waiting.

    `letters` are conversions on B to D, `guards` such as unsubscribes. The arm called control is control.
    """
    counts = {"A": converted, **(letters or {}), **(guards or {})}
    days = {metric: spread(n, total, over_days, ago) for metric, total in counts.items()}
    entered = [(day - 3, sums.n) for day, sums in days["A"]] + ([(TODAY - 1, waiting)] if waiting else [])
    so_far = {letter: Counts(n + waiting, total) for letter, total in counts.items() if letter in LETTERS}
    return Arm(name, name, name == "control", 0.0, n + waiting, n + waiting, days, entered, so_far=so_far)


def spread(n: int, converted: int, over_days: int, ago: int) -> Sequence[tuple[int, Sums]]:
    """Persons and conversions as evenly over days as whole numbers allow."""
    days = []
    for day in range(over_days):
        persons = n * (day + 1) // over_days - n * day // over_days
        of_them = converted * (day + 1) // over_days - converted * day // over_days
        if persons:
            days.append((TODAY - ago - over_days + 1 + day, Sums.of_counts(Counts(persons, of_them))))
    return days


def experiment(
    *arms: Arm, plan: AnalysisPlan | None = None, letters: str = "A", redefined: bool = False, several: int = 0
) -> Experiment:
    """An experiment of these arms, whose shares are as their numbers of persons."""
    metrics = tuple(Metric(letter, 3 * DAY) for letter in letters)
    persons = sum(one.persons for one in arms)
    planned = tuple(replace(one, share=one.persons / persons if persons else 1 / len(arms)) for one in arms)
    return Experiment(
        "test",
        "campaign",
        plan or AnalysisPlan(),
        (*metrics, REVENUE),
        planned,
        TODAY,
        persons,
        several,
        redefined,
    )
