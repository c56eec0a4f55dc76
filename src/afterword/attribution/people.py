"""Persons: who the exposed users are, after merges, as dense integers (rule 37)."""

from __future__ import annotations

import duckdb
import numpy as np
import pyarrow as pa


def make_people(con: duckdb.DuckDBPyConnection, exposures_scan: str) -> int:
    """Make the tables `users` (user, user_id) and `ids` (known_id, user); return how many users there are.

    Users are the persons whom exposures name, in order of their ids' bytes; `ids` maps every id of such
    a person. Whether an exposure can be used is not asked here, which would cost a second validation:
    a person without a usable one has an empty history.
    """
    merged = _make_aliases(con)
    person = "coalesce(a.person, s.user_id)" if merged else "s.user_id"
    join = "LEFT JOIN aliases a ON a.user_id = s.user_id" if merged else ""
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE users AS
        SELECT CAST(row_number() OVER (ORDER BY user_id) - 1 AS INTEGER) AS user, user_id
        FROM (SELECT DISTINCT {person} AS user_id FROM ({exposures_scan}) s {join} WHERE s.user_id IS NOT NULL)"""
    )
    con.execute(
        """
        CREATE OR REPLACE TEMP TABLE ids AS
        SELECT user_id AS known_id, user FROM users
        UNION ALL
        SELECT a.user_id, u.user FROM aliases a JOIN users u ON u.user_id = a.person"""
    )
    return int(con.execute("SELECT count(*) FROM users").fetchall()[0][0])


def _make_aliases(con: duckdb.DuckDBPyConnection) -> bool:
    """Make `aliases` (user_id, person): every merged id but the person's own; return whether there are any."""
    con.execute("CREATE OR REPLACE TEMP TABLE aliases (user_id VARCHAR, person VARCHAR)")
    merges = con.sql("SELECT DISTINCT from_user_id, to_user_id FROM merges").to_arrow_table()
    if not merges.num_rows:
        return False
    persons = persons_of(merges.column(0).to_pylist(), merges.column(1).to_pylist())
    aliases = pa.table(
        {"user_id": [i for i, p in persons.items() if i != p], "person": [p for i, p in persons.items() if i != p]},
        schema=pa.schema({"user_id": pa.string(), "person": pa.string()}),
    )
    con.register("new_aliases", aliases)
    con.execute("INSERT INTO aliases SELECT * FROM new_aliases")
    con.unregister("new_aliases")
    return True


def persons_of(from_ids: list[str], to_ids: list[str]) -> dict[str, str]:
    """Return the person of every merged id.

    The person's id is where the merges lead; in a cycle, or where they lead to several ends, the
    smallest of these by bytes.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    names = sorted({*from_ids, *to_ids}, key=str.encode)
    number = {name: index for index, name in enumerate(names)}
    source = np.array([number[name] for name in from_ids])
    target = np.array([number[name] for name in to_ids])
    graph = coo_array((np.ones(len(source), np.int8), (source, target)), shape=(len(names), len(names))).tocsr()
    _, person = connected_components(graph, directed=True, connection="weak")
    cycles, cycle = connected_components(graph, directed=True, connection="strong")
    leads_on = np.zeros(cycles, bool)
    leads_on[cycle[source[cycle[source] != cycle[target]]]] = True
    best: dict[int, str] = {}
    for index, name in enumerate(names):  # in order of bytes, so the first end is the smallest
        if not leads_on[cycle[index]]:
            best.setdefault(int(person[index]), name)
    return {name: best[int(person[index])] for index, name in enumerate(names)}
