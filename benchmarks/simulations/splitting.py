"""The split check: how often it fires without cause, and after how many users with one."""

from __future__ import annotations

import math

import numpy as np

from afterword.stats.split import FALSE_ALARMS, STAKES, Split, check, log_e
from benchmarks.simulations.table import Table, percent

HALVES, TENTH = (50.0, 50.0), (45.0, 45.0, 10.0)
NINE = (11.25,) * 8 + (10.0,)
LOST = {"bounced": 0.02, "capped": 0.05, "failed": 0.001}


def false_alarms(runs: int = 1_000, seed: int = 21) -> Table:
    """The share of campaigns in which the whole check fires at any of 30 daily looks, with nothing wrong."""
    rows = []
    for shares in (HALVES, TENTH, NINE):
        cells = []
        for per_day in (100, 1_000, 50_000):
            rng = np.random.default_rng((seed, len(shares), per_day))
            cells.append(percent(sum(_fires(rng, shares, per_day) for _ in range(runs)) / runs))
        rows.append((_named(shares), *cells))
    return Table(
        "False alarms of the split check in 30 days of daily looks",
        ("shares", "100 users a day", "1,000", "50,000"),
        tuple(rows),
    )


def _fires(rng: np.random.Generator, shares: tuple[float, ...], per_day: int, looks: int = 30) -> bool:
    planned = np.array(shares) / 100
    counts = rng.multinomial(per_day, planned, looks)
    outcomes = {name: rng.binomial(counts, lost).cumsum(axis=0).tolist() for name, lost in LOST.items()}
    messages = [True] * (len(shares) - 1) + [len(shares) == 2]
    days = [Split(tuple(day), shares) for day in counts.tolist()]
    names = [str(i) for i in range(len(shares))]
    return any(
        check(
            days[: day + 1], names, outcomes={name: of[day] for name, of in outcomes.items()}, messages=messages
        ).fires
        for day in range(looks)
    )


def leaks(runs: int = 400, seed: int = 22) -> Table:
    """After how many users the check has fired when 1 % (and more) of one arm's users are lost or moved."""
    rows = []
    for shares, arm in ((HALVES, 1), (TENTH, 1), (TENTH, 2)):
        for leak in (0.01, 0.05):
            for moved in (False, True):
                rng = np.random.default_rng((seed, len(shares), arm, int(100 * leak), moved))
                planned = np.array(shares) / 100
                true = planned.copy()
                true[arm] *= 1 - leak
                if moved:
                    true[0] += planned[arm] * leak
                found = _users(rng, planned, true / true.sum(), runs)
                rows.append(
                    (
                        _named(shares),
                        f"{percent(leak, 0)} of the {percent(planned[arm], 0)} arm {'moved' if moved else 'lost'}",
                        *(_rounded(float(users)) for users in np.quantile(found, [0.5, 0.8, 0.95])),
                    )
                )
    columns = ("shares", "leak", "half have fired after", "80 % after", "95 % after")
    return Table("Users until the split check fires", columns, tuple(rows))


def _users(rng: np.random.Generator, planned: np.ndarray, true: np.ndarray, runs: int) -> list[float]:
    """Users in all at the first look at which the part on shares fires; looks 10 % apart."""
    looks = np.unique(np.geomspace(300, 30_000_000, 120).astype(int))
    steps = np.diff(looks, prepend=0)
    counts = np.stack([rng.multinomial(step, true, runs) for step in steps], axis=1).cumsum(axis=1).tolist()
    enough = -math.log(FALSE_ALARMS) - math.log(STAKES["shares"])
    shares = planned.tolist()
    return [
        next((float(n) for n, c in zip(looks, run, strict=True) if log_e(c, shares) >= enough), math.inf)
        for run in counts
    ]


def _named(shares: tuple[float, ...]) -> str:
    return "eight variants, control 10" if shares is NINE else "/".join(f"{share:.0f}" for share in shares)


def _rounded(users: float) -> str:
    if math.isinf(users):
        return "over 30,000,000"
    digits = len(str(int(users))) - 2
    return f"{round(users, -digits):,.0f}"
