"""The fixed-horizon statistics against known truth: coverage, false positives, family-wise error.

Each function gives one table of docs/statistics.md; `python -m benchmarks.simulations.fixed` prints them all.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from afterword.stats.adjusted import adjusted_means
from afterword.stats.means import Winsorised, mean, ratio, welch
from afterword.stats.multiple import PValues, decided, gatekeeping, holm
from afterword.stats.planning import plan_means, plan_rates
from afterword.stats.rates import Counts, Interval, p_value
from afterword.stats.sums import Sums
from benchmarks.simulations.coverage import Pair, of_lifts, of_single_rates, pairs
from benchmarks.simulations.table import Table, percent, within

Array = np.ndarray[Any, np.dtype[np.float64]]
ALPHA = 0.05


def coverage_of_rates(points: int = 400) -> Table:
    """Exact coverage of the 95 % intervals by how many conversions (or others, if fewer) each arm expects at least."""
    rows = []
    for least, most in ((5, 10), (10, 20), (20, 50), (50, 100), (100, 1_000)):
        cases: list[Pair] = list(pairs(np.geomspace(least, most, 6)[:-1].tolist()))
        lowest, _, highest = of_single_rates(least, most, points)
        rates = [lowest, highest, *(case.rate for case in cases)]
        rows.append(
            (
                f"{least} to {most}",
                within(rates),
                within([case.difference for case in cases]),
                within([case.lift for case in cases]),
            )
        )
    columns = ("expected conversions", "rate (Wilson)", "difference (Newcombe)", "lift (Fieller, Wilson limits)")
    return Table("Exact coverage of the 95 % intervals of rates", columns, tuple(rows))


def intervals_of_lifts(_runs: int = 1) -> Table:
    """Exact coverage of three intervals of a lift, for decision 0040."""
    rows = []
    for least in (10, 50):
        for part, sizes in ((1.0, "equal"), (9.0, "group nine times the control")):
            columns = zip(*of_lifts(least, part), strict=True)
            rows.append((f"{least}, {sizes}", *(within(list(column)) for column in columns)))
    columns_ = ("expected conversions, sizes", "this one", "log ratio (Katz)", "Fieller with plain variances")
    return Table("Exact coverage of 95 % intervals of a lift", columns_, tuple(rows))


def five_exposures(runs: int = 20_000, seed: int = 1) -> Table:
    """False positives under no difference, five exposures a person, with persons and with exposures as the unit."""
    rng, rows = np.random.default_rng(seed), []
    for persons in (200, 400, 2_000):
        clustered = unclustered = 0
        for _ in range(runs // 1_000):
            y = rng.binomial(5, rng.beta(0.11, 0.99, (1_000, 2, persons))).astype(float)
            for (a, aa), (b, bb) in np.stack([y.sum(axis=2), (y * y).sum(axis=2)], axis=-1).tolist():
                group, control = (
                    Sums(persons, s, ss, 5 * persons, 25 * persons, 5 * s) for s, ss in ((a, aa), (b, bb))
                )
                clustered += below(welch(ratio(group), ratio(control)).p_value)
                unclustered += below(p_value(Counts(5 * persons, int(a)), Counts(5 * persons, int(b))))
        rows.append((f"{persons:,}", percent(clustered / runs), percent(unclustered / runs)))
    columns = ("persons per arm", "persons as units (clustered)", "exposures as units")
    return Table("False positives at 5 % with five exposures a person", columns, tuple(rows))


def below(p: float | None, alpha: float = ALPHA) -> bool:
    return p is not None and p <= alpha


VARIANTS, EVENTS = 8, 4


def p_values(runs: int, rng: np.random.Generator, real: int) -> Iterator[list[PValues]]:
    """Two-sided p values per run, variant and event: one control for all, events that correlate by a half.

    The first `real` variants have an overwhelming effect on the primary event, and nothing else has any.
    """
    effect = np.zeros((VARIANTS, EVENTS))
    effect[:real, 0] = 20
    person = rng.normal(size=(runs, VARIANTS + 1, 1))
    arms = math.sqrt(0.5) * person + math.sqrt(0.5) * rng.normal(size=(runs, VARIANTS + 1, EVENTS))
    for run in ((arms[:, :-1] - arms[:, -1:]) / math.sqrt(2) + effect).tolist():
        yield [[math.erfc(abs(z) / math.sqrt(2)) for z in of] for of in run]


def family_wise_error(runs: int = 20_000, seed: int = 2) -> Table:
    """Probability of any false verdict over eight variants and four events, when some primaries are real."""
    rows = []
    for real in (0, 1, 4, 7, 8):
        wrong = {"every p value by itself": 0, "each passes on its Holm level": 0}
        shares = (0.0, 0.5, 1.0)
        procedures = dict.fromkeys(shares, 0)
        for run in p_values(runs, np.random.default_rng((seed, real)), real):
            firsts, seconds = [of[0] for of in run], [of[1:] for of in run]
            wrong["every p value by itself"] += any(map(below, [*firsts[real:], *(p for of in seconds for p in of)]))
            wrong["each passes on its Holm level"] += naive(firsts, seconds, real)
            for share in shares:
                found = gatekeeping(firsts, seconds, share)
                false = [*found.primary[real:], *(p for of in found.secondary for p in of)]
                procedures[share] += any(decided(false, ALPHA))
        rows.append((str(real), *(percent(n / runs) for n in (*wrong.values(), *procedures.values()))))
    columns = (
        "real primaries",
        "every p value by itself",
        "Holm, each decided primary passing its level also to its events",
        "`passed_on` 0 (default)",
        "`passed_on` 0.5",
        "`passed_on` 1",
    )
    return Table("Family-wise error at 5 %, eight variants and four events", columns, tuple(rows))


def naive(firsts: PValues, seconds: Sequence[PValues], real: int) -> bool:
    """The tempting procedure that spends a level twice: on the other primaries, and on the variant's own events."""
    order = sorted(range(len(firsts)), key=lambda i: firsts[i] or 0.0)
    adjusted = holm(firsts)
    levels = {index: ALPHA / (len(order) - rank) for rank, index in enumerate(order)}
    opened = [index for index in order if below(adjusted[index])]
    false_first = any(index >= real for index in opened)
    return false_first or any(any(decided(holm(seconds[index]), levels[index])) for index in opened)


