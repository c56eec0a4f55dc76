"""All campaigns on one page: each with its headline, and what all of them reached, counted once (rule 12)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import duckdb

from afterword.model import Definitions
from afterword.precedence import give_way
from afterword.reports.exchange import Money, load_rates
from afterword.workspace.live.crediting import place_campaigns

PRIMARY = "A"
EPOCH = date(1970, 1, 1)
REASON = (
    "a user who was reached by several campaigns and bought once is a conversion, and revenue, of each of them: "
    "here users and purchases count once, so this is less than the campaigns' sum"
)


def read_once(con: duckdb.DuckDBPyConnection, definitions: Definitions) -> dict[str, Any]:
    """Count over all campaigns: users who converted on the primary event of any, and purchases, each once.

    Only what came after a message counts, as in the campaigns' totals; `con` is a cursor of a snapshot.

    Raises:
        NotDerived: the definitions are not those of the last refresh.

    """
    place_campaigns(con, definitions)
    users = con.execute(
        """
        SELECT count(DISTINCT "user") FROM derived.conversions JOIN placed USING (campaign, variant)
        WHERE letter = 0 AND NOT control"""
    ).fetchall()[0][0]
    give_way()
    con.execute(
        """
        CREATE OR REPLACE TEMP TABLE revenue_cells AS
        SELECT currency, occurred_day, sum(net) AS net, count(*) AS purchases FROM (
            SELECT event_id, any_value(amount - refunded) AS net, any_value(currency) AS currency,
                any_value(occurred_day) AS occurred_day
            FROM derived.credited JOIN placed USING (campaign, variant) WHERE NOT control GROUP BY event_id
        ) GROUP BY ALL"""
    )
    currency, money = definitions.workspace.currency, Money()
    rates = load_rates(con, currency)
    cells = con.execute(
        "SELECT code, occurred_day, net, purchases FROM revenue_cells JOIN derived.currencies USING (currency)"
    ).fetchall()
    for code, day, net, purchases in cells:
        rates.book(money, code, (day - EPOCH).days, int(net), purchases)
    return {
        "converted": int(users),
        "revenue": {"amount": money.amount(currency), "unconverted": money.apart(), "purchases": money.purchases},
    }


def overview_data(
    report: Mapping[str, Any], once: Mapping[str, Any], stored: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return the overview.

    Args:
        report: of all campaigns.
        once: of `read_once`.
        stored: what is kept of each campaign, drafts too, in the order in which they are told.

    """
    reported = {campaign["id"]: campaign for campaign in report["campaigns"]}
    with_primary = [one["total"]["conversions"][PRIMARY] for one in reported.values() if one["conversion_events"]]
    return {
        "as_of": report["as_of"],
        "timezone": report["timezone"],
        "currency": report["currency"],
        "total": {
            **once,
            "sum_of_campaigns": {"converted": sum(one["converted"] for one in with_primary)},
            "reason": REASON,
        },
        "campaigns": [{**one, "results": _results(reported.get(one["id"]))} for one in stored],
    }


def _results(campaign: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if campaign is None:
        return None
    total, verdict = campaign["total"], campaign["verdict"]
    primary = total["conversions"][PRIMARY] if campaign["conversion_events"] else None
    brought = (campaign["incremental"] or {"metrics": {}})["metrics"].get("revenue")
    return {
        "recipients": total["persons"],
        "denominator": campaign["denominator"],
        "exposed": total["exposed"],
        "converted": primary and primary["converted"],
        "rate": primary and primary["rate"],
        "interval": primary and primary["interval"],
        "revenue": {name: total["revenue"][name] for name in ("amount", "unconverted", "purchases")},
        "incremental_revenue": brought and brought["incremental"],
        "incremental_revenue_interval": brought and brought["incremental_interval"],
        "verdict": verdict and {name: verdict[name] for name in ("answer", "variant", "sentence", "because")},
        "attention": _attention(verdict),
    }


def _attention(verdict: Mapping[str, Any] | None) -> list[dict[str, str]]:
    """Return what somebody should look at."""
    if verdict is None:
        return []
    found = [
        {
            "code": "guardrail_breached",
            "message": f"{one['variant']} has more of {one['event']} than the plan allows"
            if one["event"] not in "BCD"
            else f"{one['variant']} is worse on conversion event {one['event']} than the plan allows",
        }
        for one in verdict["guardrails"]
        if one["state"] == "breached"
    ]
    if verdict["split"]["broken"]:
        found.insert(0, {"code": "split_broken", "message": "; ".join(verdict["split"]["reasons"])})
    if verdict["answer"] == "winner":
        found.append({"code": "winner_found", "message": verdict["sentence"]})
    return found
