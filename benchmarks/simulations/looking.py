"""Looking every day: what the always-valid intervals and verdicts hold, and what ordinary ones do not."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from afterword.stats.adjusted import adjusted_means
from afterword.stats.means import mean, ratio, welch
from afterword.stats.multiple import decided, gatekeeping
from afterword.stats.planning import plan_rates
from afterword.stats.rates import Counts, Interval, p_value
from afterword.stats.sequential import (
    always_valid_p,
    difference_sequence,
    rate_sequence,
    reach,
    weight,
)
from afterword.stats.sums import Sums
from benchmarks.simulations.table import Table, percent, within

Array = np.ndarray[Any, np.dtype[np.float64]]
Look = tuple[Sums, Sums]

DAYS = 30
ALPHA = 0.05
BASKET = 40.0
"""The mean purchase; lognormal, of a spread that is given."""


def coverage_of_rates(runs: int = 2_000, seed: int = 11) -> Table:
    """How often the sequences of rates hold the truth at all of 30 daily looks."""
    rows = []
    for rate in (0.001, 0.01, 0.05, 0.3):
        differences, singles = [], []
        for per_day in (200, 2_000, 20_000):
            for share in (0.5, 0.9):
                for lift in (0.0, 0.3):
                    rng = np.random.default_rng((seed, int(1e6 * rate), per_day, int(100 * share), int(100 * lift)))
                    held = [
                        _holds_rates(looks, rate * lift, rate)
                        for looks in _rates(rng, runs, rate, lift, per_day, share)
                    ]
                    differences.append(sum(both for both, _ in held) / runs)
                    singles.append(sum(one for _, one in held) / runs)
        rows.append((percent(rate, 1), within(differences), within(singles)))
    columns = ("control's rate", "difference", "control's rate alone")
    return Table("Coverage at all of 30 daily looks together, rates", columns, tuple(rows))


def _rates(
    rng: np.random.Generator, runs: int, rate: float, lift: float, per_day: int, share: float
) -> Iterator[list[tuple[Counts, Counts]]]:
    """Cumulative counts of group and control, day by day."""
    sizes = [round(per_day * share), per_day - round(per_day * share)]
    drawn = [
        rng.binomial(n, p, (runs, DAYS)).cumsum(axis=1) for n, p in zip(sizes, (rate * (1 + lift), rate), strict=True)
    ]
    for pair in np.stack(drawn, axis=-1).tolist():
        yield [(Counts(sizes[0] * d, a), Counts(sizes[1] * d, b)) for d, (a, b) in enumerate(pair, start=1)]


def _holds_rates(looks: Sequence[tuple[Counts, Counts]], difference: float, rate: float) -> tuple[bool, bool]:
    both = all(_holds(difference_sequence(Sums.of_counts(g), Sums.of_counts(c)), difference) for g, c in looks)
    return both, all(_holds(rate_sequence(c), rate) for _, c in looks)


def _holds(interval: Interval | None, truth: float) -> bool:
    return interval is None or interval.low <= truth <= interval.high


def coverage_of_means(runs: int = 1_000, seed: int = 12) -> Table:
    """The same of revenue: mostly zeros, the rest lognormal; beside it the paper's formula as it stands."""
    rows = []
    for buyers in (0.02, 0.2):
        for spread in (0.5, 1.0, 1.5):
            ours, plain = [], []
            for share in (0.5, 0.9):
                for lift in (0.0, 0.5):
                    held = [0, 0]
                    rng = np.random.default_rng(
                        (seed, int(100 * buyers), int(10 * spread), int(100 * share), int(10 * lift))
                    )
                    for looks in _revenue(rng, runs, (buyers * (1 + lift), buyers), spread, 2_000, share):
                        truth = BASKET * buyers * lift
                        held[0] += all(_holds(difference_sequence(*look), truth) for look in looks)
                        held[1] += all(_holds(_plain(*look), truth) for look in looks)
                    ours.append(held[0] / runs)
                    plain.append(held[1] / runs)
            rows.append((percent(buyers, 0), f"{spread}", within(ours), within(plain)))
    columns = ("buyers", "spread (sd of the logarithm)", "coverage", "without the larger arm's variance")
    return Table("Coverage at all of 30 daily looks together, revenue per person", columns, tuple(rows))


def _revenue(
    rng: np.random.Generator, runs: int, buyers: tuple[float, float], spread: float, per_day: int, share: float
) -> Iterator[list[Look]]:
    sizes = [round(per_day * share), per_day - round(per_day * share)]
    arms = [_spent(rng, runs, n, p, spread) for n, p in zip(sizes, buyers, strict=True)]
    for run in np.stack(arms, axis=1).tolist():
        yield [(_of(sizes[0] * d, *run[0][d - 1]), _of(sizes[1] * d, *run[1][d - 1])) for d in range(1, DAYS + 1)]


