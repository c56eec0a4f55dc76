"""Rows that need a second look in the files: ids that conflict, and rejections found after the scan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import duckdb
import numpy as np
import pyarrow as pa

from afterword.attribution.compiled import I64
from afterword.attribution.facts import FILE_MASK, FILE_SHIFT, RECORD_MASK, FactKind, FactTable
from afterword.errors import Reason


def compare_content(con: duckdb.DuckDBPyConnection, table: FactTable, scan: str) -> Callable[[I64], tuple[I64, I64]]:
    """Return the comparison that `Repetitions.resolve` asks for.

    Of the rows with one id, those whose content has the smallest md5 stay: the first of them is the
    fact, the others repeat it. The rest conflict (rule 33).
    """
    identity = "kind" if table.kind == "events" else "0"

    def compare(rows: I64) -> tuple[I64, I64]:
        con.register("unclear_rows", pa.table({"row": rows}))
        judged = con.sql(
            f"""
            WITH unclear AS (
                SELECT {table.row_sql()} AS row, {identity} AS kind, {table.id} AS id, {table.digest_sql()} AS digest
                FROM ({scan}) s
                WHERE reason = 0 AND {table.row_sql()} IN (SELECT row FROM unclear_rows)
            ), kept AS (
                SELECT kind, id, digest, min(row) AS first
                FROM unclear
                GROUP BY kind, id, digest
                QUALIFY row_number() OVER (PARTITION BY kind, id ORDER BY digest) = 1
            )
            SELECT u.row, u.digest <> k.digest AS conflicts
            FROM unclear u JOIN kept k ON k.kind = u.kind AND k.id = u.id
            WHERE u.row <> k.first"""
        ).to_arrow_table()
        con.unregister("unclear_rows")
        row = judged.column("row").to_numpy()
        conflicts = judged.column("conflicts").to_numpy().astype(bool)
        return row[~conflicts], row[conflicts]

    return compare


class LateRejections:
    """Rows that intake accepted and attribution must reject; kept in the table `late_rejections`."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self._con = con
        self.counts: Counter[Reason] = Counter()
        self.by_kind: Counter[FactKind] = Counter()
        con.execute(
            "CREATE OR REPLACE TEMP TABLE late_rejections "
            "(kind VARCHAR, file INTEGER, record BIGINT, reason VARCHAR, message VARCHAR)"
        )

    def add(self, kind: FactKind, rows: I64, reason: Reason, message: str) -> None:
        """Reject rows for one reason."""
        if not len(rows):
            return
        self.counts[reason] += len(rows)
        self.by_kind[kind] += len(rows)
        found = pa.table({"file": (rows >> FILE_SHIFT) & FILE_MASK, "record": rows & RECORD_MASK})
        self._con.register("late_rows", found)
        self._con.execute(
            "INSERT INTO late_rejections SELECT ?, file, record, ?, ? FROM late_rows", [kind, reason.value, message]
        )
        self._con.unregister("late_rows")


def joined(parts: list[I64]) -> I64:
    """Return one array of all rows."""
    return np.concatenate([np.empty(0, np.int64), *parts])
