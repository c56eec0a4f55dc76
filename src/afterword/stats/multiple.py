"""Several questions at once: several variants, several conversion events.

Every function takes p values and answers adjusted p values in the same order: a hypothesis is decided at level alpha
where its adjusted p value is at most alpha (`decided`). None stands for a hypothesis that has no p value yet; it keeps
its place in the family (as if it were 1), because the family was fixed before the data came.

Always-valid p values may be used as well as ordinary ones: all procedures here only ask that each p value is at most u
with probability at most u where its hypothesis is true, which always-valid ones fulfil at every time at once. As they
never rise, and all procedures decide more when p values fall, what is decided stays decided.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

PValues = Sequence[float | None]
Adjusted = tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Gatekept:
    """Adjusted p values of the primary event per variant, and of its secondary events per variant and event."""

    primary: Adjusted
    secondary: tuple[Adjusted, ...]


def decided(adjusted: PValues, alpha: float) -> list[bool]:
    """Which hypotheses are refuted at level alpha, given their adjusted p values."""
    return [p is not None and p <= alpha for p in adjusted]


def holm(p_values: PValues) -> Adjusted:
    """Holm's step-down procedure: the family-wise error is at most alpha, whatever the dependence.

    In order of p the adjusted values are (m - i + 1) p_i, at least those before them, at most 1. Holm, S. (1979), A
    simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6, 65-70.
    """
    values = _values(p_values)
    adjusted, so_far = [1.0] * len(values), 0.0
    for rank, index in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        so_far = max(so_far, min(1.0, (len(values) - rank) * values[index]))
        adjusted[index] = so_far
    return _like(p_values, adjusted)


def benjamini_hochberg(p_values: PValues) -> Adjusted:
    """Adjusted p values by which the *false discovery rate* is at most alpha: not the chance of any error.

    Of the hypotheses called refuted at 5 %, one in twenty is expected to be wrong. m p_i / i in order of p, at most
    those after them. Benjamini, Y. and Hochberg, Y. (1995), Controlling the false discovery rate, JRSS B 57, 289-300.
    It holds for independent p values and under positive dependence (Benjamini and Yekutieli 2001, Annals of Statistics
    29, 1165-1188).
    """
    values = _values(p_values)
    adjusted, so_far, m = [1.0] * len(values), 1.0, len(values)
    for rank, index in reversed(list(enumerate(sorted(range(m), key=values.__getitem__), start=1))):
        so_far = min(so_far, m * values[index] / rank)
        adjusted[index] = so_far
    return _like(p_values, adjusted)


def gatekeeping(primary: PValues, secondary: Sequence[PValues], passed_on: float = 0.0) -> Gatekept:
    """Primary and secondary events of all variants, with one family-wise error over all of them.

    `primary` has a p value per variant, `secondary` per variant those of its other conversion events. The primary has
    the full level, by Holm over the variants; a secondary event can only be decided after its variant's primary.

    With `passed_on` 0 a decided primary passes its level to the other primaries (exactly Holm), and the last of them
    to all secondary events, by Holm again: serial gatekeeping, Maurer, Hothorn and Lehmacher (1995); Westfall and
    Krishen (2001), Journal of Statistical Planning and Inference 99, 25-40. With one variant its secondary events are
    tested at the full level as soon as its primary is decided.

    Above 0 that share of a decided primary's level goes to the secondary events of the same variant, and only the rest
    to the other primaries, which are then tested at less than Holm's level: what the one gets the others lose, or the
    error is more than alpha. When all secondary events of a variant are decided, their level returns to the primaries
    left. It is the graphical procedure of Bretz, Maurer, Brannath and Posch (2009), Statistics in Medicine 28,
    586-604.
    """
    if len(secondary) != len(primary):
        raise ValueError(f"secondary events of {len(secondary)} variants for primaries of {len(primary)}")
    if not 0 <= passed_on <= 1:
        raise ValueError(f"passed_on is {passed_on}, must be from 0 to 1")
    firsts, events = _values(primary), [p for of in secondary for p in of]
    if passed_on and len(primary) > 1:
        weights, edges = _by_variant(len(primary), [len(of) for of in secondary], passed_on)
        adjusted: Sequence[float | None] = graphical([*primary, *events], weights, edges)
    else:
        firsts_adjusted = holm(firsts)
        gate = max((p for p in firsts_adjusted if p is not None), default=0.0)
        adjusted = [*firsts_adjusted, *(max(gate, p) for p in _values(holm(_values(events))))]
    seconds = iter(adjusted[len(primary) :])
    return Gatekept(
        primary=_like(primary, _values(adjusted[: len(primary)])),
        secondary=tuple(_like(of, _values([next(seconds) for _ in of])) for of in secondary),
    )


def graphical(p_values: PValues, weights: Sequence[float], edges: Sequence[Sequence[float]]) -> Adjusted:
    """The sequentially rejective procedure of a graph: weights are shares of alpha, edges where they go when decided.

    `weights` sum to at most 1, and so does each row of `edges`, whose diagonal is 0. Algorithm 2 of Bretz, Maurer,
    Brannath and Posch (2009), Statistics in Medicine 28, 586-604; family-wise error at most alpha, whatever the
    dependence.
    """
    import numpy as np

    p, share, edge = np.array(_values(p_values)), np.array(weights, float), np.array(edges, float)
    if edge.shape != (len(p), len(p)) or share.shape != p.shape:
        raise ValueError(f"a graph of {len(p)} hypotheses needs as many weights, and edges from each to each")
    if share.sum() > 1 + 1e-9 or (edge.sum(axis=1) > 1 + 1e-9).any() or min(share.min(), edge.min()) < 0:
        raise ValueError("weights, and the edges from each hypothesis, must be from 0 up and sum to at most 1")
    adjusted, left, so_far = np.ones(len(p)), np.ones(len(p), bool), 0.0
    for _ in range(len(p)):
        needed = np.divide(p, share, out=np.full(len(p), np.inf), where=left & (share > 0))
        now = int(needed.argmin())
        if needed[now] > 1:
            break
        adjusted[now] = so_far = max(so_far, float(needed[now]))
        left[now] = False
        share = share + share[now] * edge[now]
        loops = 1 - edge[:, now] * edge[now]
        through = edge + np.outer(edge[:, now], edge[now])
        edge = np.divide(through, loops[:, None], out=np.zeros_like(edge), where=loops[:, None] > 1e-12)
        np.fill_diagonal(edge, 0.0)
        edge[now], edge[:, now], share[now] = 0.0, 0.0, 0.0
    return _like(p_values, adjusted.tolist())


LAST = 1e-6
"""The share of a level on an edge meant only for when nothing nearer is left: the epsilon of Bretz et al."""


def _by_variant(variants: int, events: Sequence[int], passed_on: float) -> tuple[list[float], list[list[float]]]:
    """The graph of `gatekeeping`: primaries first, then the secondary events variant by variant."""
    size = variants + sum(events)
    edges = [[0.0] * size for _ in range(size)]
    start = variants
    for variant, count in enumerate(events):
        own, others = range(start, start + count), [v for v in range(variants) if v != variant]
        start += count
        here = passed_on if count else 0.0
        for other in others:
            edges[variant][other] = (1 - here) / len(others)
        for event in own:
            edges[variant][event] = here / count
            to_others = LAST if count > 1 else 1.0
            for other in others:
                edges[event][other] = to_others / len(others)
            for sibling in own:
                if sibling != event:
                    edges[event][sibling] = (1 - to_others) / (count - 1)
    return [1 / variants] * variants + [0.0] * (size - variants), edges


def _values(p_values: PValues) -> list[float]:
    values = [1.0 if p is None else p for p in p_values]
    if wrong := [p for p in values if not 0 <= p <= 1]:
        raise ValueError(f"p value is {wrong[0]}, must be from 0 to 1")
    return values


def _like(p_values: PValues, adjusted: Sequence[float]) -> Adjusted:
    """Adjusted values, and None where there was no p value."""
    return tuple(None if p is None else a for p, a in zip(p_values, adjusted, strict=True))
