"""Metadata in both databases: a test that asks for `place` or `metadata` runs in each."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from afterword.store.metadata import Metadata, open_metadata
from tests.store import postgresql

NUMBERS = count()


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """URLs of a server that runs as long as the tests, with `{}` for the database."""
    reason = postgresql.missing()
    if reason:
        pytest.skip(reason)
    with postgresql.server() as url:
        yield url


@pytest.fixture
def empty_database(postgresql_url: str) -> str:
    """The URL of a new database."""
    import psycopg

    name = f"test_{next(NUMBERS)}"
    with psycopg.connect(postgresql_url.format("postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return postgresql_url.format(name)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.sampled(3, among="postgresql"))])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where metadata can be opened that is not there yet."""
    if request.param == "sqlite":
        return str(tmp_path / "data" / "metadata.sqlite")
    url: str = request.getfixturevalue("empty_database")
    return url


@pytest.fixture
def metadata(place: str) -> Iterator[Metadata]:
    with open_metadata(place) as opened:
        yield opened
