"""Values and names survive their way into SQL text, whatever they hold."""

from __future__ import annotations

import duckdb
import pytest

from afterword.store.sql import SqlValue, identifier, literal, literals, one_path

ODD = ["", "a", "it's", "'; DROP TABLE x; --", 'say "hi"', "a\0b", "\0", "\\", "line\nend", "ünï 🎈", "{}", "$1 ?"]


@pytest.mark.parametrize("value", [*ODD, None, True, False, 0, -7, 2**62])
def test_a_literal_reads_back_as_its_value(value: SqlValue) -> None:
    with duckdb.connect() as connection:
        assert connection.execute(f"SELECT {literal(value)}").fetchall() == [(value,)]


def test_a_list_of_literals_reads_back() -> None:
    with duckdb.connect() as connection:
        assert connection.execute(f"SELECT {literals(ODD)}").fetchall() == [(ODD,)]


@pytest.mark.parametrize("name", [name for name in ODD if name and "\0" not in name])
def test_an_identifier_names_a_column(name: str) -> None:
    with duckdb.connect() as connection:
        assert connection.execute(f"SELECT {identifier(name)} FROM (SELECT 5 AS {identifier(name)})").fetchall() == [
            (5,)
        ]


def test_a_path_is_not_a_pattern() -> None:
    assert one_path("a[1]*?'.parquet") == "'a[[]1][*][?]''.parquet'"
