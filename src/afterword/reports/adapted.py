"""Comparisons with control where Intelligent Selection chooses the shares: day of exposure by day of exposure."""

from __future__ import annotations

from collections.abc import Sequence

from afterword.model import LETTERS, Campaign, Counting
from afterword.reports.persons import PersonDays
from afterword.stats.adapted import EpochSums, adapted_rates
from afterword.stats.rates import Comparison
from afterword.stats.sums import Sums


def adapted_comparison(days: PersonDays | None, campaign: Campaign, variants: Sequence[int], letter: int) -> Comparison:
    """Return the difference between some variants together and control; lift and confidence have no answer.

    Who comes of age on one day was first exposed on one day, when all variants drew from one lottery, so days are
    strata that share epochs fall into. There is no answer without `days`, and where units are not persons, of whom a
    rate would have to be made.
    """
    control = next((place for place, variant in enumerate(campaign.variants) if variant.control), None)
    if days is None or control is None or campaign.counting is not Counting.ONCE_PER_USER:
        return Comparison()
    by_variant = [dict(days.of(variant, LETTERS[letter])) for variant in range(len(campaign.variants))]
    epochs = []
    for day in sorted(set().union(*by_variant)):
        sums = [of.get(day, Sums()) for of in by_variant]
        group = sum((sums[variant] for variant in variants), Sums())
        epochs.append(EpochSums(group, sums[control], sum(one.n for one in sums)))
    found = adapted_rates(epochs)
    return Comparison() if found is None else Comparison(difference=found.difference, interval=found.interval)
