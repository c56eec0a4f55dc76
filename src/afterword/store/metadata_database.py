"""Opening the metadata's database, SQLite or PostgreSQL, and the two ways to be in it: reading and writing."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine, make_url

from afterword.errors import UserError, nearest
from afterword.store.metadata_tables import SCHEMA_TABLE, tables
from afterword.store.migrations import HEAD, KNOWN, configuration

BUSY_SECONDS = 5
"""How long to wait for another process that writes, and for PostgreSQL to answer."""

WRITES = "afterword_writes"

# One lock for all that write, as SQLite has it: who holds it sees the latest state and nobody changes it meanwhile.
# Writes are rare here, and the alternative, retrying transactions that failed to serialise, would be everywhere.
_POSTGRESQL_LOCK = sa.text("SELECT pg_advisory_xact_lock(7120473385)")

_PRAGMAS = (
    f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}",
    "PRAGMA foreign_keys = ON",
    "PRAGMA secure_delete = ON",  # what is deleted is overwritten, not only unlinked
    "PRAGMA synchronous = FULL",  # in WAL mode anything less may lose the last commits in a power cut
)

_ATTEMPTS = 20


class MetadataUnavailable(UserError):
    """The metadata cannot be reached, read or written now; an HTTP interface answers 503."""


class Database:
    """A database of metadata whose schema is up to date."""

    def __init__(self, engine: Engine, place: str) -> None:
        self._engine = engine
        self.place = place
        """What errors call it: the file, or server and name of the database; never a password."""

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._engine.dialect.name

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection that sees one state; raises `MetadataUnavailable`."""
        options = {"isolation_level": "REPEATABLE READ"} if self.dialect == "postgresql" else {}
        with _clear_errors(self.place), self._engine.connect().execution_options(**options) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a connection in a transaction that nobody else writes beside; raises `MetadataUnavailable`."""
        writer = self._engine.execution_options(**{WRITES: True})
        with _clear_errors(self.place), writer.begin() as connection:
            if self.dialect == "postgresql":
                connection.execute(_POSTGRESQL_LOCK)
            yield connection

    def free_old_blocks(self, table: str) -> None:
        """Overwrite what was deleted from a table as far as can be; raises `MetadataUnavailable`.

        SQLite overwrites it at once (`secure_delete`), but its write-ahead log has it; PostgreSQL keeps dead rows.
        """
        with _clear_errors(self.place), self._engine.connect() as connection:
            if self.dialect == "postgresql":
                alone = connection.execution_options(isolation_level="AUTOCOMMIT")
                alone.exec_driver_sql(f"VACUUM (FULL) {table}")
                return
            for _ in range(_ATTEMPTS):
                busy = connection.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
                if not busy:
                    return
        raise MetadataUnavailable(f"{self.place}: others have been reading for too long to empty its log; try again")

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()


def open_database(where: str | Path, *, create: bool, listing: bool = False) -> Database:
    """Open the SQLite file or the PostgreSQL URL and bring its schema up to date.

    With `create` a file that is not there is made, with its directory; with `listing` it is for a command that only
    reads, which a full disk does not keep from it. Raises `UserError` where there is nothing to open, where it is no
    metadata of Afterword, is damaged, or was written by a newer Afterword.
    """
    by_url = isinstance(where, str) and "://" in where
    database = _postgresql(str(where)) if by_url else _sqlite(Path(where), create=create, listing=listing)
    try:
        _bring_up_to_date(database)
    except BaseException:
        database.close()
        raise
    return database


# --- SQLite -----------------------------------------------------------------------------------------


def _sqlite(path: Path, *, create: bool, listing: bool) -> Database:
    _make_file(path, create=create)
    engine = sa.create_engine(
        URL.create("sqlite", database=str(path)),
        hide_parameters=True,
        # The driver would begin transactions where it sees fit; SQLAlchemy is to do that.
        connect_args={"isolation_level": None, "timeout": BUSY_SECONDS},
    )
    if listing and _has_no_room(path):
        sa.event.listen(engine, "connect", _be_alone)
    sa.event.listen(engine, "connect", _set_pragmas)
    sa.event.listen(engine, "begin", _begin)
    return Database(engine, str(path))


def _make_file(path: Path, *, create: bool) -> None:
    if path.exists():
        return
    if not create:
        raise UserError(f"{path}: there is no such file; name the data directory with --data")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # For its owner alone: it will hold the hashes of keys. SQLite gives its side files the same mode.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise UserError(f"{path}: cannot be made: {error.strerror}") from None


def _has_no_room(path: Path) -> bool:
    """Whether the disk has no room for the index of the write-ahead log, which even who only reads must make."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=BUSY_SECONDS)) as connection:
        try:
            connection.execute("SELECT 1 FROM sqlite_master").fetchone()
        except sqlite3.DatabaseError as error:
            return error.sqlite_errorname.startswith("SQLITE_IOERR_SHM")
    return False


def _be_alone(connection: sqlite3.Connection, _record: object) -> None:
    # The index is then in this process. Nobody else has the database open, or it would be there.
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")


def _set_pragmas(connection: sqlite3.Connection, _record: object) -> None:
    for pragma in _PRAGMAS:
        connection.execute(pragma)
    for attempt in range(_ATTEMPTS):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname != "SQLITE_BUSY" or attempt == _ATTEMPTS - 1:
                raise
        # Several opened a new file at once. Changing the mode does not wait for the others; a transaction does, and
        # the file keeps its mode.
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")


