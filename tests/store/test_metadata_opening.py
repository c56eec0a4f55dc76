from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from afterword.errors import UserError
from afterword.model import Definitions
from afterword.store.campaigns import CampaignRefused
from afterword.store.metadata import open_metadata
from afterword.store.metadata_database import Database, MetadataUnavailable, open_database
from afterword.store.metadata_tables import SCHEMA_TABLE, tables
from afterword.store.migrations import HEAD, KNOWN, configuration
from tests.store.campaign_world import campaign


@contextmanager
def opened(place: str | Path) -> Iterator[Database]:
    database = open_database(place, create=True)
    try:
        yield database
    finally:
        database.close()


# --- the schema -------------------------------------------------------------------------------------


def test_an_empty_database_is_brought_to_the_tables(place: str) -> None:
    with opened(place) as database, database.reading() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": SCHEMA_TABLE, "compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, tables) == []
        assert context.get_current_revision() == HEAD


def test_opening_again_finds_what_was_kept(place: str) -> None:
    with open_metadata(place) as metadata:
        stored = metadata.campaigns.create(campaign(), 1)
    with open_metadata(place, create=False) as metadata:
        assert metadata.campaigns.get("cart-rescue") == stored


def test_the_known_revisions_are_those_there_are() -> None:
    scripts = ScriptDirectory.from_config(configuration())
    assert tuple(reversed([script.revision for script in scripts.walk_revisions()])) == KNOWN


def test_a_schema_that_is_up_to_date_needs_no_alembic(tmp_path: Path) -> None:
    open_metadata(tmp_path / "metadata.sqlite").close()
    code = (
        "import sys; from afterword.store.metadata import open_metadata; open_metadata(sys.argv[1]).close(); "
        "print(sorted(m for m in sys.modules if m.startswith('alembic')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "metadata.sqlite")], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_a_newer_schema_is_left_alone(place: str) -> None:
    with opened(place) as database, database.writing() as connection:
        connection.execute(sa.text(f"UPDATE {SCHEMA_TABLE} SET version_num = '0999'"))
    sentence = rf"was written by a newer Afterword \(schema 0999; this one knows up to {HEAD}\); update Afterword"
    with pytest.raises(UserError, match=sentence):
        open_metadata(place)


def test_a_database_of_another_program_is_left_alone(place: str, tmp_path: Path) -> None:
    if "://" in place:
        engine = sa.create_engine(place.replace("postgresql", "postgresql+psycopg"))
    else:
        Path(place).parent.mkdir()
        engine = sa.create_engine(f"sqlite:///{place}")
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE campaigns (x INTEGER)"))
    with pytest.raises(UserError, match='has a table "campaigns" of another program; use a database of its own'):
        open_metadata(place)
    with engine.begin() as connection:
        assert sa.inspect(connection).get_table_names() == ["campaigns"]
    engine.dispose()


def test_a_step_that_fails_leaves_nothing_behind(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("alembic.operations.Operations.create_index", None)
        with pytest.raises(TypeError):
            open_metadata(place)
    with open_metadata(place) as metadata:
        assert metadata.campaigns.list() == []


def test_several_may_open_an_empty_database_at_once(place: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: open_metadata(place), range(4)))
    found[0].campaigns.create(campaign(), 1)
    assert [len(metadata.campaigns.list()) for metadata in found] == [1, 1, 1, 1]
    for metadata in found:
        metadata.close()


# --- two at once ------------------------------------------------------------------------------------


def test_of_two_that_create_the_same_one_is_refused(place: str) -> None:
    with open_metadata(place) as one, open_metadata(place) as other:

        def create(number: int) -> bool:
            try:
                (one, other)[number % 2].campaigns.create(campaign(), 10)
            except CampaignRefused:
                return False
            return True

        with ThreadPoolExecutor(4) as pool:
            assert sorted(pool.map(create, range(8))) == [False] * 7 + [True]


def test_writers_wait_for_each_other_and_lose_nothing(place: str) -> None:
    with open_metadata(place) as one, open_metadata(place) as other:
        one.campaigns.create(campaign(), 1)
        one.campaigns.launch("cart-rescue", 1)

        def change(number: int) -> None:
            shares = {"a": number, "b": 90 - number, "control": 10}
            (one, other)[number % 2].campaigns.change(campaign(shares={**shares}), number)

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(change, range(2, 22)))
        assert len(one.campaigns.shares("cart-rescue")) == 21


