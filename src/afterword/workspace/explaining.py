"""`afterword explain`: a user's story in order of time, with a verdict for each conversion event and exposure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import duckdb
import numpy as np

from afterword.attribution.explain import Judged, Traced, Verdict, judge, trace_person
from afterword.attribution.facts import DERIVED_BIT, EVENTS, EXPOSURES, STEP_MESSAGES, FactTable, Source
from afterword.attribution.gather import Limits
from afterword.attribution.people import persons_of
from afterword.attribution.reading import Scans
from afterword.intake.sources import Kind
from afterword.model import LETTERS, Campaign, Channel, Counting, Definitions, EventKind, Outcome
from afterword.workspace.inputs import EPOCH, Inputs
from afterword.workspace.session import FACTS, Session
from afterword.workspace.story import Entry, Explanation, Story, titles
from afterword.workspace.wording import describe_event, sentence

TABLES = (EVENTS, EXPOSURES, STEP_MESSAGES)
Row = dict[str, Any]
SIMILAR = 0.85
"""From this Jaro-Winkler similarity on, a user's id is offered for one that nobody has."""


class Facts(Protocol):
    """Where the facts of a person are read from: the files of a run, or the tables of a server."""

    con: duckdb.DuckDBPyConnection
    """Has a table `merges`, of this person at least."""
    limits: Limits

    def relation(self, kind: Kind, users: Sequence[str] | None = None) -> str:
        """Return the SELECT of a kind of fact, of all users or of some."""

    def disputed(self, table: FactTable, users: Sequence[str]) -> str:
        """Return the SELECT of some users' facts and of all that have the same ids."""

    def source(self, kind: Kind, relation: str) -> Source:
        """Return what attribution reads of a kind of fact: a SELECT of its rows."""


def explain(inputs: Inputs, campaign_id: str, user: str, events: Sequence[Mapping[str, Any]]) -> Story:
    """Tell the story of a user and a campaign from files; see `Results.explain`.

    Args:
        inputs: what the run read.
        campaign_id: a campaign that is among its definitions.
        user: any of the person's ids.
        events: the campaign's conversion events as the report has them.

    """
    only = inputs.only(campaign_id)
    with Session(only) as session:
        session.stage()
        return tell(session, only.definitions, campaign_id, user, events, inputs.as_of or 0)


def tell(
    session: Facts,
    only: Definitions,
    campaign_id: str,
    user: str,
    events: Sequence[Mapping[str, Any]],
    as_of: int,
) -> Story:
    """Tell the story of a user and a campaign.

    Args:
        session: the facts.
        only: definitions of which the other campaigns have no conversion events.
        campaign_id: a campaign that is among them.
        user: any of the person's ids.
        events: the campaign's conversion events as the report has them.
        as_of: epoch microseconds.

    """
    index = only.index_of(campaign_id)
    campaign = only.campaigns[index]
    person, ids = _person(session, user)
    rows, rejected = _rows(session, ids)
    unknown = None if rows else f'there is no fact about a user "{user}"{_similar(session, user)}'
    sources = {table.kind: session.source(table.kind, session.disputed(table, ids)) for table in TABLES}
    scans = Scans(sources["events"], sources["exposures"], sources["step_messages"])
    traced = trace_person(session.con, only, index, person, scans, session.limits, as_of)
    facts = {table.kind: _facts(session, session.relation(table.kind, ids)) for table in TABLES}
    teller = _Teller(campaign, index, only.workspace.timezone, facts["events"], traced)
    return Story(
        campaign_id,
        user,
        person,
        teller.time(as_of),
        only.workspace.timezone,
        titles(events),
        tuple(teller.entries(facts["step_messages"], as_of)),
        tuple(teller.verdicts(as_of)),
        rejected,
        unknown,
    )


def _person(session: Facts, user: str) -> tuple[str, list[str]]:
    """Return the person's id and all the ids that are this person."""
    merges = session.con.execute("SELECT DISTINCT from_user_id, to_user_id FROM merges").fetchall()
    persons = persons_of([m[0] for m in merges], [m[1] for m in merges]) if merges else {}
    person = persons.get(user, user)
    return person, sorted({user, person, *(name for name, other in persons.items() if other == person)})


def _rows(session: Facts, ids: list[str]) -> tuple[int, int]:
    """Count the person's rows, and those of them that could not be used."""
    every = " UNION ALL ".join(f"SELECT reason FROM ({session.relation(kind, ids)})" for kind in FACTS)
    found = session.con.execute(f"SELECT count(*), count(*) FILTER (reason <> 0) FROM ({every})").fetchall()
    return int(found[0][0]), int(found[0][1])


