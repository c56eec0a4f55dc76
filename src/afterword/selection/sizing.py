"""How many users a campaign needs for its smallest effect, about how many days, and what those it has can show.

What is planned for is the verdict `winner`: one variant is better than every other arm by the effect, and is shown to
be so against each of them at the level at which `winner` looks at every difference. With two arms that is the usual
plan of `stats.planning`; with more the level is narrower, and all differences have to be shown at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

from afterword.errors import UserError
from afterword.model import LETTERS, Campaign, PlanKind
from afterword.selection.evidence import level_of
from afterword.selection.experiment import DAY_SECONDS, WITHOUT_MESSAGE, Experiment, Metric
from afterword.stats import planning
from afterword.stats.best import Rival, chance_of_best
from afterword.stats.means import ratio
from afterword.stats.planning import MOST, POWER, Question, by_sequence, of_rates
from afterword.stats.sequential import BURN_IN
from afterword.stats.sums import Sums

NORMAL = NormalDist()
LEAST_RATE, LEAST_PER_DAY = 1e-9, 1e-3


class CannotPlan(UserError):
    """What is asked has no answer, or is not known."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody asks for; None is what the campaign says, or what its results say."""

    rate: float | None = None
    """Of the arm that the others are compared with."""
    relative: float | None = None
    """The smallest effect, as a part of the rate."""
    difference: float | None = None
    """The smallest effect, as a difference of rates."""
    power: float = POWER
    per_day: float | None = None
    """Users who are first exposed on a day, of all arms together."""


@dataclass(frozen=True, slots=True)
class PlannedArm:
    """One variant, control included."""

    id: str
    name: str
    control: bool
    share: float
    """From 0 to 1, above 0."""
    compared: bool = True
    """Whether the primary can be compared over it (control cannot open)."""


@dataclass(frozen=True, slots=True)
class Terms:
    """By what rules a verdict will come."""

    arms: tuple[PlannedArm, ...]
    plan: PlanKind
    alpha: float
    level: float
    """Of each difference's interval."""
    minimum_sample: int
    deadline_seconds: int
    smallest_effect: float | None = None
    """Relative."""
    campaign: str | None = None

    @property
    def compared(self) -> tuple[PlannedArm, ...]:
        """The arms that the primary is compared over."""
        return tuple(arm for arm in self.arms if arm.compared)


@dataclass(frozen=True, slots=True)
class Collected:
    """What has been collected of a campaign."""

    users: Mapping[str, int]
    """By arm: who has come of age."""
    power: float
    """With which the effect would have been found by now."""
    missing: int | None
    """More users who come of age, over all arms; None where no number suffices."""
    days: int | None
    """Until they have come of age, about; None if not enough come."""


@dataclass(frozen=True, slots=True)
class Sizing:
    """The answer, with what it is an answer to."""

    terms: Terms
    rate: float
    rate_from: str
    """`given`, `control`, `all` (variants together) or `seen`."""
    difference: float
    power: float
    users: Mapping[str, int] | None
    """By arm; None where no number of people suffices."""
    per_day: float | None
    days: int | None
    """From the first exposure until the last user has come of age."""
    collected: Collected | None = None

    @property
    def total(self) -> int | None:
        """Users of all arms."""
        return None if self.users is None else sum(self.users.values())


def terms_for(
    shares: Sequence[float], plan: PlanKind, alpha: float, deadline_seconds: int, minimum_sample: int
) -> Terms:
    """Return the terms of a campaign that is not defined yet; `shares` from 0 to 1, control first."""
    arms = [
        PlannedArm(str(at) if at else "control", str(at) if at else "control", not at, share)
        for at, share in enumerate(shares)
    ]
    return Terms(tuple(arms), plan, alpha, level_of(alpha, len(arms)), minimum_sample, deadline_seconds)


def terms_of(campaign: Campaign) -> Terms:
    """Return the terms of a definition.

    Raises:
        CannotPlan: there is no conversion event, or nothing to compare.

    """
    if not campaign.conversion_events:
        raise CannotPlan(f'"{campaign.id}" has no conversion event, so there is no rate to plan for')
    primary, analysis = campaign.conversion_events[0], campaign.analysis
    arms = tuple(
        PlannedArm(
            one.id,
            one.name or one.id,
            one.control,
            one.share_hundredths / 10_000,
            not one.control or primary.kind not in WITHOUT_MESSAGE,
        )
        for one in campaign.variants
        if one.share_hundredths
    )
    compared = sum(arm.compared for arm in arms)
    if compared < 2:
        raise CannotPlan(
            f'"{campaign.id}" has {compared} variant with a share that {LETTERS[0]} can be compared over, must have at '
            "least 2"
        )
    return Terms(
        arms,
        analysis.plan,
        float(analysis.alpha),
        level_of(float(analysis.alpha), compared),
        analysis.minimum_sample,
        primary.deadline_seconds,
        float(analysis.smallest_effect),
        campaign.id,
    )


