"""Intelligent Selection: the shares of the next send, decided from a campaign's situation.

A decision is a pure function of its situation, settings and seed, and carries all three, so it can be replayed and
shown. While a variant is in training it has an equal share; then shares follow the probability to be the best
(Thompson sampling), never below a floor; the control's share is never touched. Users stay with their variant:
assignment moves only as many as a change of shares must (rule 30), and the bandit learns from first exposures
(rule 17). It settles when it is sure that going on could hardly raise the rate, and resumes when another variant has
become more probable or joins. Old exposures are forgotten by halves, which is all that is done about drift.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from afterword.model import Selection
from afterword.selection.allocation import (
    WHOLE_HUNDREDTHS,
    Flags,
    in_hundredths,
    probability_best,
    shares_of,
    value_remaining,
)
from afterword.selection.situation import Candidate, Situation
from afterword.selection.wording import reason_of
from afterword.stats.delayed import Floats, Learned, learn

DRAWS = 20_000
CERTAINTY = 0.95
"""How sure it must be that going on brings next to nothing."""
WORTH = 0.01
"""What it calls next to nothing: this part of the rate."""
RESUME = 0.5
"""It resumes when the variant that it settled on is the best with less than this probability."""


class Stage(StrEnum):
    """How far learning is."""

    TRAINING = "training"
    LEARNING = "learning"
    SETTLED = "settled"


@dataclass(frozen=True, slots=True)
class Standing:
    """What a decision knows of one candidate."""

    id: str
    share: int
    """Hundredths of a percent, as decided."""
    before: int
    """The share until now."""
    n: int
    """First exposures."""
    converted: int
    open: int
    """Of the first exposures, windows that are still open, converted or not."""
    trained: bool
    trials: float
    """How many closed windows all its windows count as, forgetting included."""
    rate: float
    """The expected rate within the deadline."""
    low: float
    """The rate is between `low` and `high` with a probability of 95 %."""
    high: float
    probability_best: float | None
    """None while in training."""
    arrived: float
    """The part of its conversions that has come by now, as far as delays are known."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Shares, and why. Whatever has the same situation, settings and seed is the same decision."""

    situation: Situation
    settings: Selection
    seed: int
    stage: Stage
    shares: dict[str, int]
    """Of all variants, in hundredths of a percent; they sum to 10,000."""
    standings: tuple[Standing, ...]
    leader: str | None
    """The most probable best; None while nobody is out of training."""
    value_remaining: float | None
    """With a probability of 95 % going on could not raise the rate by more than this part of it."""
    reason: str
    """In words."""

    @property
    def changes(self) -> bool:
        """Whether the shares are others than before."""
        return any(one.share != one.before for one in self.standings)

    @property
    def settled_on(self) -> str | None:
        """What the next decision has to know."""
        return self.leader if self.stage is Stage.SETTLED else None


def decide(situation: Situation, settings: Selection, seed: int) -> Decision:
    """Decide on shares."""
    learned = learn(situation.evidence(settings.half_life_seconds))
    trained = _trained(situation, settings)
    draws = learned.rates.draws(np.random.default_rng(seed), DRAWS)
    best = probability_best(draws, trained)
    stage, leader, remaining = _stage(situation, settings, trained, best, draws)
    if stage is Stage.SETTLED:
        best = (np.arange(len(best)) == leader).astype(np.float64)
    kept = dict(situation.kept)
    total = WHOLE_HUNDREDTHS - sum(kept.values())
    count = len(situation.candidates)
    floor = min(settings.floor_hundredths / WHOLE_HUNDREDTHS, 1 / count)
    shares = in_hundredths(shares_of(best, trained, floor), total)
    standings = _standings(situation, learned, draws, trained, shares)
    name = None if leader is None else situation.candidates[leader].id
    return Decision(
        situation=situation,
        settings=settings,
        seed=seed,
        stage=stage,
        shares=kept | {one.id: one.share for one in standings},
        standings=standings,
        leader=name,
        value_remaining=remaining,
        reason=reason_of(situation, settings, stage.value, standings, name, remaining),
    )


def replayed(decision: Decision) -> Decision:
    """Decide again from what a decision carries; it is equal to the decision."""
    return decide(decision.situation, decision.settings, decision.seed)


def _trained(situation: Situation, settings: Selection) -> Flags:
    conversions = sum(sum(one.converted) for one in situation.candidates)
    enough = conversions >= settings.training_conversions
    return np.array([enough and sum(one.n) >= settings.training_users for one in situation.candidates])


def _stage(
    situation: Situation,
    settings: Selection,
    trained: Flags,
    best: Floats,
    draws: Floats,
) -> tuple[Stage, int | None, float | None]:
    if not trained.any():
        return Stage.TRAINING, None, None
    remaining = round(float(value_remaining(draws, trained, CERTAINTY)), 6)
    leader = int(best.argmax())
    if not trained.all():
        return Stage.TRAINING, leader, remaining
    names = [one.id for one in situation.candidates]
    if situation.settled_on in names:
        before = names.index(situation.settled_on)
        if best[before] >= RESUME:
            return Stage.SETTLED, before, remaining
    ended = min(_closed(situation, one) for one in situation.candidates) >= settings.training_users
    return (Stage.SETTLED if ended and remaining < WORTH else Stage.LEARNING), leader, remaining


def _closed(situation: Situation, candidate: Candidate) -> int:
    pairs = zip(situation.cohorts, candidate.n, strict=True)
    return sum(n for cohort, n in pairs if cohort.closed)


def _standings(
    situation: Situation,
    learned: Learned,
    draws: Floats,
    trained: Flags,
    shares: list[int],
) -> tuple[Standing, ...]:
    best = probability_best(draws, trained)
    low, high = np.quantile(draws, [0.025, 0.975], axis=0)
    mean = learned.rates.mean
    return tuple(
        Standing(
            id=one.id,
            share=shares[place],
            before=one.share,
            n=sum(one.n),
            converted=sum(one.converted),
            open=sum(one.n) - _closed(situation, one),
            trained=bool(trained[place]),
            trials=round(float(learned.trials[place]), 1),
            rate=round(float(mean[place]), 8),
            low=round(float(low[place]), 8),
            high=round(float(high[place]), 8),
            probability_best=round(float(best[place]), 6) if trained[place] else None,
            arrived=round(float(learned.due[place]), 6),
        )
        for place, one in enumerate(situation.candidates)
    )
