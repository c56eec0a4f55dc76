"""Mathematics on counts and sums; nothing here ever sees a row.

- `rates`: shares of recipients who converted: intervals, differences, lift, confidence
- `delays`: how long conversions take: at risk and converted by age since exposure
- `sequential`: always-valid intervals, lifts and p values of differences: right at every look
- `split`: whether chance alone split the users, day by day and by outcome
- `forecast`: what open windows will still bring; Kaplan-Meier
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