def sized(terms: Terms, wish: Wish, rate_from: str = "given") -> Sizing:
    """Return the users and days that a wish takes, before anything has been collected.

    Raises:
        CannotPlan: the rate is not said, or a number is out of its bounds.

    """
    if wish.rate is None:
        raise CannotPlan("the rate is not known: say which share of users converts without the effect, such as 3%")
    return _Sizes(terms, wish, wish.rate, rate_from, 1.0).answer(None)


def sized_by(experiment: Experiment, terms: Terms, wish: Wish) -> Sizing:
    """Return the same of a campaign with results, and what those that have come of age can show.

    The rate is that of control, or where control is not compared that of all arms; of users who count several times
    (rule 17) the variance is the one that they have.

    Raises:
        CannotPlan: nobody has come of age and no rate is said, or a number is out of its bounds.

    """
    metric = experiment.primary
    assert metric is not None, "terms_of refuses a campaign without a primary"
    base, rate_from = _base(experiment, metric)
    known = ratio(base)
    rate = wish.rate if wish.rate is not None else known.value if known is not None else None
    if rate is None or (wish.rate is None and not 0 < rate < 1):
        raise CannotPlan(
            f'"{experiment.id}" has no rate to plan for yet: of {base.n:,} users who have come of age '
            f"{round(base.y):,} converted; say which rate is expected"
        )
    terms = replace(terms, level=level_of(terms.alpha, len(experiment.arms_of(metric))))
    sizes = _Sizes(terms, wish, rate, "given" if wish.rate is not None else rate_from, _spread(base))
    return sizes.answer(experiment)


def _base(experiment: Experiment, metric: Metric) -> tuple[Sums, str]:
    for arm in experiment.arms_of(metric):
        if arm.control:
            return arm.total(metric.name), "control"
    return sum((arm.total(metric.name) for arm in experiment.arms_of(metric)), Sums()), "all"


def _spread(sums: Sums) -> float:
    """Return by how much a person's variance differs from that of a person who is one unit, converted or not."""
    found = ratio(sums)
    if sums.mm == sums.m == sums.n or found is None or not found.variance or not 0 < found.value < 1:
        return 1.0
    return found.variance * sums.n / (found.value * (1 - found.value))


