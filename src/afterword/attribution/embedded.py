"""Attribution on the embedded engine: from scans in DuckDB to derived rows.

The steps are those of DESIGN.md's second decision: users become dense integers (`people`), facts are
read once and scattered by user (`reading`), repetitions are found by hash (`repetitions`), each part
of the users is brought into order (`histories`) and swept (`sweep`), and what the sweep finds becomes
the rows of the result files (`derive`, `tables`) and is told to a receiver, which may store it (`stored`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import duckdb
import numpy as np

from afterword.attribution.compiled import NEVER
from afterword.attribution.days import Calendar
from afterword.attribution.derive import Derived, Refunds, derive
from afterword.attribution.facts import FactKind
from afterword.attribution.gather import NOTHING, Limits, users_per_part
from afterword.attribution.histories import Stores, Vocabulary, load_history
from afterword.attribution.matching import Matching
from afterword.attribution.people import make_people
from afterword.attribution.reading import Read, Reader, Scans, Step
from afterword.attribution.refunds import find_refunds, no_refunds
from afterword.attribution.rereading import LateRejections, joined
from afterword.attribution.stored import Receiver, StoredTables
from afterword.attribution.streams import Rules
from afterword.attribution.tables import ResultRows, Tables
from afterword.errors import Reason
from afterword.model import Definitions

END_OF_TIME = NEVER - 1
USERS_PER_PART = 16384
MOST_PARTS = 1024
KINDS: tuple[FactKind, ...] = ("events", "exposures", "step_messages")

CONFLICT = "another fact with this id has other content; the content with the smallest hash stays"
CHANNEL_UNCLEAR = (
    "the campaign counts once per channel, and neither the row nor the exposure that it names says a channel"
)
NO_EXPOSURE = "the user has no such exposure to this Canvas, or none at or before this time"
OTHER_CURRENCY = "the refund is in another currency than the purchase that it names"


@dataclass(frozen=True)
class Attribution:
    """What came out, besides what the receiver was told and `late_rejections` in the database.

    `events`, `exposures` and `step_messages` are accepted facts, each counted once; times are epoch
    microseconds.
    """

    as_of: int
    events: int
    exposures: int
    step_messages: int
    repetitions: int
    after_as_of: int
    refunds_unmatched: int
    rejected: dict[str, int]
    notes: int
    """Bit 1: a time without offset was read as UTC; bit 2: a date became a time."""
    results: ResultRows


def attribute(
    con: duckdb.DuckDBPyConnection,
    definitions: Definitions,
    scans: Scans,
    limits: Limits,
    as_of: int | None,
    step: Step,
    receiver: Receiver | None = None,
) -> Attribution:
    """Attribute everything and tell the receiver what was found, part by part.

    Args:
        con: the connection in which intake staged the facts, with a table `merges`.
        definitions: the campaigns.
        scans: SELECTs of normalised facts.
        limits: memory, spill directory, batch size, threads.
        as_of: epoch microseconds, or None for the latest time among the facts (well-formed rows, even if they
            turn out to be in conflict with others, so that it does not depend on which of them stays).
        step: told (what, share done or None) as work goes on.
        receiver: gets the derived rows; they become tables in the connection if None.

    """
    until = END_OF_TIME if as_of is None else as_of
    matching = Matching(definitions)
    people = make_people(con, scans.exposures.sql)
    users = len(people)
    parts = _parts(users, limits)
    read = Reader(con, scans, matching, limits, step).read(people, parts, until)
    late = LateRejections(con)
    refunds = find_refunds(con, scans.events.sql, until, read.dropped("events")) if read.refunds else no_refunds()
    late.add("events", refunds.other_currency, Reason.BAD_CURRENCY, OTHER_CURRENCY)
    for kind in KINDS:
        late.add(kind, read.conflicts[kind], Reason.ID_CONFLICT, CONFLICT)

    surveys = [read.stored[kind].survey for kind in KINDS]
    earliest = min(survey.earliest for survey in surveys)
    latest = max(survey.latest for survey in surveys)
    calendar = Calendar(definitions.workspace.timezone, min(earliest, latest), latest) if latest > NOTHING else None
    if as_of is None:
        as_of = max(0, latest)
    receiver = receiver or StoredTables()
    tables = Tables(con, len(definitions.campaigns), people.ids, read.labels.names, limits, receiver, as_of)
    channel_unclear = [read.kept("events", read.channel_unclear)]
    without_exposure = [read.kept("step_messages", read.unexposed_steps)]
    if calendar is not None and users:
        rules = matching.rules(read.classes.rows)
        home = read.labels.currency(definitions.workspace.currency)
        work = _Work(read.stores(), users, parts, rules, read.vocabulary(), calendar, refunds.refunds, home)
        for number, derived in enumerate(work.derive(limits.threads), start=1):
            tables.add(derived)
            step("sweeping users", number / parts)
            channel_unclear.append(derived.channel_unclear)
            without_exposure.append(derived.without_exposure)
    tables.end()
    for kind in KINDS:
        read.stored[kind].runs.close()
    late.add("events", joined(channel_unclear), Reason.MISSING_CHANNEL, CHANNEL_UNCLEAR)
    late.add("step_messages", joined(without_exposure), Reason.NO_EXPOSURE, NO_EXPOSURE)
    return _summary(read, late, as_of, refunds.unmatched, tables.results)


def _parts(users: int, limits: Limits) -> int:
    """Into how many ranges of users the work is cut; small batches (in tests) make small parts."""
    return max(1, min(MOST_PARTS, -(-users // min(USERS_PER_PART, limits.batch_rows))))


@dataclass(frozen=True)
class _Work:
    """The parts to be swept."""

    stores: Stores
    users: int
    parts: int
    rules: Rules
    words: Vocabulary
    calendar: Calendar
    refunds: Refunds
    home: int

    def derive(self, threads: int) -> Iterator[Derived]:
        """Yield what each part derives, in order of users; a few parts are under way at once."""
        with ThreadPoolExecutor(threads) as pool:
            waiting: deque[Future[Derived]] = deque()
            for part in range(self.parts):
                waiting.append(pool.submit(self._part, part))
                if len(waiting) > 2 * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    def _part(self, part: int) -> Derived:
        size = users_per_part(self.users, self.parts)
        first = min(part * size, self.users)
        users = min(size, self.users - first)
        history = load_history(self.stores, part, first, users, self.rules, self.words)
        # A purchase's label is its currency, so labels number the currencies too.
        return derive(history, self.rules, self.calendar, self.refunds, self.home)


def _summary(read: Read, late: LateRejections, as_of: int, unmatched: int, results: ResultRows) -> Attribution:
    rejected: dict[str, int] = {}
    facts: dict[FactKind, int] = {}
    for kind in KINDS:
        survey = read.stored[kind].survey
        for reason in Reason:
            rejected[reason.value] = rejected.get(reason.value, 0) + int(survey.rejected[reason.code])
        facts[kind] = survey.accepted - len(read.repetitions[kind]) - late.by_kind[kind]
    for reason in Reason:
        rejected[reason.value] += late.counts[reason]
    surveys = [read.stored[kind].survey for kind in KINDS]
    return Attribution(
        as_of=as_of,
        events=facts["events"],
        exposures=facts["exposures"],
        step_messages=facts["step_messages"],
        repetitions=sum(len(read.repetitions[kind]) for kind in KINDS),
        after_as_of=sum(survey.after_as_of for survey in surveys),
        refunds_unmatched=unmatched,
        rejected={reason: count for reason, count in rejected.items() if count},
        notes=int(np.bitwise_or.reduce([survey.notes for survey in surveys])),
        results=results,
    )