def _similar(session: Facts, user: str) -> str:
    """Return the exposed user whose id is most like one that nobody has, as a question."""
    found = session.con.execute(
        f"""
        SELECT user_id FROM (SELECT DISTINCT user_id FROM ({session.relation("exposures")}) WHERE reason = 0)
        WHERE jaro_winkler_similarity(user_id, ?) >= ?
        ORDER BY jaro_winkler_similarity(user_id, ?) DESC, user_id LIMIT 1""",
        [user, SIMILAR, user],
    ).fetchall()
    return f', did you mean "{found[0][0]}"?' if found else ""


def _facts(session: Facts, relation: str) -> dict[int, Row]:
    """Return the person's rows by number, as intake normalised them."""
    found = session.con.sql(
        f"SELECT (CAST(file AS BIGINT) << 40) | record AS row, * FROM ({relation}) s WHERE reason = 0"
    ).to_arrow_table()
    return {row["row"]: row for row in found.to_pylist()}


class _Teller:
    """Puts facts and verdicts into words."""

    def __init__(
        self, campaign: Campaign, index: int, timezone: str, events: dict[int, Row], traced: Traced | None
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

    def entries(self, steps: dict[int, Row], as_of: int) -> list[Entry]:
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

    def _concerns(self, row: Row) -> bool:
        """Messages of other campaigns are no part of this story."""
        return bool(row["kind"] < EventKind.MESSAGE_DELIVERED or row["campaign"] == self._index)

    def _step_entries(self, steps: dict[int, Row], as_of: int) -> list[tuple[int, Entry]]:
        names = [step.id for step in self._campaign.steps]
        told = []
        for row in steps.values():
            at = row["received_at"]
            if at <= as_of and row["campaign"] == self._index:
                text = f"received the message of step {names[row['step']]}"
                told.append((at, Entry(self.time(at), "step_message", row["message_id"], text)))
        return told

    def _exposure_entries(self) -> list[tuple[int, Entry]]:
        if self._traced is None:
            return []
        history = self._traced.history
        told = []
        for x in self._traced.exposures:
            at = int(history.exposures.time[x])
            variant = self._campaign.variants[int(history.exposures.variant[x])]
            outcome = history.exposure_facts.value("outcome", x)
            became = f", outcome {list(Outcome)[outcome].value}" if outcome >= 0 else ""
            group = "control group, no message" if variant.control else f"variant {variant.id}"
            text = f"exposed{self._channel(self._traced, x)}: {group}{became}"
            told.append((at, Entry(self.time(at), "exposure", self._exposure_id(self._traced, x), text)))
        return told

    def _channel(self, traced: Traced, x: int) -> str:
        channel = int(traced.history.exposures.channel[x])
        return f" by {list(Channel)[channel].value}" if channel >= 0 else ""

    def _exposure_id(self, traced: Traced, x: int) -> str:
        return bytes(traced.history.exposure_facts.id_text(np.array([x], np.int32)).data).decode()

    def _exposure_name(self, traced: Traced, x: int) -> str:
        """Its time; the id only if the sender gave one, since nobody knows a derived one."""
        name = self.time(int(traced.history.exposures.time[x]))
        if self._campaign.counting is Counting.ONCE_PER_CHANNEL:
            name += self._channel(traced, x)
        given = not traced.history.exposure_facts.value("row", x) >> DERIVED_BIT & 1
        return f"{name} ({self._exposure_id(traced, x)})" if given else name

    def verdicts(self, as_of: int) -> list[Explanation]:
        """Return every verdict in words."""
        traced = self._traced
        if traced is None:
            letters = LETTERS[: len(self._campaign.conversion_events)]
            never = "the user was never exposed to this campaign"
            return [Explanation(letter, None, None, Verdict.NOT_EXPOSED, None, never, "") for letter in letters]
        return [self._explanation(traced, each) for each in judge(traced, self._campaign, as_of)]

    def _explanation(self, traced: Traced, judged: Judged) -> Explanation:
        definition = self._campaign.conversion_events[LETTERS.index(judged.letter)]
        x = judged.exposure
        exposed_at = int(traced.history.exposures.time[x])
        row, event_id = None, None
        if judged.event is not None:
            row = self._events[traced.row(judged.event)]
            ids = traced.history.event_facts.id_text(np.array([judged.event], np.int32))
            event_id = bytes(ids.data).decode()
        return Explanation(
            judged.letter,
            self._exposure_id(traced, x),
            self.time(exposed_at),
            judged.verdict,
            event_id,
            sentence(judged, definition, exposed_at, row, self._event_name(row)),
            self._exposure_name(traced, x),
        )

    def _event_name(self, row: Row | None) -> str:
        if row is None:
            return ""
        kind = EventKind(row["kind"]).label.replace("_", " ")
        return f"{kind} {row['event_id'] or 'of ' + self.time(row['occurred_at'])}"
