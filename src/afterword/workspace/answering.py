"""The part of a data directory that answers: facts and results, kept up to date, with or without the other part."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path

import duckdb

from afterword.attribution.gather import Limits
from afterword.errors import UserError
from afterword.log import begins_at
from afterword.model import Definitions
from afterword.precedence import Precedence
from afterword.selection.named_queries import first_variants
from afterword.settings import memory_bytes, thread_count
from afterword.store.database_file import rewrite_database
from afterword.store.erasing import unfinished
from afterword.store.facts import checkpoint_if_due, open_facts
from afterword.store.loader import Loader, loaded_position
from afterword.store.metadata import FILE_NAME as METADATA_FILE
from afterword.store.metadata import Metadata, open_metadata
from afterword.workspace.cleaning import Cleaning
from afterword.workspace.data_directory import AUDIT_DAYS, CHANGES_DAYS, DAY, FACTS, LOG, SECRET, TEMPORARY, open_intake
from afterword.workspace.erasing import Erasing
from afterword.workspace.explorations import Explorations
from afterword.workspace.exports import Exports
from afterword.workspace.keeper import Keeper, Part
from afterword.workspace.live import Live
from afterword.workspace.live.refreshing import Superseded, nothing
from afterword.workspace.live.settled import Settled
from afterword.workspace.reopened_log import ReopenedLog
from afterword.workspace.verdicts import History

PATIENCE_SECONDS, RETRY_SECONDS = 15.0, 0.25
DATABASE_SHARE = 0.5
"""Of the memory allowed; attribution takes most of the rest."""
STORE_SHARE = 0.3
BATCH_ROWS = 1 << 18
UPKEEP_MICROSECONDS = 60 * 1_000_000


class FactsHeld(UserError):
    """Another process has the facts open; it may end, and until then new ones can wait in the log."""

    exit_code = 3


@dataclass
class Answering:
    """The part of a data directory that answers: facts and results."""

    path: Path
    facts: duckdb.DuckDBPyConnection
    metadata: Metadata
    live: Live
    keeper: Keeper
    erasing: Erasing
    cleaning: Cleaning
    explorations: Explorations
    exports: Exports
    secret: bytes
    """By which the ids of erased persons are hashed."""
    loader: Loader
    precedence: Precedence
    """Of who looks at a page."""

    def definitions(self) -> Definitions:
        """Return the campaigns that have results: all but drafts."""
        return self.metadata.campaigns.definitions()

    def histories(self) -> dict[str, History]:
        """Return what those campaigns were since their launch, as far as verdicts must know."""
        redefined, shares = self.metadata.campaigns.histories()
        return {
            campaign: History(tuple(redefined.get(campaign, ())), tuple((one.changed_at, one.shares) for one in past))
            for campaign, past in shares.items()
        }

    def first_variants(self, campaign_id: str, users: Iterable[str]) -> dict[str, str]:
        """Return to which variant those of the users were first exposed that were exposed."""
        cursor = self.facts.cursor()
        try:
            return first_variants(cursor, campaign_id, users)
        finally:
            cursor.close()


@dataclass
class DataDirectory(Answering):
    """Both parts in one process."""

    log: ReopenedLog
    first_key: str | None


class _Work:
    """One round: load, then bring the results up to it."""

    def __init__(
        self,
        loader: Loader,
        live: Live,
        metadata: Metadata,
        erasing: Erasing,
        changes_days: int,
        audit_days: int,
        checkpoint: Callable[[], object],
    ) -> None:
        self._checkpoint = checkpoint
        self._erasing = erasing
        self._changes_kept = changes_days * DAY
        self._audit_kept = audit_days * DAY
        self._loader = loader
        self._live = live
        self._metadata = metadata
        self._kept_up_at = 0
        self._settled: Settled | None = None
        self._rates: tuple[int, int] | None = None

    def load(self, up_to: int) -> Generator[Part, None, None]:
        with closing(self._loader.batches(up_to)) as parts:
            for loaded in parts:
                yield Part(loaded.position, loaded.rows.total())

    def refresh(self, as_of: int, meanwhile: Callable[[], bool]) -> bool:
        # A clock that was set back must not make results that know less than those before.
        as_of = max(as_of, self._live.state.as_of)
        definitions = self._metadata.campaigns.definitions()
        erase = self._erasing.erase(as_of)
        if (rates := self._metadata.exchange_rates.state()) != self._rates:
            self._live.convert_by(self._metadata.exchange_rates.list())
            self._rates = rates
        # Most rounds find nothing new, and to look closely costs more than all else that a server at rest does.
        if erase is None and self._settled is not None and self._live.stands(self._settled, definitions, as_of):
            return True
        self._settled = None
        known = self._loader.position
        # In one transaction with the facts, the results know nothing more of persons who were deleted. Erasing and
        # loading both change rows of the facts: they take turns.
        between = meanwhile if erase is None else nothing
        try:
            self._live.refresh(definitions, as_of=as_of, erase=erase, meanwhile=between)
        except Superseded:
            return False
        if self._loader.position == known:
            self._settled = self._live.settle(definitions, as_of)
        return True

    def look_after(self, as_of: int) -> None:
        if abs(as_of - self._kept_up_at) > UPKEEP_MICROSECONDS:
            self._kept_up_at = as_of
            self._metadata.keys.write_last_uses(as_of)
            self._metadata.idempotency.prune(as_of)
            self._metadata.audit.prune(as_of - self._audit_kept)
            feed = self._live.feed
            feed.forget(as_of - self._changes_kept, self._metadata.webhooks.had_by_all(feed.state.born))
        self._checkpoint()


@contextmanager
def open_answering(
    path: Path,
    *,
    memory: str | None,
    threads: int | None,
    clock: Callable[[], int],
    chance: Callable[[int], bytes],
    durable: Callable[[], int],
    tell: Callable[[str, BaseException | None], None],
    metadata_url: str | None = None,
    erase_within: int = DAY,
    changes_days: int = CHANGES_DAYS,
    audit_days: int = AUDIT_DAYS,
) -> Iterator[Answering]:
    """Open facts and results beside an open intake, and keep them up to date until they are closed.

    Args:
        path: the data directory.
        memory: such as "4GB".
        threads: all cores if None.
        clock: the time, in microseconds since 1970.
        chance: returns so many unpredictable bytes.
        durable: up to where the log may be read.
        tell: told what goes wrong meanwhile, with the error, and that it goes well again.
        metadata_url: a database instead of the file in the directory.
        erase_within: how long persons may stand in log and files after their deletion, in microseconds.
        changes_days: how long changes of conversions are kept that all webhooks have had.
        audit_days: how long the audit log is kept.

    Raises:
        UserError: the facts cannot be opened.

    """
    total = memory_bytes(memory)
    count = thread_count(threads, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1)
    temporary = path / TEMPORARY
    with ExitStack() as stack:
        facts = _open_clean_facts(path / FACTS, int(total * DATABASE_SHARE), count, temporary, tell)
        stack.callback(facts.close)
        # Only now is it sure that nobody else is there.
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        stack.callback(shutil.rmtree, temporary, ignore_errors=True)
        metadata = stack.enter_context(open_metadata(metadata_url or path / METADATA_FILE))
        live = Live(facts, Limits(int(total * STORE_SHARE), temporary, BATCH_ROWS, count))
        stack.callback(live.stop)
        secret = (path / SECRET).read_bytes()
        loader = Loader(facts.cursor(), path / LOG, tombstone_key=secret)
        loaded = _checked_position(facts, durable(), path)
        erasing = Erasing(facts, metadata, secret, chance)
        checkpoint = partial(checkpoint_if_due, facts.cursor(), path / FACTS)
        work = _Work(loader, live, metadata, erasing, changes_days, audit_days, checkpoint)
        keeper = Keeper(work, durable, clock, loaded, tell)
        keeper.start()
        stack.callback(keeper.stop)
        precedence = Precedence(clock)
        explorations = Explorations(live, clock, tell, precedence)
        stack.callback(explorations.stop)
        cleaning = Cleaning(erasing, tell, clock=clock, within=erase_within)
        exports = Exports(temporary)
        yield Answering(
            path, facts, metadata, live, keeper, erasing, cleaning, explorations, exports, secret, loader, precedence
        )


@contextmanager
def open_data_directory(
    path: Path,
    *,
    memory: str | None,
    threads: int | None,
    clock: Callable[[], int],
    chance: Callable[[int], bytes],
    tell: Callable[[str, BaseException | None], None],
    metadata_url: str | None = None,
    with_key: bool = True,
) -> Iterator[DataDirectory]:
    """Open both parts in this process; see `open_intake` and `open_answering`."""
    with (
        open_intake(path, clock=clock, chance=chance, metadata_url=metadata_url, with_key=with_key) as intake,
        open_answering(
            path,
            memory=memory,
            threads=threads,
            clock=clock,
            chance=chance,
            durable=lambda: intake.log.durable,
            tell=tell,
            metadata_url=metadata_url,
        ) as answering,
    ):
        parts = {each.name: getattr(answering, each.name) for each in fields(Answering)}
        yield DataDirectory(**parts, log=intake.log, first_key=intake.first_key)


def is_beyond_repair(error: BaseException | None) -> bool:
    """Return whether a database has given itself up: it must be opened again, by a new process."""
    return isinstance(error, duckdb.FatalException | duckdb.InternalException)


def _checked_position(facts: duckdb.DuckDBPyConnection, durable: int, path: Path) -> int:
    """Return up to where the log is loaded; a log that ends before that is not the one that was loaded."""
    loaded = loaded_position(facts)
    if loaded > durable:
        raise UserError(
            f"{path / FACTS} has the log's first {loaded} requests, but {path / LOG} has only {durable}: new ones "
            f"would be taken for old; put the log back that belongs to the facts, or move {FACTS} away"
        )
    if loaded < (first := begins_at(path / LOG)):
        raise UserError(
            f"{path / FACTS} has the log's first {loaded} requests, but {path / LOG} begins at {first} only, as older "
            f"segments were removed: put back a later backup of {FACTS}"
        )
    return loaded


def _open_facts(path: Path, memory: int, threads: int, temporary: Path) -> duckdb.DuckDBPyConnection:
    """Open the facts; one who was here before may need a moment to end."""
    held = ""
    for _ in range(int(PATIENCE_SECONDS / RETRY_SECONDS)):
        try:
            return open_facts(path, memory, threads, temporary)
        except UserError as error:
            if "another process" not in (held := str(error)):
                raise
            time.sleep(RETRY_SECONDS)
    raise FactsHeld(held)


def _open_clean_facts(
    path: Path, memory: int, threads: int, temporary: Path, tell: Callable[[str, BaseException | None], None]
) -> duckdb.DuckDBPyConnection:
    """Open the facts, after their file was freed of old blocks that name erased persons (rule 36)."""
    facts = _open_facts(path, memory, threads, temporary)
    if not unfinished(facts).old_blocks:
        return facts
    facts.close()
    try:
        rewrite_database(path, memory, threads, temporary)
    except (UserError, duckdb.Error, OSError) as error:  # such as a full disk: results are worth more meanwhile
        tell(f"{path} cannot be rewritten yet, its old blocks may name erased persons: {error}", error)
    return _open_facts(path, memory, threads, temporary)
