"""Did chance alone split the users? The check that a comparison rests on (sample ratio mismatch).

Assignment puts each user into a variant with a known probability. If the numbers are not what that gives, users were
lost or moved for a reason, the arms are no longer alike, and no verdict is to be trusted. The check is sequential: it
may be looked at every day, and without cause it fires with probability at most 1 % over all looks together.

The evidence is an e-value, a bet against the planned shares: fair while they hold (expectation 1), so that it ever
reaches 100 with probability at most 1/100 (Ville's inequality). The bet is that of Lindon, M. and Malek, A. (2022),
Anytime-valid inference for multinomial count data, NeurIPS 35: the Dirichlet-multinomial likelihood of the counts
against the multinomial one, with the mixing distribution Dirichlet(k shares) around the shares. Half of the stake is
on k = 100 (shares that are wrong by points), half on k = 10,000 (by tenths of a point).

Averages of e-values are e-values, whatever the dependence, and that is how the parts come together (`check`):

- *shares*, half of the stake: all users by variant against the shares of the time they came in;
- *days*, a quarter: each day by itself, day d with the share 1 / (d (d + 1)) of it, so that a bad day is found whose
  effect others hide, and days to come need not be known;
- *outcomes*, a quarter: users with the same outcome of the message must fall on the variants by the planned shares too,
  or the outcome depends on the variant and thins it (rule 7). Control has no message, so what becomes of one cannot be
  compared with it: the check is between the variants with a message.

Users seen in several variants raise the warning from 1 % on, by rule 17 and not by chance.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from afterword.stats.rates import ChiSquared, chi_squared_tail

FALSE_ALARMS = 0.01
"""The probability that the check ever fires while assignment does what it should."""

CONCENTRATIONS = (100.0, 10_000.0)
"""The k of the mixing Dirichlet distributions: a larger one finds smaller deviations, with more users."""

SEVERAL_VARIANTS = 0.01
"""The share of users seen in several variants that raises the warning (rule 17)."""

STAKES = {"shares": 0.5, "days": 0.25, "outcomes": 0.25}

OUTCOMES = ("sent", "bounced", "aborted", "capped", "opted_out", "failed", "held_out")
"""What rule 7 knows can become of a message; each has the same part of the stake on outcomes."""


@dataclass(frozen=True, slots=True)
class Split:
    """Users counted by variant, once each, in the variant that they came into first, and the shares planned for them.

    Shares are weights: they need not add up to 1.
    """

    counts: tuple[int, ...]
    shares: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.counts) != len(self.shares):
            raise ValueError(f"{len(self.counts)} counts and {len(self.shares)} shares, must be as many")
        if any(count < 0 for count in self.counts) or any(share < 0 for share in self.shares) or not sum(self.shares):
            raise ValueError("counts and shares must be at least 0, and some share above it")


@dataclass(frozen=True, slots=True)
class SplitCheck:
    """What the check found. It fires where `reasons` is not empty.

    `log_e` is the logarithm of the e-value, `p_value` min(1, 1/e): always valid. `expected` and `seen` are the shares
    of all days together. `days` are the days that deviate by themselves (indices, at the same 1 % over all days),
    `outcomes` those that do not fall on the variants as planned, `several` the share of users seen in several variants.
    """

    fires: bool
    log_e: float
    p_value: float
    expected: tuple[float, ...]
    seen: tuple[float, ...]
    days: tuple[int, ...]
    outcomes: tuple[str, ...]
    several: float | None
    reasons: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """What a page says under the warning, or that nothing is wrong."""
        return " ".join(f"{reason}." for reason in self.reasons) if self.reasons else "The split is as planned."


def log_e(counts: Sequence[int], shares: Sequence[float]) -> float:
    """The logarithm of the e-value against these shares; 0 (no evidence) where there is nobody.

    ln of the mean over k of [B(k s + n) / B(k s)] / prod s_i^n_i, B the multivariate beta function. A user where the
    share is 0 is impossible, and the evidence infinite.
    """
    if any(n and not s for n, s in zip(counts, shares, strict=True)):
        return math.inf
    kept = [(n, s) for n, s in zip(counts, shares, strict=True) if s]
    whole = math.fsum(s for _, s in kept)
    return _log_mean([_log_bet([n for n, _ in kept], [s / whole for _, s in kept], k) for k in CONCENTRATIONS])


def chi_squared(counts: Sequence[int], shares: Sequence[float]) -> ChiSquared | None:
    """Pearson's test of the same question, for one look that was fixed beforehand; None without users or a choice.

    Pearson, K. (1900), Philosophical Magazine 50, 157-175.
    """
    total, whole = sum(counts), math.fsum(shares)
    if not total or len(counts) < 2 or not all(share > 0 for share in shares):
        return None
    expected = [total * share / whole for share in shares]
    statistic = math.fsum((n - e) ** 2 / e for n, e in zip(counts, expected, strict=True))
    return ChiSquared(statistic, len(counts) - 1, chi_squared_tail(statistic, len(counts) - 1))


def check(
    days: Sequence[Split],
    names: Sequence[str],
    *,
    outcomes: Mapping[str, Sequence[int]] | None = None,
    messages: Sequence[bool] | None = None,
    several: tuple[int, int] | None = None,
) -> SplitCheck:
    """Check the users of all days: one `Split` per day on which users came in, in order of the days.

    `names` are the variants' names for the sentences. Shares of different days may differ where the campaign's were
    changed. `outcomes` are users (once each, by the first message meant for them) per outcome and variant, `messages`
    says which variants send one (default: all). `several` is the number of users seen in several variants, and of all
    users. For the next look at a growing campaign call it again with everything that is known by then.
    """
    enough = -math.log(FALSE_ALARMS)
    expected, seen = _shares(days, len(names))
    by_days = [log_e(d.counts, d.shares) - math.log((i + 1) * (i + 2)) for i, d in enumerate(days)]
    by_outcomes = _log_e_of_outcomes(outcomes or {}, expected, messages or (True,) * len(names))
    parts = {
        "shares": math.fsum(log_e(epoch.counts, epoch.shares) for epoch in _epochs(days)),
        # The stake on days to come is still in hand.
        "days": _log_sum([*by_days, -math.log(len(days) + 1)]),
        "outcomes": _log_mean([by_outcomes.get(name, 0.0) for name in OUTCOMES]),
    }
    staked = {name: math.log(STAKES[name]) + part for name, part in parts.items()}
    evidence = _log_sum(list(staked.values()))
    odd_days = tuple(i for i, e in enumerate(by_days) if e >= enough)

    reasons = []
    if evidence >= enough:
        if staked["outcomes"] > max(staked["shares"], staked["days"]):
            reasons.append(_sentence_of_outcomes(by_outcomes))
        else:
            reasons.append(_sentence_of_shares(names, expected, seen, sum(sum(d.counts) for d in days), odd_days))
    share = several[0] / several[1] if several and several[1] else None
    if several and share is not None and share >= SEVERAL_VARIANTS:
        some = f"{several[0]:,} of {several[1]:,} users ({share:.1%})"
        reasons.append(f"{some} were seen in several variants, which assignment never does")
    return SplitCheck(
        fires=bool(reasons),
        log_e=evidence,
        p_value=min(1.0, math.exp(-evidence)),
        expected=expected,
        seen=seen,
        days=odd_days,
        outcomes=tuple(n for n, e in by_outcomes.items() if e - math.log(len(OUTCOMES)) >= enough),
        several=share,
        reasons=tuple(reasons),
    )


def _epochs(days: Sequence[Split]) -> list[Split]:
    """The days with the same shares together: one test for each, on users of its own."""
    epochs: dict[tuple[float, ...], list[tuple[int, ...]]] = {}
    for day in days:
        epochs.setdefault(day.shares, []).append(day.counts)
    return [Split(tuple(map(sum, zip(*counts, strict=True))), shares) for shares, counts in epochs.items()]


def _log_e_of_outcomes(
    outcomes: Mapping[str, Sequence[int]], expected: Sequence[float], messages: Sequence[bool]
) -> dict[str, float]:
    if unknown := outcomes.keys() - set(OUTCOMES):
        raise ValueError(f"unknown outcome `{min(unknown)}`, must be one of {', '.join(OUTCOMES)}")
    kept = [i for i, share in enumerate(expected) if share and messages[i]]
    if len(kept) < 2:
        return {}
    shares = [expected[i] for i in kept]
    return {name: log_e([outcomes[name][i] for i in kept], shares) for name in OUTCOMES if name in outcomes}


def _shares(days: Sequence[Split], variants: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The shares expected (of the days, weighted by their users) and seen; empty without users."""
    total = sum(sum(day.counts) for day in days)
    if not total:
        return (), ()
    expected = [
        math.fsum(sum(day.counts) * day.shares[i] / math.fsum(day.shares) for day in days) / total
        for i in range(variants)
    ]
    return tuple(expected), tuple(sum(day.counts[i] for day in days) / total for i in range(variants))


