"""What a verdict is made of: a campaign's arms with their sums over persons come of age, and who is still to come."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import accumulate, pairwise
from math import sqrt
from typing import Any

from afterword.model import LETTERS, AnalysisPlan, Campaign, ConversionKind
from afterword.reports.persons import REVENUE, WINSORISED, Days, DaySums, PersonDays
from afterword.stats.delays import Delays
from afterword.stats.rates import Counts
from afterword.stats.sums import Sums

DAY_SECONDS = 86_400
RECENT_DAYS = 7
"""So many whole days say at which rate people arrive."""
WITHOUT_MESSAGE = (ConversionKind.MESSAGE_OPEN, ConversionKind.MESSAGE_CLICK)
"""What control cannot do, since it has no message (rule 17)."""


@dataclass(frozen=True, slots=True)
class Metric:
    """Something that is measured of every person: a conversion event, or revenue."""

    name: str
    """`A` to `D`, `revenue`, or `revenue_winsorised`."""
    deadline_seconds: int
    compared_with_control: bool = True

    @property
    def is_money(self) -> bool:
        """Whether it is an amount and no rate."""
        return self.name not in LETTERS


@dataclass(frozen=True, slots=True)
class Arm:
    """One variant, control included. Comparisons are over the persons who were exposed to it alone (rule 17)."""

    id: str
    name: str
    control: bool
    share: float
    """The planned one, from 0 to 1."""
    persons: int
    """Exposed to it, also those who were exposed to others."""
    exposures: int
    """Of these persons to it."""
    days: Mapping[str, Days]
    """By metric: the sums of those who came of age on each day."""
    first_exposed: Sequence[tuple[int, int]] = ()
    """Days since 1970, and how many persons of this variant alone were first exposed on each."""
    outcomes: Mapping[str, int] = field(default_factory=dict)
    """Exposures by what became of the message."""
    delays: Mapping[str, Delays] = field(default_factory=dict)
    """By letter."""
    so_far: Mapping[str, Counts] = field(default_factory=dict)
    """By letter: the persons of this variant alone, of age or not, and how many have converted so far."""

    _totals: dict[str, Sums] = field(default_factory=dict, init=False, repr=False, compare=False)

    def total(self, metric: str) -> Sums:
        """Return the sums over all who have come of age."""
        if metric not in self._totals:
            days = self.days.get(metric, ())
            self._totals[metric] = days.total() if isinstance(days, DaySums) else sum((s for _, s in days), Sums())
        return self._totals[metric]

    def cumulative(self, metric: str) -> list[tuple[int, Sums]]:
        """Return, for each day on which somebody came of age, the sums up to its end."""
        days = self.days.get(metric, ())
        return list(zip((day for day, _ in days), accumulate(sums for _, sums in days), strict=True))

    @property
    def entered(self) -> int:
        """How many persons were exposed to this variant alone, of age or not."""
        return sum(n for _, n in self.first_exposed)


@dataclass(frozen=True, slots=True)
class Epoch:
    """The planned shares from a day on, by variant, from 0 to 1."""

    first_day: int
    shares: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Experiment:
    """A campaign or Canvas as something to be judged; no row and no database is behind it."""

    id: str
    kind: str
    """`campaign` or `canvas`."""
    plan: AnalysisPlan
    metrics: tuple[Metric, ...]
    """The conversion events, the primary first, and revenue last, also cut off where the plan says so."""
    arms: tuple[Arm, ...]
    today: int
    """The day of `as_of`, since 1970."""
    persons: int = 0
    """Exposed to any arm, each once."""
    several_variants: int = 0
    """Of these, exposed to more than one."""
    redefined: bool = False
    """Whether the conversion events or the counting were changed after the first exposure (rule 6)."""
    epochs: tuple[Epoch, ...] = ()
    """The history of the shares, oldest first; empty if they were always as the arms say."""
    follows_results: bool = False
    """Whether the shares are chosen by results (Intelligent Selection), as often as twice a day."""
    _strata: dict[str, list[dict[str, Sums]]] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def primary(self) -> Metric | None:
        """The first conversion event; None if there is none."""
        return self.metrics[0] if self.metrics and not self.metrics[0].is_money else None

    def arms_of(self, metric: Metric) -> tuple[Arm, ...]:
        """Return the arms that a metric can be compared over: all, or those with a message."""
        return tuple(arm for arm in self.arms if metric.compared_with_control or not arm.control)

    @property
    def changed_on(self) -> tuple[int, ...]:
        """The days on which the shares became others than they were."""
        pairs = pairwise(self.epochs)
        return tuple(after.first_day for before, after in pairs if dict(before.shares) != dict(after.shares))

    def strata(self, metric: Metric) -> list[dict[str, Sums]]:
        """Return the sums of each arm, by the stretches of time in which the shares stood still.

        Within one of them assignment was an ordinary lottery; over all of them together an arm with a growing share has
        more of the latest users. A person belongs to the day of the first exposure. Days on which shares changed are in
        no stretch, nor are (where the deadline is no whole number of days) persons who could be of such a day. Where
        shares follow results each day is a stretch, though they may have changed in the course of it.
        """
        if metric.name not in self._strata:
            self._strata[metric.name] = self._stretches(metric)
        return self._strata[metric.name]

    def _stretches(self, metric: Metric) -> list[dict[str, Sums]]:
        changes = self.changed_on
        if not changes and not self.follows_results:
            return [{arm.id: arm.total(metric.name) for arm in self.arms}]
        found: dict[int, dict[str, Sums]] = {}
        whole, rest = divmod(metric.deadline_seconds, DAY_SECONDS)
        for arm in self.arms:
            for day, sums in arm.days.get(metric.name, ()):
                earliest, latest = day - whole - (1 if rest else 0), day - whole
                stretch = day if self.follows_results else bisect_right(changes, latest)
                if self.follows_results or bisect_left(changes, earliest) == stretch:
                    of_arms = found.setdefault(stretch, {one.id: Sums() for one in self.arms})
                    of_arms[arm.id] = of_arms[arm.id] + sums
        return [found[stretch] for stretch in sorted(found)]

    def two(self, arm: str, other: str, metric: Metric) -> tuple[Sums, Sums]:
        """Return the sums of two arms as they are compared: of users who came at the same times.

        Stretches are put together with weights by which every user counts the same in the variance, whatever the shares
        were: w = sqrt(N / (1/n1 + 1/n0)) with n1 and n0 persons of the two arms and N of all. An arm is then worth
        (sum w)^2 / sum (w^2 / n) persons. Zhang, K. W., Janson, L. and Murphy, S. A. (2020), Inference for batched
        bandits, NeurIPS 33.
        """
        return reweighted(
            [
                (of_arms[arm], of_arms[other], sum(sums.n for sums in of_arms.values()))
                for of_arms in self.strata(metric)
            ]
        )

    def waiting(self, arm: Arm, metric: Metric) -> int:
        """Return how many persons have not come of age."""
        return arm.entered - arm.total(metric.name).n

    def days_until(self, arm: Arm, metric: Metric, persons: int, per_day: float | None = None) -> int | None:
        """Return in about how many days so many persons of an arm will have come of age; None if never.

        Those who are waiting come of age when their windows end; after them come `per_day` a day, or as many as were
        first exposed on a day of the last week.
        """
        missing = persons - arm.total(metric.name).n
        if missing <= 0:
            return 0
        window = -(-metric.deadline_seconds // DAY_SECONDS)
        if not self.must_still_come(arm, metric, persons):
            # They come of age in the order in which they entered.
            reached = list(accumulate(n for _, n in arm.first_exposed))
            day, _ = arm.first_exposed[bisect_left(reached, persons)]
            return max(1, day + window - self.today)
        rate = self.arrivals(arm) if per_day is None else per_day
        return window + max(1, round((missing - self.waiting(arm, metric)) / rate)) if rate else None

    def must_still_come(self, arm: Arm, metric: Metric, persons: int) -> bool:
        """Whether so many persons of an arm can only come of age if others come than those who are waiting."""
        return persons - arm.total(metric.name).n > self.waiting(arm, metric)

    def arrivals(self, arm: Arm) -> float:
        """Return how many persons a day were first exposed to an arm in the last week, today left out."""
        since = self.today - RECENT_DAYS
        first = min((day for day, n in arm.first_exposed if n), default=self.today)
        days = self.today - max(since, first)
        recent = sum(n for day, n in arm.first_exposed if since <= day < self.today)
        return recent / days if days > 0 else 0.0


def reweighted(strata: Sequence[tuple[Sums, Sums, int]]) -> tuple[Sums, Sums]:
    """Return two arms over several stretches of time: each with its sums and the number of persons of all arms."""
    if len(strata) == 1:
        return strata[0][0], strata[0][1]
    used = [(group, control, everyone) for group, control, everyone in strata if group.n and control.n]
    weights = [sqrt(everyone / (1 / group.n + 1 / control.n)) for group, control, everyone in used]
    return (
        _weighted([group for group, _, _ in used], weights),
        _weighted([control for _, control, _ in used], weights),
    )


def _weighted(stretches: Sequence[Sums], weights: Sequence[float]) -> Sums:
    if not stretches:
        return Sums()
    whole = sum(weights)
    n = round(whole**2 / sum(weight**2 / one.n for weight, one in zip(weights, stretches, strict=True)))

    def of(name: str) -> float:
        parts = (weight * float(getattr(one, name)) / one.n for weight, one in zip(weights, stretches, strict=True))
        return n * (sum(parts) / whole)

    return Sums(n, *(of(one.name) for one in fields(Sums)[1:]))


def metrics_of(campaign: Campaign) -> tuple[Metric, ...]:
    """Return what is measured of a campaign's persons: the conversion events, the primary first, and revenue last."""
    events = zip(LETTERS, campaign.conversion_events, strict=False)
    metrics = [Metric(name, event.deadline_seconds, event.kind not in WITHOUT_MESSAGE) for name, event in events]
    metrics.append(Metric(REVENUE, campaign.revenue_window_seconds))
    if campaign.analysis.winsorize is not None:
        metrics.append(Metric(WINSORISED, campaign.revenue_window_seconds))
    return tuple(metrics)


