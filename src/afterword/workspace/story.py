"""The story of a user and a campaign, as data and as a terminal shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from afterword.attribution.explain import ORDER, Verdict
from afterword.reports.wording import event_sentence, event_title

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text


@dataclass(frozen=True)
class Entry:
    """One fact of the story."""

    at: str
    what: str
    id: str | None
    text: str


@dataclass(frozen=True)
class Explanation:
    """The verdict on one exposure under one conversion event, with a sentence."""

    conversion_event: str
    exposure_id: str | None
    exposed_at: str | None
    verdict: Verdict
    event_id: str | None
    text: str
    exposure: str
    """The exposure's name for people: its time, and its id if the sender gave one."""

    @property
    def json(self) -> dict[str, Any]:
        """The explanation as plain data."""
        return vars(self) | {"verdict": self.verdict.value}


@dataclass(frozen=True)
class Story:
    """What one user did around one campaign, and what came of it."""

    campaign: str
    user: str
    person: str
    as_of: str
    timezone: str
    conversion_events: dict[str, str]
    entries: tuple[Entry, ...]
    verdicts: tuple[Explanation, ...]
    rejected: int
    """Rows of this user that could not be used."""
    unknown: str | None = None
    """Said where no row is about this user, who therefore was never exposed: the id may be misspelt."""
    reasons: str = "; rejected.parquet says why"
    """Where the reasons of rejected rows are, as the end of a sentence."""

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Story:
        """Return the story that `data` is the `json` of, told by a server."""
        return cls(
            data["campaign"],
            data["user"],
            data["person"],
            data["as_of"],
            data["timezone"],
            data["conversion_events"],
            tuple(Entry(**entry) for entry in data["story"]),
            tuple(Explanation(**{**each, "verdict": Verdict(each["verdict"])}) for each in data["verdicts"]),
            data["rejected_rows"],
            data["unknown"],
            reasons="",
        )

    @property
    def overall(self) -> dict[str, Verdict]:
        """By letter: the first verdict in the order of rule 39 over all exposures."""
        return {
            letter: min((v.verdict for v in self._of(letter)), key=ORDER.index) for letter in self.conversion_events
        }

    def _of(self, letter: str) -> list[Explanation]:
        return [each for each in self.verdicts if each.conversion_event == letter]

    @property
    def json(self) -> dict[str, Any]:
        """The story as plain data."""
        return {
            "campaign": self.campaign,
            "user": self.user,
            "person": self.person,
            "as_of": self.as_of,
            "timezone": self.timezone,
            "conversion_events": self.conversion_events,
            "overall": {letter: verdict.value for letter, verdict in self.overall.items()},
            "story": [vars(entry) for entry in self.entries],
            "verdicts": [each.json for each in self.verdicts],
            "rejected_rows": self.rejected,
            "unknown": self.unknown,
        }

    def __rich__(self) -> RenderableType:
        """Return what rich prints."""
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        merged = "" if self.person == self.user else f" (merged into {self.person})"
        head = Text(f"{self.user}{merged} and {self.campaign}, as of {self.as_of} ({self.timezone})", style="bold")
        story = Table(box=None, pad_edge=False, show_header=False)
        for entry in self.entries:
            story.add_row(Text(entry.at, style="dim"), Text(entry.text))
        parts: list[RenderableType] = [head, Text(), story]
        if self.unknown:
            parts.append(Text(self.unknown, style="yellow"))
        if self.rejected:
            rows = "row of this user was" if self.rejected == 1 else "rows of this user were"
            parts.append(Text(f"{self.rejected:,} {rows} rejected{self.reasons}", style="yellow"))
        for letter in self.conversion_events:
            parts += [Text(), *self._verdict_lines(letter)]
        return Group(*parts)

    def _verdict_lines(self, letter: str) -> list[Text]:
        """The conversion event, and under it the verdict on each exposure."""
        from rich.text import Text

        title = Text(f"{letter}. {self.conversion_events[letter]}", style="bold")
        verdicts = self._of(letter)
        if len(verdicts) > 1:
            title.append(": ").append(_shown(self.overall[letter]))
        lines = [title]
        for each in verdicts:
            line = Text("   ")
            if len(verdicts) > 1:
                line.append(f"{each.exposure}: ", style="dim")
            lines.append(line.append(_shown(each.verdict)).append(f": {each.text}"))
        return lines


def _shown(verdict: Verdict) -> Text:
    from rich.text import Text

    return Text(verdict.value, style="bold green" if verdict is Verdict.CONVERTED else "bold")


def titles(events: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return conversion events by letter, in the words of the report."""
    found = {}
    for event in map(dict, events):
        primary = " (primary)" if event["primary"] else ""
        found[event["letter"]] = f"{event_title(event)}{primary}: {event_sentence(event)}"
    return found
