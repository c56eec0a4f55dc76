"""What a decision on shares is made from: a campaign's situation, small enough to be kept with the decision.

It is built from a campaign's entry in report.json: how long conversions take (`delays`, the life table of rule 40),
and who was exposed first on which day and has converted so far (`by_first_exposure_day`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from afterword.errors import UserError
from afterword.model import Campaign
from afterword.stats.delayed import Evidence, Floats
from afterword.stats.delays import Delays

PRIMARY = "A"
HOUR, DAY = 3600, 86_400
EDGES = (1, 2, 4, 8, 16, *range(24, 168, 24), *range(168, 721, 48))
"""Hours of age at which pieces end: the first hours apart, then days, then pairs of days."""
INSTANT = 1 / HOUR
BLOCK = 7
"""Days of first exposure that are kept together once all their windows are closed."""


class NothingToSelect(UserError):
    """The campaign is none that shares can be chosen for; the message says why."""


@dataclass(frozen=True, slots=True)
class Cohort:
    """Persons first exposed within a span of days; of a day with open and closed windows each part is one."""

    first_day: str
    last_day: str
    youngest: float
    """Hours since the end of the span, at least 0."""
    oldest: float
    """Hours since the beginning of the span."""
    closed: bool
    """Whether the windows are over."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A variant with a message and a share; lists run over the cohorts and over the pieces of age."""

    id: str
    share: int
    """Hundredths of a percent, as it is now."""
    n: tuple[int, ...]
    converted: tuple[int, ...]
    watched: tuple[float, ...]
    """Hours that exposures were watched unconverted, per piece of age."""
    came: tuple[int, ...]
    """Conversions per piece of age."""
    persons_per_unit: float = 1.0
    """Below 1 where exposures or channels are counted, which tell less than as many persons (rule 17)."""


@dataclass(frozen=True, slots=True)
class Situation:
    """All that a decision looks at."""

    campaign_id: str
    as_of: int
    """Epoch microseconds."""
    deadline_seconds: int
    pieces: tuple[float, ...]
    """The ages in hours at which the pieces end."""
    cohorts: tuple[Cohort, ...]
    candidates: tuple[Candidate, ...]
    kept: tuple[tuple[str, int], ...]
    """Variants that are left as they are, with their shares: the control, and those that have none."""
    settled_on: str | None = None
    """The variant on which the decision before this one had settled."""

    def evidence(self, half_life_seconds: float | None) -> Evidence:
        """Return the arrays [candidate, ...] of `afterword.stats.delayed`."""
        ends = np.array(self.pieces)
        starts = np.concatenate([[0.0], ends[:-1]])
        middle = np.array([(cohort.youngest + cohort.oldest) / 2 for cohort in self.cohorts])
        forgotten = np.ones_like(middle) if half_life_seconds is None else 0.5 ** (middle * HOUR / half_life_seconds)
        persons = np.array([one.persons_per_unit for one in self.candidates])[:, None]
        lived = [np.ones_like(ends) if one.closed else _lived(starts, ends, one) for one in self.cohorts]
        return Evidence(
            widths=ends - starts,
            at_risk=np.array([one.watched for one in self.candidates], np.float64),
            came=np.array([one.came for one in self.candidates], np.float64),
            n=np.array([one.n for one in self.candidates], np.float64) * persons,
            converted=np.array([one.converted for one in self.candidates], np.float64) * persons,
            lived=np.array(lived).reshape(len(self.cohorts), len(ends)),
            weight=forgotten,
        )


def _lived(starts: Floats, ends: Floats, cohort: Cohort) -> Floats:
    """Return the share of each piece that persons have lived through whose ages are spread evenly over a span."""
    old, young = cohort.oldest, cohort.youngest

    def area(age: float) -> Floats:
        inside = np.clip(age - starts, 0.0, ends - starts)
        return np.asarray(inside * (np.maximum(age - starts, 0.0) - inside / 2))

    return np.asarray((area(old) - area(young)) / ((old - young) * (ends - starts)))


def situation_of(campaign: Campaign, report: Mapping[str, Any], as_of: int, settled_on: str | None = None) -> Situation:
    """Return the situation of a campaign as of a time.

    Args:
        campaign: with the shares that it has now.
        report: its entry in report.json.
        as_of: of the report, in epoch microseconds.
        settled_on: the variant on which the decision before settled, if it did.

    Raises:
        NothingToSelect: there is no primary event, or fewer than two variants with a message and a share.

    """
    candidates = [one for one in campaign.variants if not one.control and one.share_hundredths]
    if not campaign.conversion_events:
        raise NothingToSelect(f'"{campaign.id}" has no conversion event, so nothing says which variant is better')
    if len(candidates) < 2:
        raise NothingToSelect(
            f'"{campaign.id}" has {len(candidates)} variant with a message and a share above 0, must have at least 2'
        )
    deadline = campaign.conversion_events[0].deadline_seconds
    pieces = (*(float(edge) for edge in EDGES if edge * HOUR < deadline), deadline / HOUR)
    days = report["by_first_exposure_day"]["variants"]
    spans = _Spans(as_of, ZoneInfo(report["timezone"]), deadline)
    for one in candidates:
        spans.add(one.id, days[one.id])
    delays = report["delays"]["variants"]
    return Situation(
        campaign.id,
        as_of,
        deadline,
        pieces,
        tuple(spans.cohorts()),
        tuple(
            Candidate(
                one.id,
                one.share_hundredths,
                *spans.of(one.id),
                *_in_pieces(_delays(delays[one.id]), pieces),
                _persons_per_unit(report, one.id),
            )
            for one in candidates
        ),
        tuple((one.id, one.share_hundredths) for one in campaign.variants if one not in candidates),
        settled_on,
    )


