"""Numbers and times as whoever reads the page writes them, in the workspace's time zone.

The functions are those of `reports.wording`, which reports, the API and commands use, and which know no reader. Who
reads is known to the thread that answers (`reading`); the words between the numbers are English for everybody.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from afterword.interfaces.web.manners import USUAL, Manner
from afterword.reports import wording
from afterword.reports.charts import IntervalChart


@dataclass
class Reader:
    """Who reads the page that is being made."""

    manner: Manner = USUAL
    timezone: Callable[[], str] | None = None
    """Returns the workspace's; None is UTC."""
    _zone: list[tzinfo] = field(default_factory=list)

    @property
    def zone(self) -> tzinfo:
        """The time zone of all times, looked up when the first is written."""
        if not self._zone:
            self._zone.append(ZoneInfo(self.timezone()) if self.timezone else UTC)
        return self._zone[0]


_READER: ContextVar[Reader] = ContextVar("reader")


def reading(reader: Reader) -> None:
    """Write for this reader from now on, in this thread's context alone."""
    _READER.set(reader)


def manner() -> Manner:
    """Return how the reader writes numbers and dates."""
    return _reader().manner


def number(value: int | None) -> str:
    """With thousands separators."""
    return rewritten(wording.number(value))


def percent(fraction: float | None, digits: int = 2) -> str:
    """7.32 %."""
    return rewritten(wording.percent(fraction, digits))


def signed(value: float, digits: int) -> str:
    """With a sign."""
    return rewritten(wording.signed(value, digits))


def signed_percent(fraction: float | None, digits: int = 1) -> str:
    """+19.9 %."""
    return rewritten(wording.signed_percent(fraction, digits))


def interval(bounds: list[float] | None) -> str:
    """5.65 – 6.59 %."""
    return rewritten(wording.interval(bounds))


def confidence(value: float | None) -> str:
    """A percentage that never claims certainty."""
    return rewritten(wording.confidence(value))


def money(amount: str | None, currency: str) -> str:
    """An amount with its currency."""
    return rewritten(wording.money(amount, currency))


def signed_money(value: float, currency: str) -> str:
    """Money with a sign; whole units where it is much."""
    return rewritten(wording.signed_money(value, currency))


def per_unit(amount: str | None, currency: str) -> str:
    """Revenue per recipient."""
    return rewritten(wording.per_unit(amount, currency))


def rewritten(text: str) -> str:
    """Return a text without names in it with its numbers as the reader writes them."""
    return manner().rewritten(text)


def sentence(text: str, names: Iterable[str]) -> str:
    """Return a sentence with its numbers as the reader writes them; names in it stay as they are."""
    return _sentence(manner(), text, tuple(names))


@lru_cache(maxsize=1 << 11)  # verdicts, which pages show again and again
def _sentence(how: Manner, text: str, names: tuple[str, ...]) -> str:
    known = sorted(filter(None, set(names)), key=len, reverse=True)
    if not known:
        return how.rewritten(text)
    parts = re.split(f"({'|'.join(map(re.escape, known))})", text)
    return "".join(part if at % 2 else how.rewritten(part) for at, part in enumerate(parts))


def day(iso: str, year: bool = False) -> str:
    """2 Nov, or 2 Nov 2026: in the reader's order."""
    value = date.fromisoformat(iso[:10])
    if year:
        return date_of(value)
    return f"{value.day} {value:%b}" if manner().order == "dmy" else f"{value:%b} {value.day}"


def date_of(value: date) -> str:
    """2 Nov 2026, Nov 2, 2026 or 2026 Nov 2."""
    match manner().order:
        case "mdy":
            return f"{value:%b} {value.day}, {value.year}"
        case "ymd":
            return f"{value.year} {value:%b} {value.day}"
    return f"{value.day} {value:%b} {value.year}"


def moment(iso: str) -> str:
    """22 Nov 2026, 14:03 CET: in the workspace's time zone."""
    return _time(iso, "%H:%M")


def second(iso: str) -> str:
    """22 Nov 2026, 14:03:07 CET."""
    return _time(iso, "%H:%M:%S")


def exact(iso: str) -> str:
    """22 Nov 2026, 14:03:07 CET, or 14:03:07.000400 where it is no whole second."""
    return _time(iso, "%H:%M:%S.%f" if datetime.fromisoformat(iso).microsecond else "%H:%M:%S")


def differences(chart: IntervalChart | None, names: Iterable[str]) -> IntervalChart | None:
    """Return a chart with its numbers as the reader writes them."""
    if chart is None:
        return None
    known = list(names)
    return replace(
        chart,
        ticks=[replace(one, label=rewritten(one.label)) for one in chart.ticks],
        bars=[replace(one, label=rewritten(one.label), title=sentence(one.title, known)) for one in chart.bars],
        description=sentence(chart.description, known),
    )


def _reader() -> Reader:
    return _READER.get(_NOBODY)


_NOBODY = Reader()


def _time(iso: str, form: str) -> str:
    value = datetime.fromisoformat(iso).astimezone(_reader().zone)
    zone = value.tzname() or ""
    return f"{date_of(value)}, {value:{form}} {zone if zone[:1].isalpha() else f'UTC{zone}'}"