def planned_of(campaign: Campaign, epochs: Sequence[Epoch]) -> set[str]:
    """Return the ids of the variants that have a share, or had one."""
    planned = {variant.id for variant in campaign.variants if variant.share_hundredths}
    return planned | {name for epoch in epochs for name, share in epoch.shares.items() if share}


def experiment_of(
    campaign: Campaign,
    report: Mapping[str, Any],
    persons: PersonDays,
    today: int,
    *,
    redefined: bool = False,
    epochs: Sequence[Epoch] = (),
) -> Experiment:
    """Return what is to be judged of a campaign: all variants but those that never had a share nor anybody.

    Args:
        campaign: its definition.
        report: the campaign's part of report.json.
        persons: its sums over persons.
        today: the day of `as_of` in the workspace's time zone, since 1970.
        redefined: whether its conversion events were changed after the first exposure.
        epochs: the history of its shares.

    """
    delays = report["delays"]["variants"]
    planned = planned_of(campaign, epochs)
    arms = [
        Arm(
            id=variant.id,
            name=variant.name or variant.id,
            control=variant.control,
            share=variant.share_hundredths / 10_000,
            persons=row["persons"],
            exposures=row["exposures"],
            days=persons.metrics[position] if persons.metrics else {},
            first_exposed=persons.first_exposed[position] if persons.first_exposed else (),
            outcomes=row["outcomes"],
            delays={
                letter: Delays(tuple(hours["at_risk"]), tuple(hours["converted"]))
                for letter, hours in delays[variant.id].items()
            },
            so_far={
                letter: Counts(on["compared_n"], on["compared_converted"]) for letter, on in row["conversions"].items()
            },
        )
        for position, (variant, row) in enumerate(zip(campaign.variants, report["variants"], strict=True))
        if variant.id in planned or row["persons"]  # else it is not sent, and a verdict would wait for it for ever
    ]
    everyone = report["total_with_control"]
    return Experiment(
        id=campaign.id,
        kind=campaign.kind,
        plan=campaign.analysis,
        metrics=metrics_of(campaign),
        arms=tuple(arms),
        today=today,
        persons=everyone["persons"],
        several_variants=everyone["several_variants"],
        redefined=redefined,
        epochs=tuple(epochs),
        follows_results=campaign.selection is not None,
    )