def test_readers_do_not_wait_for_writers(place: str) -> None:
    with opened(place) as database, open_metadata(place) as metadata:
        metadata.campaigns.create(campaign(), 1)
        with database.writing() as connection:
            connection.execute(sa.text("UPDATE campaigns SET description = 'not yet'"))
            assert metadata.campaigns.get("cart-rescue").description == ""
        assert metadata.campaigns.get("cart-rescue").description == "not yet"


def test_an_error_takes_the_whole_step_back(place: str) -> None:
    with opened(place) as database:

        def fail() -> None:
            with database.writing() as connection:
                connection.execute(sa.insert(tables.tables["workspace_settings"]).values(id=1, **SETTINGS))
                raise KeyError("something")

        with pytest.raises(KeyError):
            fail()
        with database.reading() as connection:
            assert connection.execute(sa.select(tables.tables["workspace_settings"])).all() == []


SETTINGS = {"timezone": "UTC", "currency": "EUR", "updated_at": 1}


def test_a_writer_that_waits_too_long_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("afterword.store.metadata_database._PRAGMAS", ("PRAGMA busy_timeout = 10",))
    file = tmp_path / "metadata.sqlite"
    busy = pytest.raises(MetadataUnavailable, match="another process has been writing for more than 5 seconds")
    with open_metadata(file) as metadata, opened(file) as database, database.writing(), busy:
        metadata.campaigns.create(campaign(), 1)


def test_a_new_file_that_someone_else_is_at_is_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "metadata.sqlite"
    other = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")
    release = threading.Timer(0.3, lambda: other.execute("ROLLBACK"))
    release.start()
    open_metadata(file).close()
    release.join()
    other.close()


def test_a_full_disk_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "metadata.sqlite"
    open_metadata(file).close()
    monkeypatch.setattr("afterword.store.metadata_database._PRAGMAS", ("PRAGMA max_page_count = 1",))
    with open_metadata(file) as metadata:
        plan = metadata.plan(Definitions(campaigns=tuple(campaign(f"c{number:03}") for number in range(200))))
        with pytest.raises(MetadataUnavailable, match="cannot be written: the disk is full or failing"):
            metadata.apply(plan, 1)
        assert metadata.campaigns.list() == []


# --- SQLite -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pragma", "expected"),
    [("journal_mode", "wal"), ("foreign_keys", 1), ("secure_delete", 1), ("busy_timeout", 5000), ("synchronous", 2)],
)
def test_sqlite_is_opened_with_care(tmp_path: Path, pragma: str, expected: object) -> None:
    with opened(tmp_path / "metadata.sqlite") as database, database.reading() as connection:
        assert connection.exec_driver_sql(f"PRAGMA {pragma}").scalar() == expected


def test_a_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    with open_metadata(tmp_path / "metadata.sqlite") as metadata:
        metadata.campaigns.create(campaign(), 1)
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert set(modes.values()) == {0o600}
    assert "metadata.sqlite-wal" in modes


def test_what_is_deleted_is_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "metadata.sqlite"
    with open_metadata(file) as metadata:
        metadata.idempotency.begin("k1", "a-very-special-key", b"", 1)
        metadata.idempotency.abandon("k1", "a-very-special-key", 1)
    assert b"a-very-special-key" not in file.read_bytes()


