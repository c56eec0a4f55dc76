"""Refunds: what was given back of each purchase (rule 28)."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa

from afterword.attribution.compiled import I64
from afterword.attribution.derive import Refunds
from afterword.attribution.facts import EVENTS
from afterword.model import EventKind


@dataclass(frozen=True)
class FoundRefunds:
    """Refunds by purchase, and those that could not be booked."""

    refunds: Refunds
    unmatched: int
    other_currency: I64
    """Rows of refunds in another currency than their purchase: rejected."""


def no_refunds() -> FoundRefunds:
    """Return the answer where no refund was reported."""
    empty: I64 = np.empty(0, np.int64)
    return FoundRefunds(Refunds(empty, empty), 0, empty)


def find_refunds(con: duckdb.DuckDBPyConnection, events_scan: str, as_of: int, dropped: I64) -> FoundRefunds:
    """Match the refunds with the purchases that they name; `dropped` rows are no facts."""
    con.register("dropped_rows", pa.table({"row": dropped}))
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE money AS
        SELECT {EVENTS.row_sql()} AS row, kind, event_id, refund_of, amount, currency
        FROM ({events_scan}) s
        WHERE reason = 0 AND kind IN ({int(EventKind.REFUND)}, {int(EventKind.PURCHASE)}) AND occurred_at <= ?
          AND (refund_of IS NOT NULL OR event_id IS NOT NULL)""",
        [as_of],
    )
    con.execute("DELETE FROM money WHERE row IN (SELECT row FROM dropped_rows)")
    con.unregister("dropped_rows")
    pairs = con.sql(
        f"""
        SELECT r.row AS refund, p.row AS purchase, r.amount,
            coalesce(r.currency <> p.currency, false) AS other_currency
        FROM money r LEFT JOIN money p ON p.event_id = r.refund_of AND p.kind = {int(EventKind.PURCHASE)}
        WHERE r.kind = {int(EventKind.REFUND)}"""
    ).to_arrow_table()
    con.execute("DROP TABLE money")
    purchase = pairs.column("purchase").fill_null(-1).to_numpy()
    other = pairs.column("other_currency").to_numpy().astype(bool)
    matched = (purchase >= 0) & ~other
    rows, place = np.unique(purchase[matched], return_inverse=True)
    amount = np.zeros(len(rows), np.int64)
    np.add.at(amount, place, pairs.column("amount").to_numpy()[matched])
    return FoundRefunds(Refunds(rows, amount), int((purchase < 0).sum()), pairs.column("refund").to_numpy()[other])