def holds(interval: Interval | None, truth: float) -> bool:
    return interval is not None and interval.low <= truth <= interval.high


def revenue_sums(rng: np.random.Generator, persons: int, effect: float, cap: float) -> tuple[Sums, Winsorised]:
    """One arm: 5 % buy, for e to the power of a normal number of mean 3 + effect and deviation 1."""
    spent = np.exp(rng.normal(3 + effect, 1, rng.binomial(persons, 0.05)))
    capped = np.minimum(spent, cap)
    return _sums(persons, spent), Winsorised(_sums(persons, capped), cap, int((spent > cap).sum()))


def _sums(persons: int, spent: Array) -> Sums:
    total = float(spent.sum())
    return Sums(persons, total, float((spent * spent).sum()), persons, persons, total)


def revenue(runs: int = 20_000, seed: int = 3) -> Table:
    """Coverage of Welch's and Fieller's intervals of revenue with 95 % zeros and a long tail, and of capped revenue."""
    effect, cap = math.log(1.2), math.exp(3 + 2.3263478740408408)  # the 99th percentile of what a control buyer spends
    means = [0.05 * math.exp(3.5 + shift) for shift in (effect, 0.0)]
    capped = [0.05 * capped_mean(3 + shift, cap) for shift in (effect, 0.0)]
    rows = []
    for persons in (500, 1_000, 5_000, 20_000, 100_000):
        rng, held = np.random.default_rng((seed, persons)), [0, 0, 0]
        for _ in range(runs):
            (one, one_capped), (two, two_capped) = (revenue_sums(rng, persons, e, cap) for e in (effect, 0.0))
            found, found_capped = welch(mean(one), mean(two)), welch(mean(one_capped), mean(two_capped))
            held[0] += holds(found.interval, means[0] - means[1])
            held[1] += holds(found.relative_interval, means[0] / means[1] - 1) or found.relative_interval is None
            held[2] += holds(found_capped.interval, capped[0] - capped[1])
        rows.append((f"{persons:,}", *(percent(n / runs) for n in held)))
    columns = ("persons per arm", "difference (Welch)", "relative (Fieller)", "difference, winsorised")
    return Table("Coverage of the 95 % intervals of revenue per person, 5 % buyers", columns, tuple(rows))