def _begin(connection: Connection) -> None:
    # A writer takes the lock at once: a reader that turned writer halfway might have read what is no longer so.
    writes = connection.get_execution_options().get(WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


# --- PostgreSQL -------------------------------------------------------------------------------------


def _postgresql(text: str) -> Database:
    url = _postgresql_url(text)
    place = f"PostgreSQL at {url.host or 'the local socket'}{f':{url.port}' if url.port else ''}/{url.database or ''}"
    try:
        import psycopg  # noqa: F401
    except ImportError:
        raise UserError(f"{place}: the driver is missing; pip install 'afterword[postgresql]'") from None
    options: dict[str, Any] = {"connect_timeout": BUSY_SECONDS, "application_name": "afterword"}
    engine = sa.create_engine(
        url,
        hide_parameters=True,
        pool_pre_ping=True,  # a server that was restarted costs one question, not one error
        connect_args={name: value for name, value in options.items() if name not in url.query},
    )
    return Database(engine, place)


def _postgresql_url(text: str) -> URL:
    """Read the URL. Errors do not repeat it: it may hold a password."""
    scheme = text.partition("://")[0]
    if scheme not in ("postgresql", "postgres", "postgresql+psycopg"):
        raise UserError(
            f'metadata is at a "{scheme}" URL, must be a file or a postgresql:// URL{nearest(scheme, ["postgresql"])}'
        )
    try:
        return make_url(f"postgresql+psycopg://{text.partition('://')[2]}")
    except (sa.exc.ArgumentError, ValueError):
        raise UserError(
            "the URL of the metadata cannot be read, must be postgresql://user:password@host:port/database"
        ) from None


# --- the schema -------------------------------------------------------------------------------------


def _bring_up_to_date(database: Database) -> None:
    with database.reading() as connection:
        if database.dialect == "sqlite":
            _check_pages(connection, database.place)
        if _revision(connection, database.place) == HEAD:
            return
    with database.writing() as connection:
        if _revision(connection, database.place) != HEAD:  # another process may have been quicker
            from alembic import command

            config = configuration()
            config.attributes["connection"] = connection
            command.upgrade(config, HEAD)


def _check_pages(connection: Connection, place: str) -> None:
    found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
    if found != "ok":
        raise MetadataUnavailable(_damaged(place))


def _revision(connection: Connection, place: str) -> str | None:
    """Return the schema's revision, None for an empty database; refuse what is not ours to change."""
    inspector = sa.inspect(connection)
    if not inspector.has_table(SCHEMA_TABLE):
        present = set(inspector.get_table_names())
        # A server's database may be shared, as long as no name is; a file is ours or it is not.
        taken = sorted(present if connection.dialect.name == "sqlite" else present & set(tables.tables))
        if taken:
            raise UserError(f'{place}: has a table "{taken[0]}" of another program; use a database of its own')
        return None
    found: str | None = connection.execute(sa.text(f"SELECT version_num FROM {SCHEMA_TABLE}")).scalar()
    if found is not None and found not in KNOWN:
        raise UserError(
            f"{place}: was written by a newer Afterword (schema {found}; this one knows up to {HEAD}); "
            "update Afterword, or go back to the backup that was made before the update"
        )
    return found


# --- errors -----------------------------------------------------------------------------------------

_POSTGRESQL_STATES = {"OperationalError", "InterfaceError", "InsufficientPrivilege", "ReadOnlySqlTransaction"}
"""Classes of psycopg's errors that tell of the server and what it allows; the others tell of a fault of ours."""


@contextmanager
def _clear_errors(place: str) -> Iterator[None]:
    """Turn what the database says about itself into one sentence; what is a fault of ours stays as it is."""
    try:
        yield
    except sa.exc.DBAPIError as error:
        # Without a statement it was the connecting that failed.
        sentence = _sentence(error.orig, place, connecting=error.statement is None)
        if sentence is None:
            raise
    except sa.exc.TimeoutError:
        sentence = f"{place}: all connections have been in use for too long; try again"
    except sqlite3.DatabaseError as error:  # from setting up a connection
        sentence = _sentence(error, place, connecting=True)
        if sentence is None:
            raise
    else:
        return
    raise MetadataUnavailable(sentence) from None


def _sentence(error: BaseException | None, place: str, *, connecting: bool) -> str | None:
    if isinstance(error, sqlite3.DatabaseError):
        code = getattr(error, "sqlite_errorname", "") or ""
        return _sqlite_sentence(code.removeprefix("SQLITE_"), place)
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    if connecting:
        return f"{place}: cannot be reached: {lines[0]}"
    if _POSTGRESQL_STATES & {base.__name__ for base in type(error).__mro__}:
        return f"{place}: {lines[0]}"
    return None


def _sqlite_sentence(code: str, place: str) -> str | None:
    if code == "NOTADB" or code.startswith("CORRUPT"):
        return _damaged(place)
    if code.startswith(("BUSY", "LOCKED")):
        return f"{place}: another process has been writing for more than {BUSY_SECONDS} seconds; try again"
    if code == "FULL" or code.startswith("IOERR"):
        return f"{place}: cannot be written: the disk is full or failing"
    if code.startswith(("READONLY", "CANTOPEN", "PERM", "AUTH")):
        return f"{place}: cannot be opened for writing"
    return None


def _damaged(place: str) -> str:
    return f"{place}: is damaged or no SQLite database; put back the last backup of it"
