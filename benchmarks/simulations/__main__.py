"""`make sim`: all simulations, printed, and written into the pages that show them.

    python -m benchmarks.simulations                          # all, at full size
    python -m benchmarks.simulations --only peeking family    # some
    python -m benchmarks.simulations --size 0.1               # a tenth of the runs
    python -m benchmarks.simulations --write                  # and put the tables into the pages

A page holds a table between `<!-- sim: NAME -->` and `<!-- end -->`. Everything is seeded: the same size gives the
same numbers.
"""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.simulations import adapted, bandit, discovering, fixed, following, looking, maturing, splitting, winner
from benchmarks.simulations.table import Table

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "statistics.md"
SELECTION = DOCS / "selection.md"
LIFTS = DOCS / "decisions" / "0040-intervals-of-a-lift.md"


@dataclass(frozen=True, slots=True)
class Simulation:
    """A table to be made: its function, which takes the size, and the size that the page shows."""

    table: Callable[[int], Table]
    size: int
    page: Path = PAGE


SIMULATIONS = {
    "rates": Simulation(fixed.coverage_of_rates, 400),
    "lifts": Simulation(fixed.intervals_of_lifts, 1, LIFTS),
    "exposures": Simulation(fixed.five_exposures, 20_000),
    "revenue": Simulation(fixed.revenue, 20_000),
    "adjustment": Simulation(fixed.adjustment, 20_000),
    "several": Simulation(fixed.family_wise_error, 20_000),
    "planning": Simulation(fixed.planned_power, 20_000),
    "looking-rates": Simulation(looking.coverage_of_rates, 4_000),
    "looking-means": Simulation(looking.coverage_of_means, 2_000),
    "peeking": Simulation(looking.peeking, 5_000),
    "family": Simulation(looking.family, 2_000),
    "discoveries": Simulation(discovering.discoveries, 1_000),
    "later": Simulation(looking.later, 2_000),
    "split-alarms": Simulation(splitting.false_alarms, 2_000),
    "split-leaks": Simulation(splitting.leaks, 400),
    "forecasts": Simulation(maturing.forecasts, 1_000),
    "verdicts": Simulation(winner.no_difference, 4_000),
    "winners": Simulation(winner.true_winners, 2_000),
    "following": Simulation(following.false_winners, 4_000),
    "bandit": Simulation(bandit.regrets, 200, SELECTION),
    "settling": Simulation(bandit.settling, 200, SELECTION),
    "adapted": Simulation(adapted.intervals, 1_000, SELECTION),
}


def written(page: str, name: str, table: Table) -> str:
    """Return the page with the table in its place; unchanged where it has none."""
    place = re.compile(rf"(<!-- sim: {re.escape(name)} -->\n).*?(<!-- end -->)", re.DOTALL)
    return place.sub(lambda found: f"{found[1]}\n{table.markdown()}\n\n{found[2]}", page)


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=SIMULATIONS, default=list(SIMULATIONS))
    parser.add_argument("--size", type=float, default=1.0, help="of the full number of runs")
    parser.add_argument("--write", action="store_true", help="put the tables into the pages")
    options = parser.parse_args()
    for name in options.only:
        started = time.perf_counter()
        simulation = SIMULATIONS[name]
        table = simulation.table(max(1, round(options.size * simulation.size)))
        print(f"\n{name}: {table.title} ({time.perf_counter() - started:.0f} s)\n\n{table.markdown()}", flush=True)
        if options.write:
            page = simulation.page
            page.write_text(written(page.read_text(encoding="utf-8"), name, table), encoding="utf-8")


if __name__ == "__main__":
    main()