def test_a_file_that_is_not_there_is_made_only_if_asked(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no such file; name the data directory with --data"):
        open_metadata(tmp_path / "data" / "metadata.sqlite", create=False)
    assert list(tmp_path.iterdir()) == []


def test_a_file_where_none_can_be(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(UserError, match=r"metadata.sqlite: cannot be made: "):
        open_metadata(tmp_path / "data" / "metadata.sqlite")


def damaged(file: Path, how: str) -> None:
    with open_metadata(file) as metadata:
        for number in range(50):
            metadata.campaigns.create(campaign(f"c{number}"), number)
    data = bytearray(file.read_bytes())
    match how:
        case "text":
            data = bytearray(b"campaigns:\n" * 1000)
        case "header":
            data[:16] = bytes(16)
        case "cut":
            del data[len(data) // 2 :]
        case "pages":
            data[8192 : 8192 + 20_000] = b"\xff" * 20_000
    file.write_bytes(data)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("how", ["text", "header", "cut", "pages"])
def test_a_damaged_file_is_named(tmp_path: Path, how: str) -> None:
    file = tmp_path / "metadata.sqlite"
    damaged(file, how)
    before = file.read_bytes()
    with pytest.raises(MetadataUnavailable, match="is damaged or no SQLite database; put back the last backup of it"):
        open_metadata(file)
    assert file.read_bytes() == before


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(MetadataUnavailable, match="cannot be opened for writing"):
        open_metadata(tmp_path)


def test_foreign_keys_hold(tmp_path: Path) -> None:
    with open_metadata(tmp_path / "metadata.sqlite") as metadata:
        metadata.campaigns.create(campaign(), 1)
        metadata.campaigns.launch("cart-rescue", 1)
    raw = sqlite3.connect(tmp_path / "metadata.sqlite")
    raw.execute("PRAGMA foreign_keys = ON")
    with pytest.raises(sqlite3.IntegrityError):
        raw.execute("DELETE FROM campaigns")
    raw.close()


# --- URLs -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        pytest.param("mysql://u:hush@host/db", 'metadata is at a "mysql" URL, must be a file or a post', id="mysql"),
        pytest.param("postgress://u:hush@host/db", 'did you mean "postgresql"?', id="misspelt"),
        pytest.param("postgresql://u:hush@host:port/db", "the URL of the metadata cannot be read", id="no-port"),
        pytest.param("postgresql://u:hush@127.0.0.1:1/db", "PostgreSQL at 127.0.0.1:1/db: cannot be re", id="nobody"),
        pytest.param("postgres://u:hush@nowhere.invalid/db", "PostgreSQL at nowhere.invalid/db: cannot", id="no-host"),
        pytest.param(
            "postgresql://u:hush@/db?host=/nowhere", "PostgreSQL at the local socket/db: cannot be", id="socket"
        ),
        pytest.param("postgresql://127.0.0.1:1/db?hush=1", "PostgreSQL at 127.0.0.1:1/db: ", id="unknown-option"),
    ],
)
def test_a_url_that_cannot_be_reached(url: str, sentence: str) -> None:
    with pytest.raises(UserError) as caught:
        open_metadata(url)
    assert sentence in str(caught.value)
    assert "u:hush" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_database_that_is_not_there(postgresql_url: str) -> None:
    with pytest.raises(MetadataUnavailable, match='database "nowhere" does not exist'):
        open_metadata(postgresql_url.format("nowhere"))


def test_a_role_that_may_not_make_tables(empty_database: str) -> None:
    import psycopg

    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS afterword_reader")
        connection.execute("CREATE ROLE afterword_reader LOGIN")
        connection.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    url = f"postgresql://afterword_reader@{empty_database.partition('@')[2]}"
    with pytest.raises(MetadataUnavailable, match="permission denied for schema public"):
        open_metadata(url)


def test_a_server_that_ends_connections_is_asked_again(empty_database: str) -> None:
    import psycopg

    with open_metadata(empty_database) as metadata:
        metadata.campaigns.create(campaign(), 1)
        with psycopg.connect(empty_database, autocommit=True) as connection:
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        assert [one.campaign.id for one in metadata.campaigns.list()] == ["cart-rescue"]


def test_without_the_driver_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(UserError, match=r"the driver is missing; pip install 'afterword\[postgresql\]'"):
        open_metadata("postgresql://host/db")
