"""The verdict on a campaign: one answer on its primary conversion event (rule 2), with everything it rests on.

The answers, in the order in which they are looked for:

1. `split_broken`: users did not come into the variants as planned, so no difference can be trusted;
2. `too_early`: the plan's one look is not due, or there are fewer users than the plan's minimum;
3. `winner`: a variant's difference to every other arm, control included, is above zero by the plan's intervals, and it
   is shown to keep all guardrails;
4. `control_best`: that arm is control; no message is better than none, and control is never sent to anybody;
5. `no_difference`: all differences lie within the smallest effect worth having;
6. `no_winner`: the plan's one look is over and named none; or so says the chi-squared rule;
7. `leading`: ahead of every other arm by intervals that hold for a single look only, or a winner whose guardrails are
   not shown to be kept;
8. `too_early` again: none of these.

The level of each difference is such that the probability that any arm is ever wrongly named, by `winner` or
`control_best`, is at most alpha, however often one looks (`evidence.pair_level`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from afterword.model import PlanKind, WinnerRule
from afterword.selection.evidence import Pair, conversions_lacking, overall, pair_level, pairs_of, value_of
from afterword.selection.experiment import Arm, Experiment, Metric
from afterword.selection.guardrails import Guarded, State, guarded
from afterword.selection.missing import (
    Missing,
    missing_conversions,
    missing_difference,
    missing_minimum,
    missing_standing,
    missing_windows,
)
from afterword.selection.plain import Plain, chi_squared_winner, plain_of
from afterword.selection.split import split_of
from afterword.stats.split import SplitCheck


class Answer(StrEnum):
    """What a verdict says."""

    WINNER = "winner"
    LEADING = "leading"
    CONTROL_BEST = "control_best"
    NO_DIFFERENCE = "no_difference"
    NO_WINNER = "no_winner"
    TOO_EARLY = "too_early"
    SPLIT_BROKEN = "split_broken"


class Because(StrEnum):
    """Why it is too early, or why who leads has not won."""

    WINDOWS_OPEN = "windows_open"
    """The plan is one look, when all windows have closed."""
    MINIMUM_SAMPLE = "minimum_sample"
    SHARES_MOVING = "shares_moving"
    """The shares were changed so often that most users came on a day with a change."""
    FEW_CONVERSIONS = "few_conversions"
    """Always-valid intervals have not begun."""
    UNDECIDED = "undecided"
    GUARDRAIL_OPEN = "guardrail_open"
    GUARDRAIL_BREACHED = "guardrail_breached"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer and what it rests on."""

    answer: Answer
    metric: Metric
    level: float
    """Of each difference's interval."""
    rates: dict[str, float | None]
    """By arm, over those who have come of age."""
    pairs: tuple[Pair, ...]
    """Every arm against every other."""
    split: SplitCheck
    best: str | None = None
    """The winner, or who leads; control where it is best."""
    second: str | None = None
    """The best of the others, where there is a best."""
    because: Because | None = None
    missing: Missing | None = None
    guardrails: tuple[Guarded, ...] = ()
    plain: Plain | None = None
    """What other tools compute from the same counts."""
    redefined: bool = False
    rule: WinnerRule = WinnerRule.EVERY_OTHER
    worth: float | None = None
    """The smallest difference worth having, as a difference of rates."""

    def pair(self, arm: str, other: str) -> Pair:
        """Return one arm against another."""
        return next(pair for pair in self.pairs if (pair.arm, pair.other) == (arm, other))


def judge(experiment: Experiment) -> Verdict | None:
    """Return the verdict; None where there is nothing to compare: no conversion event, or a single arm."""
    metric = experiment.primary
    if metric is None or len(arms := experiment.arms_of(metric)) < 2:
        return None
    return _Judgement(experiment, metric, arms).verdict()