def _spent(rng: np.random.Generator, runs: int, persons: int, buyers: float, spread: float) -> Array:
    """Cumulative sums of y and y squared by run and day."""
    bought = rng.binomial(persons, buyers, (runs, DAYS))
    ends = bought.ravel().cumsum()
    amounts = rng.lognormal(math.log(BASKET) - spread**2 / 2, spread, int(ends[-1]))
    sums = [np.concatenate([[0.0], of.cumsum()]) for of in (amounts, amounts * amounts)]
    starts = np.concatenate([[0], ends[:-1]])
    return np.stack([(of[ends] - of[starts]).reshape(runs, DAYS).cumsum(axis=1) for of in sums], axis=-1)


def _of(persons: int, y: float, yy: float) -> Sums:
    return Sums(persons, y, yy, persons, persons, y)


def _plain(group: Sums, control: Sums) -> Interval | None:
    one, other = mean(group), mean(control)
    if one is None or other is None or one.variance is None or other.variance is None:
        return None
    if min(weight(group), weight(control)) < 5:
        return None
    half = reach(group.n + control.n) * math.sqrt(one.variance + other.variance)
    difference = one.value - other.value
    return Interval(difference - half, difference + half)


def peeking(runs: int = 2_000, seed: int = 13) -> Table:
    """False winners in 30 days without any difference, by verdict."""
    rows = []
    for name, kind in (
        ("rate 0.5 %", "rare"),
        ("rate 5 %", "rate"),
        ("rate 30 %", "often"),
        ("revenue, 5 % buyers", "revenue"),
        ("rate with five exposures a person", "clusters"),
        ("purchases adjusted by earlier ones", "adjusted"),
    ):
        always, last, daily = 0, 0, 0
        for looks in _without_difference(np.random.default_rng((seed, len(kind), ord(kind[0]))), runs, kind):
            adjusted = kind == "adjusted"
            always += any(_at_most(always_valid_p(*look, adjusted=adjusted)) for look in looks)
            ordinary = [_at_most(_ordinary(*look, kind)) for look in looks]
            daily, last = daily + any(ordinary), last + ordinary[-1]
        rows.append((name, percent(always / runs), percent(daily / runs), percent(last / runs)))
    columns = (
        "what is compared",
        "always-valid, every day",
        "ordinary test, every day",
        "ordinary test, last day only",
    )
    return Table(
        "False winners at 5 % in 30 days without a difference, 1,000 persons a day and arm", columns, tuple(rows)
    )


def _at_most(p: float | None, alpha: float = ALPHA) -> bool:
    return p is not None and p <= alpha


def _ordinary(group: Sums, control: Sums, kind: str) -> float | None:
    if kind == "clusters":
        return welch(ratio(group), ratio(control)).p_value
    if kind == "revenue":
        return welch(mean(group), mean(control)).p_value
    if kind == "adjusted":
        both = adjusted_means([group, control])
        return welch(both.estimates[0], both.estimates[1]).p_value if both else None
    return p_value(Counts(group.n, int(group.y)), Counts(control.n, int(control.y)))


def _without_difference(rng: np.random.Generator, runs: int, kind: str) -> Iterator[list[Look]]:
    persons = 1_000
    if kind == "revenue":
        yield from _revenue(rng, runs, (0.05, 0.05), 1.0, 2 * persons, 0.5)
    elif kind in ("rare", "rate", "often"):
        rate = {"rare": 0.005, "rate": 0.05, "often": 0.3}[kind]
        for looks in _rates(rng, runs, rate, 0.0, 2 * persons, 0.5):
            yield [(Sums.of_counts(g), Sums.of_counts(c)) for g, c in looks]
    else:
        for _ in range(runs):
            yield _of_persons(*(_clusters(rng, persons) if kind == "clusters" else _customers(rng, persons)))


def _clusters(rng: np.random.Generator, persons: int) -> tuple[Array, Array, Array]:
    """(y, m, x) of all persons: five exposures each, which resemble each other."""
    y = rng.binomial(5, rng.beta(0.11, 0.99, (2, DAYS, persons))).astype(float)
    return y, np.full_like(y, 5.0), np.zeros_like(y)


def _customers(rng: np.random.Generator, persons: int) -> tuple[Array, Array, Array]:
    """(y, m, x): purchases after and before, both by how good a customer is."""
    customer = rng.gamma(0.5, 2.0, (2, DAYS, persons))
    y, x = rng.poisson(customer).astype(float), rng.poisson(customer).astype(float)
    return y, np.ones_like(y), x


def _of_persons(y: Array, m: Array, x: Array) -> list[Look]:
    n = np.full(y.shape[:2], float(y.shape[2]))
    parts = [of.sum(axis=2) for of in (y, y * y, m, m * m, m * y, x, x * x, x * y, x * m)]
    table = np.stack([n, *parts], axis=-1).cumsum(axis=1).tolist()
    group, control = ([Sums(int(cells[0]), *cells[1:]) for cells in arm] for arm in table)
    return list(zip(group, control, strict=True))


