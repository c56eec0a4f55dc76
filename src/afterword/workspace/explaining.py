"""`afterword explain`: a user's story in order of time, with a verdict for each conversion event and exposure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from afterword.attribution.explain import ORDER, Judged, Traced, Verdict, judge, trace_person
from afterword.attribution.facts import EVENTS, EXPOSURES, STEP_MESSAGES, FactTable
from afterword.attribution.people import persons_of
from afterword.attribution.reading import Scans
from afterword.model import LETTERS, Campaign, Channel, EventKind, Outcome
from afterword.store.sql import literal
from afterword.workspace.inputs import EPOCH, Inputs
from afterword.workspace.session import Session
from afterword.workspace.wording import (
    describe_conversion_event,
    describe_event,
    sentence,
)

if TYPE_CHECKING:
    from rich.console import RenderableType


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
    verdict: Verdict
    event_id: str | None
    text: str


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

    @property
    def overall(self) -> dict[str, Verdict]:
        """By letter: the first verdict in the order of rule 39 over all exposures."""
        return {
            letter: min((v.verdict for v in self.verdicts if v.conversion_event == letter), key=ORDER.index)
            for letter in self.conversion_events
        }

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
            "verdicts": [{**vars(each), "verdict": each.verdict.value} for each in self.verdicts],
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
        for letter, definition in self.conversion_events.items():
            verdict = self.overall[letter]
            title = Text(f"{letter}. {definition}: ", style="bold")
            title.append(verdict.value, style="bold green" if verdict is Verdict.CONVERTED else "bold")
            parts += [Text(), title]
            for each in self.verdicts:
                if each.conversion_event == letter:
                    where = f"{each.exposure_id}: " if each.exposure_id else ""
                    parts.append(Text(f"   {where}{each.text}"))
        return Group(*parts)


def explain(inputs: Inputs, campaign_id: str, user: str) -> Story:
    """Tell the story of a user and a campaign; see `Results.explain`."""
    only = inputs.only(campaign_id)
    index = only.definitions.index_of(campaign_id)
    campaign = only.definitions.campaigns[index]
    as_of = inputs.as_of or 0
    with Session(only) as session:
        session.stage()
        person, ids = _person(session, user)
        relations = {table.kind: _disputed(session, table, ids) for table in (EVENTS, EXPOSURES, STEP_MESSAGES)}
        counts = [max(1, len(session.files[kind])) for kind in ("events", "exposures", "step_messages")]
        scans = Scans(relations["events"], relations["exposures"], relations["step_messages"], *counts)
        traced = trace_person(session.con, only.definitions, index, person, scans, session.limits, as_of)
        facts = {
            table.kind: _facts(session, session.relation(table.kind, ids)) for table in (EVENTS, EXPOSURES, STEP_MESSAGES)
        }
    teller = _Teller(campaign, index, only.definitions.workspace.timezone, facts["events"], traced)
    return Story(
        campaign_id,
        user,
        person,
        teller.time(as_of),
        only.definitions.workspace.timezone,
        {
            letter: describe_conversion_event(event)
            for letter, event in zip(LETTERS, campaign.conversion_events, strict=False)
        },
        tuple(teller.entries(facts["step_messages"], as_of)),
        tuple(teller.verdicts(as_of)),
    )


def _person(session: Session, user: str) -> tuple[str, list[str]]:
    """Return the person's id and all the ids that are this person."""
    merges = session.con.execute("SELECT DISTINCT from_user_id, to_user_id FROM merges").fetchall()
    persons = persons_of([m[0] for m in merges], [m[1] for m in merges]) if merges else {}
    person = persons.get(user, user)
    return person, sorted({user, person, *(name for name, other in persons.items() if other == person)})


def _disputed(session: Session, table: FactTable, ids: list[str]) -> str:
    """Return a SELECT of the person's facts and of others with the same ids, so that rule 33 sees them all."""
    every = session.relation(table.kind)
    own = session.relation(table.kind, ids)
    listed = ", ".join(literal(name) for name in ids)
    return (
        f"SELECT * FROM ({every}) WHERE user_id IN ({listed}) OR "
        f"({table.id} IS NOT NULL AND {table.id} IN (SELECT {table.id} FROM ({own})))"
    )


def _facts(session: Session, relation: str) -> dict[int, dict[str, Any]]:
    """Return the person's rows by number, as intake normalised them."""
    found = session.con.sql(
        f"SELECT (CAST(file AS BIGINT) << 40) | record AS row, * FROM ({relation}) s WHERE reason = 0"
    ).to_arrow_table()
    return {row["row"]: row for row in found.to_pylist()}


