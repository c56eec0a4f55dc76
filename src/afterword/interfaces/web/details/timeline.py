"""A user's time with a campaign as a drawing: windows as bars, exposures and events as marks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from afterword.attribution.explain import Verdict
from afterword.interfaces.web import written
from afterword.workspace.story import Story

WIDTH, LEFT, RIGHT = 900.0, 56.0, 884.0
TOP, ROW = 16.0, 34.0
MARKS = 400
"""So many events are drawn at most; the table has them all."""
AROUND = 0.08
"""What is shown before the first exposure and after the last window, as a share of what is between."""
TICKS = 6
ABOVE = {"exposure": -10, "step_message": 4}
"""Where a mark is in its lane, so that what belongs together does not hide each other."""


@dataclass(frozen=True, slots=True)
class Mark:
    """An exposure or an event."""

    at: float
    y: float
    kind: str
    """`exposure`, `step_message`, `event` or `converted`."""
    title: str


@dataclass(frozen=True, slots=True)
class Window:
    """From an exposure to its deadline."""

    start: float
    width: float
    y: float
    tone: str
    title: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A grid line with its label."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """The drawing."""

    height: float
    bottom: float
    lanes: Sequence[tuple[str, float]]
    windows: Sequence[Window]
    marks: Sequence[Mark]
    ticks: Sequence[Tick]
    now: float | None
    left_out: int
    """Facts that are too early or too late for the drawing."""
    description: str


def timeline(story: Story, deadlines: dict[str, int]) -> Timeline | None:
    """Lay a story out; None where there is nothing to draw.

    Args:
        story: of a user and a campaign.
        deadlines: by letter, in seconds.

    """
    judged = [one for one in story.verdicts if one.exposed_at is not None]
    exposed = [_time(one.at) for one in story.entries if one.what == "exposure"]
    if not exposed:
        return None
    ends = [
        _time(one.exposed_at) + timedelta(seconds=deadlines[one.conversion_event])
        for one in judged
        if one.exposed_at is not None
    ]
    first, last = min(exposed), max([*ends, *exposed])
    margin = max((last - first) * AROUND, timedelta(minutes=1))
    scale = _Scale(first - margin, last + margin)
    letters = list(story.conversion_events)
    bottom = TOP + ROW * (1 + len(letters))
    facts = [one for one in story.entries if scale.holds(_time(one.at))]
    marks = [
        Mark(
            scale.x(_time(one.at)),
            TOP + ROW / 2 + ABOVE.get(one.what, 0),
            _kind(one.what),
            f"{written.exact(one.at)}: {one.text}",
        )
        for one in facts[:MARKS]
    ]
    times = {one.id: _time(one.at) for one in story.entries if one.id}
    windows = []
    for each in judged:
        assert each.exposed_at is not None
        y = TOP + ROW * (1.5 + letters.index(each.conversion_event))
        begin = _time(each.exposed_at)
        start, end = scale.x(begin), scale.x(begin + timedelta(seconds=deadlines[each.conversion_event]))
        title = f"{each.conversion_event}: {_words(each.verdict)}. {each.text}"
        windows.append(Window(start, max(2.0, round(end - start, 1)), y - 7, _tone(each.verdict), title))
        at = times.get(each.event_id or "")
        if at is not None and scale.holds(at):
            kind = "converted" if each.verdict is Verdict.CONVERTED else "event"
            marks.append(Mark(scale.x(at), y, kind, title))
    now = _time(story.as_of)
    return Timeline(
        height=bottom + 26,
        bottom=bottom,
        lanes=[("Facts", TOP + ROW / 2 + 4), *((one, TOP + ROW * (1.5 + i) + 4) for i, one in enumerate(letters))],
        windows=windows,
        marks=marks,
        ticks=scale.ticks(),
        now=scale.x(now) if scale.holds(now) else None,
        left_out=len(story.entries) - len(facts[:MARKS]),
        description=f"{len(exposed)} exposures, {len(facts)} facts; the table below has all of them.",
    )


class _Scale:
    """From times to places."""

    def __init__(self, first: datetime, last: datetime) -> None:
        self._first, self._last = first, last

    def holds(self, at: datetime) -> bool:
        return self._first <= at <= self._last

    def x(self, at: datetime) -> float:
        return round(LEFT + (RIGHT - LEFT) * ((at - self._first) / (self._last - self._first)), 1)

    def ticks(self) -> list[Tick]:
        span = self._last - self._first
        found = []
        for place in range(1, TICKS):
            at = self._first + span * place / TICKS
            label = written.day(at.date().isoformat())
            found.append(Tick(self.x(at), label if span > timedelta(days=5) else f"{label}, {at:%H:%M}"))
        return found


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _kind(what: str) -> str:
    return what if what in ("exposure", "step_message") else "event"


def _tone(verdict: Verdict) -> str:
    if verdict is Verdict.CONVERTED:
        return "good"
    return "open" if verdict is Verdict.PENDING else "soft"


def _words(verdict: Verdict) -> str:
    return verdict.value.replace("_", " ")
