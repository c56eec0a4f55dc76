"""Verdicts in plain language: one sentence that says it, and what a reader may want to know next."""

from __future__ import annotations

from afterword.model import GuardrailEvent, PlanKind, WinnerRule, Worse
from afterword.reports import wording
from afterword.selection.evidence import conversions_lacking
from afterword.selection.experiment import Experiment
from afterword.selection.guardrails import Guarded, State
from afterword.selection.missing import Basis, Missing
from afterword.selection.winner import Answer, Because, Verdict
from afterword.stats.sequential import BURN_IN

YEAR_DAYS = 365
EVENTS = {
    GuardrailEvent.UNSUBSCRIBE: "unsubscribed",
    GuardrailEvent.COMPLAINT: "complained",
    GuardrailEvent.BOUNCE: "could not be reached",
}
RATES = {
    Basis.OWN: "at the rate so far that takes about {} more",
    Basis.TOGETHER: "at the rate of all variants together that takes about {} more",
    Basis.AT_LEAST: "at the highest rate that fits so far that takes at least {} more",
}


def sentence(verdict: Verdict, experiment: Experiment) -> str:
    """Return the verdict as one sentence."""
    return _Words(verdict, experiment).sentence()


def remarks(verdict: Verdict, experiment: Experiment) -> list[str]:
    """Return what belongs to the verdict: what is missing, what it rests on, what was changed."""
    return _Words(verdict, experiment).remarks()


def plain_sentence(verdict: Verdict, experiment: Experiment) -> str | None:
    """Return what other tools would show, and why it is not the verdict; None where they would show nothing."""
    return _Words(verdict, experiment).plain()