def _sentence_of_shares(
    names: Sequence[str], expected: Sequence[float], seen: Sequence[float], total: int, days: Sequence[int]
) -> str:
    digits = 1 if max(abs(e - s) for e, s in zip(expected, seen, strict=True)) >= 0.002 else 2
    listed = ", ".join(
        f"{name} {'got ' if not place else ''}{100 * s:.{digits}f} % instead of {100 * e:.{digits}f} %"
        for place, (name, e, s) in enumerate(zip(names, expected, seen, strict=True))
    )
    bad = (
        ", on one of the days even by itself"
        if len(days) == 1
        else f", on {len(days)} days even by themselves"
        if days
        else ""
    )
    return f"Of {total:,} users, {listed}, which is not chance{bad}"


def _sentence_of_outcomes(by_outcomes: Mapping[str, float]) -> str:
    worst = max(by_outcomes, key=by_outcomes.__getitem__)
    return f"The outcome `{worst}` does not fall on the variants alike, so some variant reaches fewer of its users"


def _log_bet(counts: Sequence[int], shares: Sequence[float], k: float) -> float:
    terms = [math.lgamma(k) - math.lgamma(k + sum(counts))]
    for n, share in zip(counts, shares, strict=True):
        terms += [math.lgamma(k * share + n), -math.lgamma(k * share), -n * math.log(share)]
    return math.fsum(terms)


def _log_mean(logs: Sequence[float]) -> float:
    return _log_sum(logs) - math.log(len(logs))


def _log_sum(logs: Sequence[float]) -> float:
    most = max(logs)
    if math.isinf(most):
        return most
    return most + math.log(math.fsum(math.exp(value - most) for value in logs))
