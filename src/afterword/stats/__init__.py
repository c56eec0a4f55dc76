"""Mathematics on counts and sums; nothing here ever sees a row.

- `rates`: shares of recipients who converted: intervals, differences, lift, confidence
- `sums`: what means, ratios and adjustment need to know of many persons
- `means`: means and ratios over persons, and what differs between two arms
- `adjusted`: the same, adjusted by what persons did before
- `multiple`: several variants and conversion events at once
- `planning`: how many persons and days a question takes; `best`: the chance to be shown better than several others
- `bayes`: probability to be best, expected loss
- `delays`: how long conversions take: at risk and converted by age since exposure
- `sequential`: always-valid intervals, lifts and p values of differences: right at every look
- `split`: whether chance alone split the users, day by day and by outcome
- `forecast`: what open windows will still bring; Kaplan-Meier
- `times`: quantiles of time to convert, while windows are open
"""

from afterword.stats.delays import Delays
from afterword.stats.rates import (
    Comparison,
    Counts,
    Interval,
    compare,
    confidence,
    difference,
    lift,
    newcombe,
    rate,
    wilson,
)

__all__ = [
    "Comparison",
    "Counts",
    "Delays",
    "Interval",
    "compare",
    "confidence",
    "difference",
    "lift",
    "newcombe",
    "rate",
    "wilson",
]