class _Words:
    def __init__(self, verdict: Verdict, experiment: Experiment) -> None:
        self.verdict, self.experiment, self.plan = verdict, experiment, experiment.plan
        self.names = {arm.id: "control" if arm.control else f'"{arm.name}"' for arm in experiment.arms}
        self.best = self.names.get(verdict.best or "", "")
        self.second = self.names.get(verdict.second or "", "")

    def sentence(self) -> str:
        by_answer = {
            Answer.WINNER: self._winner,
            Answer.LEADING: self._leading,
            Answer.CONTROL_BEST: self._control_best,
            Answer.NO_DIFFERENCE: self._no_difference,
            Answer.NO_WINNER: self._no_winner,
            Answer.TOO_EARLY: self._too_early,
            Answer.SPLIT_BROKEN: self._split_broken,
        }
        return by_answer[self.verdict.answer]()

    def _rate(self, arm: str | None) -> str:
        return wording.percent(self.verdict.rates.get(arm or ""))

    def _ahead(self) -> str:
        return f"{self._rate(self.verdict.best)} converted, against {self._rate(self.verdict.second)} of {self.second}"

    def _winner(self) -> str:
        by = "By the chi-squared rule " if self.verdict.rule is WinnerRule.CHI_SQUARED else ""
        return f"{by}{self.best} is the winner: {self._ahead()}, the next best."

    def _control_best(self) -> str:
        best_message = "the best variant with a message"
        return f"No message is better than none: of control {self._ahead()}, {best_message}."

    def _leading(self) -> str:
        if self.verdict.because is Because.UNDECIDED:
            return f"{_capital(self.best)} is leading, but that may still be chance: {self._ahead()}, the next best."
        wanted = State.BREACHED if self.verdict.because is Because.GUARDRAIL_BREACHED else State.OPEN
        one = next(one for one in self.verdict.guardrails if one.arm == self.verdict.best and one.state is wanted)
        return f"{self.best} converts best, but is not the winner: {self._guardrail(one)}."

    def _guardrail(self, one: Guarded) -> str:
        event, margin = one.guardrail.event, wording.percent(float(one.guardrail.margin))
        if event in EVENTS:
            if one.state is State.BREACHED:
                return f"{wording.percent(one.harm)} of its users {EVENTS[event]}, and the plan allows {margin}"
            return f"it is not shown yet that at most {margin} of its users {EVENTS[event]}"
        other = self.names.get(one.against or "", "")
        points = _points(float(one.guardrail.margin))
        side = "above" if one.guardrail.worse is Worse.MORE else "below"
        if one.state is State.BREACHED:
            return f"on {event} it is {_points(one.harm or 0.0)} {side} {other}, and the plan allows {points}"
        return f"it is not shown yet that on {event} it is at most {points} {side} {other}"

    def _no_difference(self) -> str:
        effect = _percent_of(float(self.plan.smallest_effect))
        return (
            f"There is no difference worth having: no two variants differ by more than {effect} of the rate "
            f"({_points(self.verdict.worth or 0.0)})."
        )

    def _no_winner(self) -> str:
        if self.verdict.rule is WinnerRule.CHI_SQUARED:
            return "By the chi-squared rule there is no winner so far."
        return "There is no winner: at the one look that was planned no variant was ahead of every other."

    def _too_early(self) -> str:
        missing, days = self.verdict.missing, _days(self.verdict.missing)
        users = wording.number(missing.users) if missing else ""
        if self.verdict.because is Because.WINDOWS_OPEN:
            longer = f", for {days}" if days else ""
            return f"It is too early: the plan is one look when all windows have closed, and {users} are open{longer}."
        if self.verdict.because is Because.MINIMUM_SAMPLE:
            minimum = wording.number(self.plan.minimum_sample)
            takes = (
                f", which {_at_the_pace(missing)}takes {days}" if days else ", and nobody new comes into the campaign"
            )
            return (
                f"It is too early: the plan asks for {minimum} users in each variant whose window has passed; {users} "
                f"more are missing{takes}."
            )
        if self.verdict.because is Because.SHARES_MOVING:
            when = f", {_at_the_pace(missing)}{days}" if days else ", but nobody new comes into the campaign"
            more = wording.number(_about(missing.users)) if missing else ""
            takes = (
                f" If they stay as they are now, that takes about {more} more users in all{when}." if missing else ""
            )
            return (
                "It is too early: the shares were changed so often that no two variants have enough users who came at "
                f"the same time.{takes}"
            )
        if self.verdict.because is Because.FEW_CONVERSIONS:
            return self._few_conversions()
        return "It is too early to tell: no variant is clearly ahead."

    def _few_conversions(self) -> str:
        arms, letter = self.experiment.arms_of(self.verdict.metric), self.verdict.metric.name
        few = [self.names[arm.id] for arm in arms if conversions_lacking(self.plan.plan, arm.total(letter))]
        have = f"{few[0]} has" if len(few) == 1 else f"{', '.join(few[:-1])} and {few[-1]} have"
        missing, days = self.verdict.missing, _days(self.verdict.missing)
        takes = f"; {RATES[missing.basis].format(wording.number(_about(missing.users)))}" if missing else ""
        when = f", {_at_the_pace(missing)}{days}" if days else ", but nobody new comes into the campaign"
        return (
            f"It is too early: {have} fewer than {BURN_IN} users who converted, or fewer who did not"
            f"{takes + when if missing else ''}."
        )

    def _split_broken(self) -> str:
        reasons = "; ".join(map(_uncapital, self.verdict.split.reasons))
        return f"There is no verdict, because the split is broken: {reasons}."

    # --- what belongs to it -------------------------------------------------------------------------

    def remarks(self) -> list[str]:
        found = [self._missing(), self._grounds(), self._shares(), self._redefined()]
        return [one for one in found if one]

    def _missing(self) -> str:
        missing = self.verdict.missing
        if self.verdict.because is not Because.UNDECIDED or missing is None or missing.difference is None:
            return ""
        users = wording.number(_about(missing.users))
        as_large = "as large as this one" if self.verdict.answer is Answer.LEADING else "worth having"
        when = (
            f", {_at_the_pace(missing)}{days}"
            if (days := _days(missing))
            else ", but nobody new comes into the campaign"
        )
        return (
            f"To be sure of a difference {as_large} ({_points(missing.difference)}) takes about {users} more users in "
            f"each variant{when}."
        )

    def _grounds(self) -> str:
        if self.verdict.answer not in (Answer.WINNER, Answer.CONTROL_BEST):
            return ""
        if self.verdict.rule is WinnerRule.CHI_SQUARED:
            return (
                "That rule is meant for one look: with several looks or several variants it names winners where there "
                "is no difference far more often than in 5 of 100 campaigns."
            )
        alpha = f"{float(self.plan.alpha) * 100:g}"
        looks = "however often one looks" if self.plan.plan is PlanKind.ALWAYS_VALID else "at the one look planned"
        return f"Where there is no difference, such a verdict comes in at most {alpha} of 100 campaigns, {looks}."

    def _shares(self) -> str:
        if self.experiment.follows_results:
            return "Shares follow results here (Intelligent Selection), so variants are compared day by day."
        if not self.experiment.changed_on:
            return ""
        return "Shares were changed while users came in; variants are compared among users who came at the same time."

    def _redefined(self) -> str:
        if not self.verdict.redefined:
            return ""
        return (
            "The conversion events were changed after the first exposure, so this is not the verdict that was planned."
        )

    def plain(self) -> str | None:
        plain = self.verdict.plain
        if plain is None:
            return None
        sure, best, against = wording.confidence(plain.confidence), self.names[plain.best], self.names[plain.against]
        arms = self.experiment.arms_of(self.verdict.metric)
        waiting = any(self.experiment.waiting(arm, self.verdict.metric) for arm in arms)
        still_open = (
            ", and it takes users whose windows are still open for users who did not convert" if waiting else ""
        )
        comparisons = len(arms) * (len(arms) - 1) // 2
        together = f" for all {comparisons} comparisons together," if comparisons > 1 else ""
        looks = "however often one looks" if self.plan.plan is PlanKind.ALWAYS_VALID else "at the one look planned"
        return (
            f"Other tools would show {sure} confidence for {best} against {against}. That figure is meant for one look "
            f"at one comparison, both fixed beforehand{still_open}; the verdict holds{together} {looks}."
        )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _uncapital(text: str) -> str:
    return text[:1].lower() + text[1:]


def _points(difference: float) -> str:
    """0.12 percentage points."""
    points = 100 * difference
    digits = 2 if points >= 0.1 else 3
    return f"{points:.{digits}f} percentage points"


def _percent_of(fraction: float) -> str:
    return f"{100 * fraction:g}{wording.NARROW}%"


def _days(missing: Missing | None) -> str:
    if missing is None or missing.days is None:
        return ""
    days = missing.days
    if days > 2 * YEAR_DAYS:
        return f"about {round(days / YEAR_DAYS):,} years"
    return f"about {days:,} {'day' if days == 1 else 'days'}"


def _at_the_pace(missing: Missing | None) -> str:
    return "at the pace so far " if missing is not None and missing.by_pace else ""


def _about(users: int) -> int:
    """Two digits: nobody knows more."""
    digits = max(0, len(str(users)) - 2)
    return round(users, -digits)