class _Judgement:
    """One experiment's numbers, looked at in the order of the answers."""

    def __init__(self, experiment: Experiment, metric: Metric, arms: tuple[Arm, ...]) -> None:
        self.experiment, self.metric, self.arms = experiment, metric, arms
        self.plan = experiment.plan
        self.pairs = tuple(pairs_of(experiment, metric))
        self.rates = {arm.id: value_of(arm, metric) for arm in arms}
        self.split = split_of(experiment)
        self.guardrails = guarded(experiment)
        of_all = overall(arms, metric)
        self.worth = float(self.plan.smallest_effect) * of_all.value if of_all else None
        known = [arm for arm in arms if self.rates[arm.id] is not None]
        self.ranked = [arm.id for arm in sorted(known, key=lambda arm: -(self.rates[arm.id] or 0.0))]

    def verdict(self) -> Verdict:
        if self.split.fires:
            return self._said(Answer.SPLIT_BROKEN)
        if self.plan.rule is WinnerRule.CHI_SQUARED:
            best = chi_squared_winner(self.experiment, self.metric)
            return self._said(Answer.WINNER, best) if best else self._said(Answer.NO_WINNER)
        waiting = sum(self.experiment.waiting(arm, self.metric) for arm in self.arms)
        if self.plan.plan is PlanKind.FIXED and waiting:
            return self._said(Answer.TOO_EARLY, None, Because.WINDOWS_OPEN)
        if any(arm.total(self.metric.name).n < self.plan.minimum_sample for arm in self.arms):
            return self._said(Answer.TOO_EARLY, None, Because.MINIMUM_SAMPLE)
        if self._most_came_between_shares():
            return self._said(Answer.TOO_EARLY, None, Because.SHARES_MOVING)
        return self._decided()

    def _most_came_between_shares(self) -> bool:
        of_age = sum(arm.total(self.metric.name).n for arm in self.arms)
        kept = sum(sums.n for of_arms in self.experiment.strata(self.metric) for sums in of_arms.values())
        return 2 * kept < of_age

    def _decided(self) -> Verdict:
        for arm in self.arms:
            if all(pair.is_ahead for pair in self.pairs if pair.arm == arm.id):
                return self._won(arm)
        if self._differs_little():
            return self._said(Answer.NO_DIFFERENCE)
        if self.plan.plan is PlanKind.FIXED:
            return self._said(Answer.NO_WINNER)
        if any(conversions_lacking(self.plan.plan, arm.total(self.metric.name)) for arm in self.arms):
            return self._said(Answer.TOO_EARLY, None, Because.FEW_CONVERSIONS)
        for arm in self.arms:
            if all(pair.seems_ahead for pair in self.pairs if pair.arm == arm.id):
                return self._said(Answer.LEADING, arm.id, Because.UNDECIDED)
        return self._said(Answer.TOO_EARLY, None, Because.UNDECIDED)

    def _won(self, arm: Arm) -> Verdict:
        if arm.control:
            return self._said(Answer.CONTROL_BEST, arm.id)
        states = {one.state for one in self.guardrails if one.arm == arm.id}
        if State.BREACHED in states:
            return self._said(Answer.LEADING, arm.id, Because.GUARDRAIL_BREACHED)
        if State.OPEN in states:
            return self._said(Answer.LEADING, arm.id, Because.GUARDRAIL_OPEN)
        return self._said(Answer.WINNER, arm.id)

    def _differs_little(self) -> bool:
        if not self.worth:
            return False
        bounds = [pair.interval for pair in self.pairs]
        return all(one is not None and -self.worth <= one.low and one.high <= self.worth for one in bounds)

    def _said(self, answer: Answer, best: str | None = None, because: Because | None = None) -> Verdict:
        others = [name for name in self.ranked if name != best]
        second = others[0] if best and others else None
        return Verdict(
            answer=answer,
            metric=self.metric,
            level=pair_level(self.experiment, self.metric),
            rates=self.rates,
            pairs=self.pairs,
            best=best,
            second=second,
            because=because,
            missing=self._missing(because, best, second),
            guardrails=self.guardrails,
            split=self.split,
            plain=None if self.experiment.follows_results else plain_of(self.experiment, self.metric),
            redefined=self.experiment.redefined,
            rule=self.plan.rule,
            worth=self.worth,
        )

    def _missing(self, because: Because | None, best: str | None, second: str | None) -> Missing | None:
        if because is Because.WINDOWS_OPEN:
            return missing_windows(self.experiment, self.metric)
        if because is Because.MINIMUM_SAMPLE:
            return missing_minimum(self.experiment, self.metric)
        if because is Because.SHARES_MOVING:
            return missing_standing(self.experiment, self.metric)
        if because is Because.FEW_CONVERSIONS:
            return missing_conversions(self.experiment, self.metric)
        if because is not Because.UNDECIDED or self.worth is None:
            return None
        if best is None or second is None:
            return missing_difference(self.experiment, self.metric, self.worth, self.arms)
        lead = (self.rates[best] or 0.0) - (self.rates[second] or 0.0)
        between = tuple(arm for arm in self.arms if arm.id in (best, second))
        return missing_difference(self.experiment, self.metric, max(lead, self.worth), between)