class _Sizes:
    """One question's numbers."""

    def __init__(self, terms: Terms, wish: Wish, rate: float, rate_from: str, spread: float) -> None:
        self.terms, self.wish, self.rate, self.rate_from, self.spread = terms, wish, rate, rate_from, spread
        if not LEAST_RATE <= rate <= 1 - LEAST_RATE:
            raise CannotPlan(f"the rate is {rate:.6g}, must be above 0 and below 1 (0% and 100%)")
        if wish.relative is not None and wish.difference is not None:
            raise CannotPlan("the effect is given twice: as a part of the rate, and as a difference of rates")
        relative = terms.smallest_effect if wish.relative is None else wish.relative
        if wish.difference is None and relative is None:
            raise CannotPlan("the effect is missing: say which one is worth finding")
        self.effect = rate * (relative or 0.0) if wish.difference is None else wish.difference
        if not (self.effect > 0 and rate + self.effect <= 1 - LEAST_RATE):
            raise CannotPlan(
                f"the effect is {self.effect:.6g} on a rate of {rate:.6g}, must be above 0, and the two together "
                "below 1 (100%)"
            )
        if not 0 < wish.power < 1:
            raise CannotPlan(f"the power is {wish.power:.6g}, must be above 0 and below 1, usually 0.8")
        if wish.per_day is not None and not LEAST_PER_DAY <= wish.per_day < math.inf:
            raise CannotPlan(f"users per day is {wish.per_day:g}, must be at least {LEAST_PER_DAY:g}")

    def answer(self, experiment: Experiment | None) -> Sizing:
        users = self._users()
        per_day = self.wish.per_day
        if per_day is None and experiment is not None:
            per_day = sum(experiment.arrivals(arm) for arm in experiment.arms)
        deadline = self.terms.deadline_seconds / DAY_SECONDS
        days = None if users is None or per_day is None else planning.days(sum(users.values()), per_day, deadline)
        return Sizing(
            terms=self.terms,
            rate=self.rate,
            rate_from=self.rate_from,
            difference=self.effect,
            power=self.wish.power,
            users=users,
            per_day=per_day,
            days=days,
            collected=None if experiment is None else self._collected(experiment, users),
        )

    def _users(self) -> dict[str, int] | None:
        arms = self.terms.arms
        compared = self.terms.compared
        total = _smallest(lambda n: self.chance({arm.id: n * arm.share for arm in compared}), self.wish.power)
        if total is None:
            return None
        least = self.terms.minimum_sample / min(arm.share for arm in compared)
        found = planning.size([total, least], [arm.share / sum(one.share for one in arms) for arm in arms])
        return dict(zip((arm.id for arm in arms), found.per_arm, strict=True))

    def chance(self, persons: Mapping[str, float]) -> float:
        """Return the chance that the better variant is shown to be so; of variants, that with the worst chance."""
        if min(persons.values()) <= 0:
            return 0.0
        if self.terms.plan is PlanKind.ALWAYS_VALID and not self._begun(min(persons.values())):
            return 0.0
        best = {persons[arm.id]: arm.id for arm in self.terms.compared if not arm.control}
        return min(self._chance_of(arm, persons) for arm in best.values())

    def _begun(self, persons: float) -> bool:
        return persons * min(self.rate, 1 - self.rate - self.effect) >= BURN_IN

    def _chance_of(self, arm: str, persons: Mapping[str, float]) -> float:
        mine, higher = persons[arm], self.rate + self.effect
        rivals = [
            Rival(math.sqrt(self.spread * self.rate * (1 - self.rate) / n), self._half_width(mine, n))
            for name, n in persons.items()
            if name != arm
        ]
        return chance_of_best(self.effect, math.sqrt(self.spread * higher * (1 - higher) / mine), rivals)

    def _half_width(self, mine: float, others: float) -> float:
        """Return how far ahead an arm must be of another for its difference to be shown, by the plan."""
        both = mine + others
        plain = of_rates(self.rate, self.effect, mine / both, others / both)
        question = Question(plain.effect, plain.null * self.spread, plain.alternative * self.spread)
        alpha = 1 - self.terms.level
        if self.terms.plan is PlanKind.ALWAYS_VALID:
            return by_sequence(question, alpha=alpha)(both)
        return NORMAL.inv_cdf(1 - alpha / 2) * math.sqrt(question.null / both)

    def _collected(self, experiment: Experiment, users: Mapping[str, int] | None) -> Collected:
        metric = experiment.primary
        assert metric is not None
        arms = {arm.id: arm for arm in experiment.arms}
        of_age = {arm.id: arms[arm.id].total(metric.name).n for arm in self.terms.arms}
        names = [arm.id for arm in self.terms.compared]
        # After a change of shares not all count (`Experiment.two`): with as many as the worst pair has.
        counted = {
            one: min(experiment.two(one, other, metric)[0].n for other in names if other != one) for one in names
        }
        power = self.chance(counted)
        if users is None:
            return Collected(of_age, power, None, None)
        if power >= self.wish.power and min(of_age[name] for name in names) >= self.terms.minimum_sample:
            return Collected(of_age, power, 0, 0)
        days = [experiment.days_until(arms[name], metric, wanted, self._pace(name)) for name, wanted in users.items()]
        known = [one for one in days if one is not None]
        missing = sum(max(0, wanted - of_age[name]) for name, wanted in users.items())
        return Collected(of_age, power, missing, max(known) if len(known) == len(days) else None)

    def _pace(self, arm: str) -> float | None:
        if self.wish.per_day is None:
            return None
        return self.wish.per_day * next(one.share for one in self.terms.arms if one.id == arm)


def _smallest(chance: Callable[[float], float], wanted: float) -> float | None:
    """Return the smallest total with this chance, by bisection; None if there are not so many people."""
    high = 2.0
    while chance(high) < wanted:
        high *= 2
        if high > MOST:
            return None
    low = high / 2
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if chance(middle) >= wanted else (middle, high)
    return high