def _persons_per_unit(report: Mapping[str, Any], variant: str) -> float:
    row = next(one for one in report["variants"] if one["id"] == variant)
    return round(row["persons"] / row["exposed"], 6) if row["exposed"] else 1.0


def _delays(entry: Mapping[str, Any]) -> Delays:
    return Delays(tuple(entry[PRIMARY]["at_risk"]), tuple(entry[PRIMARY]["converted"]))


def _in_pieces(delays: Delays, pieces: Sequence[float]) -> tuple[tuple[float, ...], tuple[int, ...]]:
    """Return the hours watched and the conversions per piece; who leaves within an hour was watched for half of it."""
    at_risk = np.array(delays.at_risk, np.float64)
    converted = np.zeros(len(at_risk), np.int64)
    converted[: len(delays.converted)] = delays.converted
    watched = (at_risk + np.append(at_risk[1:], 0.0)) / 2
    piece = np.searchsorted(np.array(pieces), np.arange(len(at_risk)) + 0.5).clip(max=len(pieces) - 1)
    hours = np.bincount(piece, weights=watched, minlength=len(pieces))
    came = np.bincount(piece, weights=converted, minlength=len(pieces))
    return tuple(hours.tolist()), tuple(int(one) for one in came)


class _Spans:
    """Days of first exposure, of all candidates together: open ones by the day, closed ones in blocks."""

    def __init__(self, as_of: int, zone: ZoneInfo, deadline: int) -> None:
        self._as_of, self._zone, self._deadline = as_of, zone, deadline
        self._found: dict[tuple[bool, int, int], dict[str, tuple[int, int]]] = {}

    def add(self, variant: str, entry: Mapping[str, Any]) -> None:
        """Take in the days of one variant."""
        mine = entry["conversions"][PRIMARY]
        columns = entry["days"], entry["n"], mine["converted"], mine["matured_n"], mine["matured_converted"]
        for day, n, converted, closed_n, closed_converted in zip(*columns, strict=True):
            number = date.fromisoformat(day).toordinal()
            block = number - number % BLOCK
            # A block is closed as a whole or not at all, so that all variants' days are cut alike.
            over = self._age(block + BLOCK) * HOUR >= self._deadline
            span = (True, block, block + BLOCK - 1) if over else (True, number, number)
            self._put(span, variant, closed_n, closed_converted)
            self._put((False, number, number), variant, n - closed_n, converted - closed_converted)

    def _put(self, span: tuple[bool, int, int], variant: str, n: int, converted: int) -> None:
        if n:
            before = self._found.setdefault(span, {}).get(variant, (0, 0))
            self._found[span][variant] = (before[0] + n, before[1] + converted)

    def cohorts(self) -> list[Cohort]:
        """Return the spans, the oldest first."""
        return [self._cohort(*span) for span in self._ordered()]

    def _cohort(self, closed: bool, first: int, last: int) -> Cohort:
        oldest, youngest = self._age(first), max(0.0, self._age(last + 1))
        if not closed:  # of a day on whose windows the deadline falls, these are the later ones
            oldest = min(oldest, self._deadline / HOUR)
            youngest = min(youngest, oldest - INSTANT)
        first_day, last_day = (date.fromordinal(day).isoformat() for day in (first, last))
        return Cohort(first_day, last_day, round(youngest, 6), round(oldest, 6), closed)

    def of(self, variant: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return persons and converted persons of one variant per span."""
        mine = [self._found[span].get(variant, (0, 0)) for span in self._ordered()]
        return tuple(n for n, _ in mine), tuple(converted for _, converted in mine)

    def _ordered(self) -> list[tuple[bool, int, int]]:
        return sorted(self._found, key=lambda span: (span[1], not span[0]))

    def _age(self, ordinal: int) -> float:
        """Return how many hours ago a day began in the workspace's time zone; negative if it did not yet."""
        # A difference of two times of one zone would be that of their clocks, which are put forward and back.
        midnight = datetime.combine(date.fromordinal(ordinal), time(), self._zone).timestamp()
        return (self._as_of / 1_000_000 - midnight) / HOUR