def capped_mean(mu: float, cap: float) -> float:
    """E min(X, cap) of a lognormal with deviation 1."""
    z = math.log(cap) - mu
    cdf = [0.5 * math.erfc(-x / math.sqrt(2)) for x in (z - 1, z)]
    return math.exp(mu + 0.5) * cdf[0] + cap * (1 - cdf[1])


def adjustment(runs: int = 20_000, seed: int = 4) -> Table:
    """CUPED: coverage, false positives, and the variance saved, by how much before says about after."""
    rows = []
    for strength in (0.0, 0.3, 0.6, 0.9):
        rng, persons = np.random.default_rng((seed, int(10 * strength))), 500
        covered = false = raw_covered = 0
        saved = []
        for _ in range(runs // 500):
            customer, own = rng.gamma(0.5, 10.0, (2, 500, 2, persons))
            x = rng.poisson(customer).astype(float)
            y = rng.poisson(strength * customer + (1 - strength) * own).astype(float)
            ones = np.ones_like(y)
            cells = np.stack([y, y * y, ones, ones, y, x, x * x, x * y, x], axis=-1).sum(axis=2)
            for run in cells:
                found = adjusted_means(arms := [Sums(persons, *of) for of in run])
                if found is None or found.saved is None:
                    continue
                first, second = found.estimates
                ours, raw = welch(first, second), welch(mean(arms[0]), mean(arms[1]))
                covered += holds(ours.interval, 0.0)
                raw_covered += holds(raw.interval, 0.0)
                false += below(ours.p_value)
                saved.append(found.saved)
        n = len(saved)
        rows.append((percent(sum(saved) / n), percent(covered / n), percent(false / n), percent(raw_covered / n)))
    columns = ("variance saved", "coverage, adjusted", "false positives, adjusted", "coverage, raw")
    return Table("Adjustment by what persons did before, 500 persons per arm", columns, tuple(rows))


def planned_power(runs: int = 20_000, seed: int = 5) -> Table:
    """How often the planned size finds the planned difference, in its true direction."""
    rng, rows = np.random.default_rng(seed), []
    for baseline, lift, shares in ((0.03, 0.1, (0.5, 0.5)), (0.01, 0.2, (0.1, 0.9)), (0.2, -0.1, (0.5, 0.5))):
        plan = plan_rates(baseline, baseline * lift, shares)
        found = 0
        drawn = [rng.binomial(n, p, runs) for n, p in zip(plan.per_arm, (baseline, baseline * (1 + lift)), strict=True)]
        for pair in np.stack(drawn, axis=1).tolist():
            control, group = (Counts(n, c) for n, c in zip(plan.per_arm, pair, strict=True))
            right = (group.converted / group.n - control.converted / control.n) * lift > 0
            found += right and below(p_value(group, control))
        what = f"{percent(baseline)}, lift {100 * lift:+.0f} %, control {100 * shares[0]:.0f} %"
        rows.append((what, f"{plan.total:,}", percent(found / runs)))
    plan = plan_means(1.0, 100.0, (0.5, 0.5))
    z = rng.normal(1.0 / math.sqrt(100.0 * (1 / plan.per_arm[0] + 1 / plan.per_arm[1])), 1.0, runs)
    rows.append(("mean, difference a tenth of the deviation", f"{plan.total:,}", percent(float((z > 1.959964).mean()))))
    return Table("Power of sizes planned for 80 %", ("question", "persons in all", "found"), tuple(rows))


def tables() -> Iterator[Table]:
    """All tables at full size; about two minutes on one core."""
    yield coverage_of_rates()
    yield intervals_of_lifts()
    yield five_exposures()
    yield revenue()
    yield adjustment()
    yield family_wise_error()
    yield planned_power()


def main() -> None:
    for table in tables():
        print(f"\n{table.title}\n\n{table.markdown()}", flush=True)


if __name__ == "__main__":
    main()
