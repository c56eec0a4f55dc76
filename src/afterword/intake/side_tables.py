"""Small tables beside the facts: merges (rule 37), exchange rates (rule 27), and users to assign (rule 30).

They are settings rather than facts: one bad row refuses the whole file, naming the row.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb

from afterword.errors import Reason, UserError
from afterword.intake.columns import Check, Form, Raw, blank, currency_value, identifier_value, missing, value_name
from afterword.intake.facts import MANDATORY, columns_of
from afterword.intake.scan import raw_columns, raw_relation, require_columns
from afterword.intake.sources import InputFile, Kind, ReadOptions
from afterword.intake.staging import Stager, Table

MAX_RATE_DECIMALS = 12
USERS = ("user_id",)


def load_merges(
    connection: duckdb.DuckDBPyConnection, inputs: Sequence[InputFile], options: ReadOptions, staging_dir: Path
) -> int:
    """Create the table `merges(from_user_id, to_user_id)`, empty without inputs; return its number of rows."""
    connection.execute("CREATE OR REPLACE TABLE merges (from_user_id VARCHAR, to_user_id VARCHAR)")
    for table in _tables(connection, "merges", inputs, options, staging_dir):
        raws = raw_columns(table)
        values, checks = {}, []
        for name in MANDATORY["merges"]:
            value = identifier_value(raws[name])
            values[name] = value.sql
            checks += [missing(name), *value.checks]
        _insert(connection, "merges", table, values, checks)
    return _count(connection, "merges")


def load_rates(
    connection: duckdb.DuckDBPyConnection, inputs: Sequence[InputFile], options: ReadOptions, staging_dir: Path
) -> int:
    """Create the table `rates(date, currency, rate)`, empty without inputs; return its number of rows."""
    connection.execute("CREATE OR REPLACE TABLE rates (date DATE, currency VARCHAR, rate DECIMAL(38, 12))")
    for table in _tables(connection, "rates", inputs, options, staging_dir):
        raws = raw_columns(table)
        currency = currency_value(raws["currency"])
        date, date_check = _date(raws["date"])
        rate, rate_check = _rate(raws["rate"])
        values = {"date": date, "currency": currency.sql, "rate": rate}
        absent = [Check(missing(name).reason, raws[name].absent, missing(name).message) for name in MANDATORY["rates"]]
        _insert(connection, "rates", table, values, [*absent, date_check, *currency.checks, rate_check])
    _refuse_two_rates(connection)
    connection.execute("CREATE OR REPLACE TABLE rates AS SELECT DISTINCT * FROM rates ORDER BY ALL")
    return _count(connection, "rates")


def load_users(
    connection: duckdb.DuckDBPyConnection, inputs: Sequence[InputFile], options: ReadOptions, staging_dir: Path
) -> int:
    """Create the table `users_to_assign(user_id)`, each user once, in the order of the files; return its length."""
    connection.execute("CREATE OR REPLACE TABLE users_to_assign (user_id VARCHAR)")
    stager = Stager(connection, staging_dir, "users", USERS, options.rename)
    for table in [stager.table(file) for file in inputs]:
        require_columns(USERS, table)
        raw = raw_columns(table)["user_id"]
        value = identifier_value(raw)
        checks = [missing("user_id"), *value.checks, blank(raw)]
        _insert(connection, "users_to_assign", table, {"user_id": value.sql}, checks)
    connection.execute(
        """
        CREATE OR REPLACE TABLE users_to_assign AS
        SELECT user_id FROM users_to_assign GROUP BY user_id ORDER BY min(rowid)
        """
    )
    return _count(connection, "users_to_assign")


def _tables(
    connection: duckdb.DuckDBPyConnection,
    kind: Kind,
    inputs: Sequence[InputFile],
    options: ReadOptions,
    staging_dir: Path,
) -> list[Table]:
    stager = Stager(connection, staging_dir, kind, columns_of(kind), options.rename)
    tables = [stager.table(file) for file in inputs]
    for table in tables:
        require_columns(MANDATORY[kind], table)
    return [table for table in tables if table.names]


def _date(raw: Raw) -> tuple[str, Check]:
    value = value_name("date")
    bad = Check(Reason.BAD_TIME, f"{value} IS NULL", raw.says("is not a day; expected a date such as 2024-12-01"))
    if raw.is_text:
        is_day = f"regexp_full_match({raw.text}, '[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}')"
        return f"CASE WHEN {is_day} THEN TRY_CAST({raw.text} AS DATE) END", bad
    if raw.form in (Form.DATE, Form.TIMESTAMP):
        whole = f"TRY_CAST({raw.sql} AS DATE)"
        return f"CASE WHEN {whole} = {raw.sql} THEN {whole} END", bad
    return "NULL::DATE", bad


def _rate(raw: Raw) -> tuple[str, Check]:
    value = value_name("rate")
    what = f"must be a number above 0 with at most {MAX_RATE_DECIMALS} decimals"
    bad = Check(Reason.BAD_AMOUNT, f"NOT coalesce({value} > 0, FALSE)", raw.says(what))
    if not raw.is_text and raw.form not in (Form.INTEGER, Form.DECIMAL, Form.FLOAT):
        return "NULL::DECIMAL(38, 12)", bad
    text = f"{raw.sql}::VARCHAR"
    plain = r"\+?([0-9]{1,20}(\.[0-9]{0,12}0*)?|\.[0-9]{1,12}0*)"
    small = r"[0-9](\.[0-9]+)?[eE]-[0-9]{1,2}"
    exact = f"TRY_CAST({text} AS DECIMAL(38, 30))"
    return (
        f"CASE WHEN regexp_full_match({text}, '{plain}') THEN TRY_CAST({text} AS DECIMAL(38, 12)) "
        f"WHEN regexp_full_match({text}, '{small}') AND {exact}::DECIMAL(38, 12) = {exact} "
        f"THEN {exact}::DECIMAL(38, 12) END"
    ), bad


def _insert(
    connection: duckdb.DuckDBPyConnection, name: str, table: Table, values: dict[str, str], checks: Sequence[Check]
) -> None:
    selected = ", ".join(f"{sql} AS {value_name(column)}" for column, sql in values.items())
    relation = f"(SELECT *, {selected} FROM ({raw_relation([table], 0)}))"
    broken = "WHEN broken IS NOT NULL THEN broken " if table.staged else ""
    problem = "CASE " + broken + " ".join(f"WHEN {c.condition} THEN {c.message}" for c in checks) + " END"
    bad = connection.execute(
        f"SELECT record, problem FROM (SELECT record, {problem} AS problem FROM {relation}) "
        "WHERE problem IS NOT NULL ORDER BY record LIMIT 1"
    ).fetchone()
    if bad is not None:
        raise UserError(f"{table.input.path}, row {bad[0]}: {bad[1]}")
    columns = ", ".join(value_name(column) for column in values)
    connection.execute(f"INSERT INTO {name} SELECT {columns} FROM {relation}")


def _refuse_two_rates(connection: duckdb.DuckDBPyConnection) -> None:
    two = connection.execute(
        """
        SELECT date::VARCHAR, currency, min(rate)::VARCHAR, max(rate)::VARCHAR FROM rates
        GROUP BY date, currency HAVING count(DISTINCT rate) > 1 ORDER BY date, currency LIMIT 1
        """
    ).fetchone()
    if two is not None:
        raise UserError(f"rates: {two[1]} has two rates on {two[0]}: {two[2]} and {two[3]}")


def _count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    rows = connection.execute(f"SELECT count(*) FROM {table}").fetchall()  # a result not read to its end stays open
    return int(rows[0][0])