class _Teller:
    """Puts facts and verdicts into words."""

    def __init__(
        self, campaign: Campaign, index: int, timezone: str, events: dict[int, dict[str, Any]], traced: Traced | None
    ) -> None:
        self._campaign = campaign
        self._index = index
        self._zone = ZoneInfo(timezone)
        self._events = events
        self._traced = traced

    def time(self, microseconds: int) -> str:
        """Return a time in the workspace's zone."""
        moment: datetime = (EPOCH + timedelta(microseconds=microseconds)).astimezone(self._zone)
        return moment.isoformat(sep=" ")

    def entries(self, steps: dict[int, dict[str, Any]], as_of: int) -> list[Entry]:
        """Return the story in order of time; events that nobody asks for are told as well."""
        told: list[tuple[int, int, Entry]] = []
        for row in self._events.values():
            if row["occurred_at"] > as_of or not self._concerns(row):
                continue
            what = EventKind(row["kind"]).label
            entry = Entry(self.time(row["occurred_at"]), what, row["event_id"], describe_event(row))
            told.append((row["occurred_at"], 2, entry))
        told += [(at, 1, entry) for at, entry in self._step_entries(steps, as_of)]
        told += [(at, 0, entry) for at, entry in self._exposure_entries()]
        return [entry for _, _, entry in sorted(told, key=lambda each: each[:2])]

    def _concerns(self, row: dict[str, Any]) -> bool:
        """Messages of other campaigns are no part of this story."""
        return row["kind"] < EventKind.MESSAGE_DELIVERED or row["campaign"] == self._index

    def _step_entries(self, steps: dict[int, dict[str, Any]], as_of: int) -> list[tuple[int, Entry]]:
        names = [step.id for step in self._campaign.steps]
        return [
            (
                row["received_at"],
                Entry(
                    self.time(row["received_at"]), "step_message", row["message_id"],
                    f"received the message of step {names[row['step']]}",
                ),
            )
            for row in steps.values()
            if row["received_at"] <= as_of and row["campaign"] == self._index
        ]  # fmt: skip

    def _exposure_entries(self) -> list[tuple[int, Entry]]:
        if self._traced is None:
            return []
        history = self._traced.history
        told = []
        for x in self._traced.exposures:
            at = int(history.exposures.time[x])
            variant = self._campaign.variants[int(history.exposures.variant[x])]
            channel, outcome = int(history.exposures.channel[x]), int(history.exposure_facts["outcome"][x])
            how = f" by {list(Channel)[channel].value}" if channel >= 0 else ""
            became = f", outcome {list(Outcome)[outcome].value}" if outcome >= 0 else ""
            group = "control group, no message" if variant.control else f"variant {variant.id}"
            text = f"exposed{how}: {group}{became}"
            told.append((at, Entry(self.time(at), "exposure", self._exposure_id(x), text)))
        return told

    def _exposure_id(self, x: int) -> str | None:
        if x < 0 or self._traced is None:
            return None
        import numpy as np

        text = self._traced.history.exposure_facts.id_text(np.array([x], np.int32))
        return bytes(text.data).decode()

    def _event_id(self, event: int | None) -> str | None:
        if event is None or self._traced is None:
            return None
        import numpy as np

        return bytes(self._traced.history.event_facts.id_text(np.array([event], np.int32)).data).decode()

    def verdicts(self, as_of: int) -> list[Explanation]:
        """Return every verdict in words."""
        if self._traced is None:
            letters = LETTERS[: len(self._campaign.conversion_events)]
            judged: Sequence[Judged] = [Judged(letter, -1, Verdict.NOT_EXPOSED) for letter in letters]
        else:
            judged = judge(self._traced, self._campaign, as_of)
        return [self._explanation(each) for each in judged]

    def _explanation(self, judged: Judged) -> Explanation:
        definition = self._campaign.conversion_events[LETTERS.index(judged.letter)]
        row = None
        exposed_at = 0
        if self._traced is not None:
            exposed_at = int(self._traced.history.exposures.time[judged.exposure])
            if judged.event is not None:
                row = self._events[self._traced.row(judged.event)]
        event_id = self._event_id(judged.event)
        text = sentence(judged, definition, exposed_at, row, event_id)
        return Explanation(judged.letter, self._exposure_id(judged.exposure), judged.verdict, event_id, text)
