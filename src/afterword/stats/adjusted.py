"""Estimates adjusted by what persons did before their first exposure: CUPED.

What a person did before cannot be due to the message, so the part of the outcome that it explains is noise to the
comparison and may be taken out: the estimate stays unbiased, and its variance shrinks by the squared correlation.
Deng, A., Xu, Y., Kohavi, R. and Walker, T. (2013), Improving the sensitivity of online controlled experiments by
utilizing pre-experiment data, WSDM '13, 123-132. The adjusted estimates go into `means.welch` like the raw ones;
reports show both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from afterword.stats.means import Estimate, Winsorised, bare, residue, variance_of
from afterword.stats.sums import Sums


@dataclass(frozen=True, slots=True)
class Adjusted:
    """One estimate per arm, in the order given; None for an arm with nobody.

    `theta` is by how much the outcome goes up with the covariate, the same for all arms. `saved` is the share of the
    variance between persons that the adjustment takes away, the squared correlation within arms: with 0.3 saved, 30 %
    fewer persons say as much. It is None where the outcome has no variance to save.
    """

    theta: float
    saved: float | None
    estimates: tuple[Estimate | None, ...]


@dataclass(frozen=True, slots=True)
class _Arm:
    """An arm's estimate and its sums of squares and products around the arm's own means."""

    n: int
    value: float
    covariate: float
    zz: float
    zx: float
    xx: float


def adjusted_means(arms: Sequence[Sums | Winsorised]) -> Adjusted | None:
    """Means of y per person, as if all arms had had the same mean of x before; None where x does not vary.

    mean(y) - theta (mean(x) - mean of x over all arms), theta = sum over arms of S_xy / sum over arms of S_xx with the
    sums of products around each arm's means: the common slope of an analysis of covariance, so the difference of two
    arms is that regression's coefficient to the last digit. (The paper takes theta over all persons together, which
    differs by a term of the order of the effect.) The variance is that of y - theta x within the arm, without assuming
    that arms have the same.
    """
    return _adjusted([_of_mean(bare(arm)) for arm in arms])


def adjusted_ratios(arms: Sequence[Sums | Winsorised]) -> Adjusted | None:
    """Ratios sum y / sum m, adjusted per person; None where x does not vary.

    The adjustment of the linearised residual z = (y - r m) / mean(m), whose mean has the variance of the ratio: with
    one unit per person it is `adjusted_means`. Deng, Knoblich and Lu (2018), KDD.
    """
    return _adjusted([_of_ratio(bare(arm)) for arm in arms])


def _of_mean(sums: Sums) -> _Arm | None:
    if not sums.n:
        return None
    y, x = sums.y / sums.n, sums.x / sums.n
    return _Arm(
        n=sums.n,
        value=y,
        covariate=x,
        zz=residue(sums.yy - sums.y * y, sums.yy),
        zx=sums.xy - sums.x * y,
        xx=residue(sums.xx - sums.x * x, sums.xx),
    )


def _of_ratio(sums: Sums) -> _Arm | None:
    if not sums.m:
        return None
    r, units, x = sums.y / sums.m, sums.m / sums.n, sums.x / sums.n
    return _Arm(
        n=sums.n,
        value=r,
        covariate=x,
        zz=residue(sums.yy - 2 * r * sums.my + r * r * sums.mm, sums.yy + r * r * sums.mm) / units**2,
        zx=(sums.xy - r * sums.xm) / units,
        xx=residue(sums.xx - sums.x * x, sums.xx),
    )


def _adjusted(arms: Sequence[_Arm | None]) -> Adjusted | None:
    held = [arm for arm in arms if arm is not None]
    n, xx = sum(arm.n for arm in held), sum(arm.xx for arm in held)
    if not xx:
        return None
    zx, zz = sum(arm.zx for arm in held), sum(arm.zz for arm in held)
    theta, everywhere = zx / xx, sum(arm.n * arm.covariate for arm in held) / n
    return Adjusted(
        theta=theta,
        saved=min(1.0, zx * zx / (xx * zz)) if zz else None,
        estimates=tuple(_estimate(arm, theta, everywhere) if arm else None for arm in arms),
    )


def _estimate(arm: _Arm, theta: float, everywhere: float) -> Estimate:
    value = arm.value - theta * (arm.covariate - everywhere)
    squares = arm.zz - 2 * theta * arm.zx + theta * theta * arm.xx
    return Estimate(value, variance_of(residue(squares, arm.zz + theta * theta * arm.xx), arm.n), arm.n)
