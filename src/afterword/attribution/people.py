"""Persons: who the exposed users are, after merges, as dense integers (rule 37)."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa

from afterword.attribution.texts import TextIndex, keys_of, sorted_texts, string_array, text_of, text_of_strings


@dataclass(frozen=True)
class People:
    """The users: the persons whom exposures name, numbered in order of their ids' bytes."""

    ids: pa.Array
    """The id of each user."""
    index: TextIndex
    """Finds the user of any id, also of one that was merged into another."""

    def __len__(self) -> int:
        return len(self.ids)

    def find(self, user_id: str) -> int:
        """Return the number of the user with an id, -1 if there is none."""
        text = text_of_strings([user_id])
        return int(self.index.find(text, keys_of(text))[0])


def make_people(con: duckdb.DuckDBPyConnection, exposures_scan: str) -> People:
    """Find the users of the exposures in a scan; reads the table `merges` (from_user_id, to_user_id).

    Whether an exposure can be used is not asked here, which would cost a second validation: a person
    without a usable one has an empty history.
    """
    alias, person = _aliases(con)
    sql = f"SELECT DISTINCT s.user_id FROM ({exposures_scan}) s WHERE s.user_id IS NOT NULL"
    if alias:
        con.register("aliases", pa.table({"user_id": alias, "person": person}))
        sql = (
            f"SELECT DISTINCT coalesce(a.person, s.user_id) AS user_id FROM ({exposures_scan}) s "
            "LEFT JOIN aliases a ON a.user_id = s.user_id WHERE s.user_id IS NOT NULL"
        )
    found = con.sql(sql).to_arrow_table().column(0).combine_chunks()
    if alias:
        con.unregister("aliases")
    users = sorted_texts(text_of(found))
    ids = string_array(users)
    people = People(ids, TextIndex(users, np.arange(len(ids), dtype=np.int32)))
    known = [(name, user) for name, of in zip(alias, person, strict=True) if (user := people.find(of)) >= 0]
    if not known:
        return people
    every = pa.concat_arrays([ids, string_array(text_of_strings([name for name, _ in known])).cast(ids.type)])
    numbers = np.concatenate([np.arange(len(ids)), [user for _, user in known]]).astype(np.int32)
    return People(ids, TextIndex(text_of(every), numbers))


def _aliases(con: duckdb.DuckDBPyConnection) -> tuple[list[str], list[str]]:
    """Return every merged id but the persons' own, and the person of each."""
    merges = con.sql("SELECT DISTINCT from_user_id, to_user_id FROM merges").to_arrow_table()
    if not merges.num_rows:
        return [], []
    persons = persons_of(merges.column(0).to_pylist(), merges.column(1).to_pylist())
    merged = {name: person for name, person in persons.items() if name != person}
    return list(merged), list(merged.values())


def persons_of(from_ids: list[str], to_ids: list[str]) -> dict[str, str]:
    """Return the person of every merged id.

    The person's id is where the merges lead: an id that was merged into no other, or where there is none,
    one of a cycle that nothing leads out of; of several the smallest by bytes.
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
    merged = np.zeros(len(names), bool)
    merged[source] = True
    best: dict[int, str] = {}
    for is_end in (~merged, ~leads_on[cycle]):
        for index in np.flatnonzero(is_end):  # in order of bytes, so the first end is the smallest
            best.setdefault(int(person[index]), names[index])
    return {name: best[int(person[index])] for index, name in enumerate(names)}