def family(runs: int = 500, seed: int = 14) -> Table:
    """Any false verdict in 30 days: eight variants, four events, always-valid p values and gatekeeping."""
    rows = []
    for real in (0, 1, 4, 8):
        rng, wrong = np.random.default_rng((seed, real)), [0, 0, 0]
        for _ in range(runs):
            valid, ordinary = _smallest(rng, real)
            for index, found in enumerate((valid, ordinary)):
                gates = gatekeeping([of[0] for of in found], [of[1:] for of in found])
                wrong[index] += _false(gates.primary[real:], gates.secondary)
            wrong[2] += _false([of[0] for of in ordinary[real:]], [of[1:] for of in ordinary])
        rows.append((str(real), *(percent(n / runs, 1) for n in wrong)))
    columns = (
        "variants with a real effect on the primary",
        "always-valid, gatekeeping",
        "ordinary test every day, gatekeeping",
        "ordinary test every day, each by itself",
    )
    return Table("Any false verdict at 5 % in 30 days of looking, eight variants and four events", columns, tuple(rows))


def _false(primary: Sequence[float | None], secondary: Sequence[Sequence[float | None]]) -> bool:
    return any(decided(primary, ALPHA)) or any(any(decided(of, ALPHA)) for of in secondary)


VARIANTS, EVENTS = 8, 4


def _smallest(rng: np.random.Generator, real: int) -> tuple[list[list[float | None]], list[list[float | None]]]:
    """The smallest p value in 30 days of each variant and event, always-valid and ordinary.

    500 persons a day and variant, 5 % of whom convert on each event, half of them for a reason that all events share;
    the real ones convert more on the primary.
    """
    persons, half = 500, 1 - math.sqrt(0.95)
    shared = rng.binomial(persons, half, (VARIANTS + 1, DAYS, 1))
    own = np.full((VARIANTS + 1, 1, EVENTS), half)
    own[:real, :, 0] = 0.06
    counts = (shared + rng.binomial(persons - shared, own, (VARIANTS + 1, DAYS, EVENTS))).cumsum(axis=1).tolist()
    control = counts[-1]
    valid: list[list[float | None]] = [[None] * EVENTS for _ in range(VARIANTS)]
    ordinary: list[list[float | None]] = [[1.0] * EVENTS for _ in range(VARIANTS)]
    for variant in range(VARIANTS):
        for event in range(EVENTS):
            for day in range(DAYS):
                n = persons * (day + 1)
                one, other = Counts(n, counts[variant][day][event]), Counts(n, control[day][event])
                so_far = valid[variant][event]
                p = always_valid_p(Sums.of_counts(one), Sums.of_counts(other), smallest_so_far=so_far)
                valid[variant][event] = p
                ordinary[variant][event] = min(ordinary[variant][event] or 0.0, p_value(one, other) or 1.0)
    return valid, ordinary


def later(runs: int = 1_000, seed: int = 15) -> Table:
    """How much later than a test of a planned size the sequence decides, for a true lift as planned and larger."""
    rows = []
    for rate, planned in ((0.05, 0.2), (0.05, 0.1), (0.03, 0.03)):
        size = plan_rates(rate, rate * planned, (0.5, 0.5)).total
        for times in (1.0, 1.5, 2.0):
            rng, at = np.random.default_rng((seed, int(1e4 * planned), int(10 * times))), []
            step = size // 20 // 2
            for _ in range(runs):
                at.append(_decided(rng, step, rate, planned * times) / 20)
            middle, most = np.quantile(at, [0.5, 0.8])
            rows.append(
                (
                    f"{percent(rate, 0)}, lift {100 * planned:.0f} %: {size:,} persons",
                    f"{100 * planned * times:.1f} %",
                    percent(sum(t <= 1 for t in at) / runs, 0),
                    f"{middle:.2f}",
                    f"{most:.2f}" if most < 5 else "over 5",
                )
            )
    columns = (
        "planned for",
        "true lift",
        "decided by the planned size",
        "half are decided at (times the planned size)",
        "80 % at",
    )
    return Table(
        "When the always-valid verdict comes, against a single test planned for 80 % power", columns, tuple(rows)
    )


def _decided(rng: np.random.Generator, step: int, rate: float, lift: float) -> float:
    """At which look of 100 the difference is clear, each with `step` persons more per arm; infinity if at none."""
    group = rng.binomial(step, rate * (1 + lift), 100).cumsum().tolist()
    control = rng.binomial(step, rate, 100).cumsum().tolist()
    for look, (a, b) in enumerate(zip(group, control, strict=True), start=1):
        if _at_most(always_valid_p(Sums.of_counts(Counts(step * look, a)), Sums.of_counts(Counts(step * look, b)))):
            return look
    return math.inf
