"""What the engine answers, in the words of the oracle: rows of the report, verdicts, the units behind a number."""

from __future__ import annotations

from dataclasses import astuple
from decimal import Decimal
from typing import Any

from afterword.model import LETTERS, Campaign, Counting
from afterword.reports.person_json import read_json
from afterword.reports.series import iso_day
from tests.engine import Ran
from tests.oracle import Answer
from tests.oracle_counts import TOTAL, TOTAL_WITH_CONTROL, LetterCounts, RowCounts, StepCounts, unit_name
from tests.oracle_persons import GUARDRAILS, PersonCounts
from tests.oracle_verdicts import overall

Numbers = dict[str, Any]
STATES = ("converted", "pending", "not_converted")
PLAIN = ("matured_n", "matured_converted", "after_open", "after_click")
COMPARED = ("compared_n", "compared_converted")


def campaign_of(report: Numbers, campaign_id: str) -> Numbers:
    found: Numbers = next(c for c in report["campaigns"] if c["id"] == campaign_id)
    return found


def row_of(report: Numbers, campaign_id: str, name: str) -> Numbers:
    """The numbers of a variant's row, or of a total, that the oracle knows too."""
    campaign = campaign_of(report, campaign_id)
    is_total = name in (TOTAL, TOTAL_WITH_CONTROL)
    row = campaign[name] if is_total else next(v for v in campaign["variants"] if v["id"] == name)
    by_day = campaign["by_exposure_day"]
    by_day_here = by_day[name] if is_total else by_day["variants"][name]
    compared = () if is_total else COMPARED
    letters = {
        letter: {one: counts[one] for one in (*STATES, *PLAIN, *compared)}
        for letter, counts in row["conversions"].items()
    }
    return {
        "exposed": row["exposed"],
        "exposed_by_day": {day: n for day, n in zip(by_day["days"], by_day_here["exposed"], strict=True) if n},
        "several_variants": row["several_variants"],
        **_money(row["revenue"]),
        **letters,
    }


def row_of_oracle(row: RowCounts, name: str) -> Numbers:
    compared = () if name in (TOTAL, TOTAL_WITH_CONTROL) else COMPARED
    return {
        "exposed": len(row.exposed),
        "exposed_by_day": dict(row.exposed_by_day),
        "several_variants": row.several_variants,
        **_exact_money(row.booked, row.unconverted),
        **{letter: _letter(counts, compared) for letter, counts in row.letters.items()},
    }


def steps_of(report: Numbers, campaign_id: str) -> Numbers:
    return {
        step["id"]: {
            "received": step["received"],
            "recipients": step["recipients"],
            "conversions": step["conversions"],
            **_money(step["revenue"]),
        }
        for step in campaign_of(report, campaign_id)["steps"]
    }


def steps_of_oracle(steps: dict[str, StepCounts]) -> Numbers:
    return {
        name: {
            "received": step.received,
            "recipients": step.recipients,
            "conversions": step.conversions,
            **_exact_money(step.booked, step.unconverted),
        }
        for name, step in steps.items()
    }


def persons_of(report: Numbers, campaign: Campaign) -> Numbers:
    """What persons did by the time they came of age, by variant, metric and day."""
    persons = read_json(campaign_of(report, campaign.id)["persons"], campaign)
    return {
        variant.id: {
            "first_exposed": {iso_day(day): n for day, n in persons.first_exposed[place]},
            "unconverted": _texts(
                {currency: Decimal(n) / 1_000_000 for currency, n in persons.unconverted[place].items()}
            ),
            **{
                metric: {iso_day(day): tuple(map(float, astuple(sums))) for day, sums in days}
                for metric, days in persons.metrics[place].items()
            },
        }
        for place, variant in enumerate(campaign.variants)
    }


def persons_of_oracle(counts: dict[str, PersonCounts], campaign: Campaign) -> Numbers:
    metrics = (*LETTERS[: len(campaign.conversion_events)], "revenue", *GUARDRAILS)
    return {
        variant: {
            "first_exposed": {day.isoformat(): n for day, n in one.first_exposed.items()},
            "unconverted": _texts(one.unconverted),
            **{metric: {day.isoformat(): sums for day, sums in one.sums(metric).items()} for metric in metrics},
        }
        for variant, one in counts.items()
    }


def _letter(counts: LetterCounts, compared: tuple[str, ...]) -> Numbers:
    sizes = {name: len(getattr(counts, name)) for name in STATES}
    return {**sizes, **{name: getattr(counts, name) for name in (*PLAIN, *compared)}}


def _money(revenue: Numbers) -> Numbers:
    """Amounts as the report has them; a currency that sums to nothing may be named or not."""
    apart = {currency: Decimal(amount) for currency, amount in revenue["unconverted"].items()}
    return {"revenue": revenue["amount"], "unconverted": _texts(apart)}


def _exact_money(booked: Decimal, unconverted: dict[str, Decimal]) -> Numbers:
    rounded = booked.quantize(Decimal("0.01"), "ROUND_HALF_EVEN") + 0  # no negative nothing
    return {"revenue": str(rounded), "unconverted": _texts(unconverted)}


def _texts(amounts: dict[str, Decimal]) -> dict[str, str]:
    return {currency: f"{amount.normalize():f}" for currency, amount in sorted(amounts.items()) if amount}


def facts_counted(report: Numbers) -> Numbers:
    facts = report["facts"]
    names = ("exposures", "events", "step_messages", "repetitions", "after_as_of", "rejected")
    return {**{name: facts[name] for name in names}, "unmatched_refunds": facts["refunds_unmatched"]}


def facts_of_oracle(found: Answer) -> Numbers:
    log = found.log
    return {
        "exposures": len(log.exposures),
        "events": len(log.events),
        "step_messages": len(log.step_messages),
        "repetitions": log.repetitions,
        "after_as_of": log.after_as_of,
        "rejected": {reason: n for reason, n in log.rejected.items() if n},
        "unmatched_refunds": log.unmatched_refunds,
    }


def verdicts(ran: Ran, campaign_id: str, user_id: str) -> dict[str, dict[str, str]]:
    """Give the verdict of every exposure: {letter: {exposure id: verdict}}; none for who was not exposed."""
    story = ran.results.explain(campaign_id, user=user_id).json
    found: dict[str, dict[str, str]] = {letter: {} for letter in story["conversion_events"]}
    for one in story["verdicts"]:
        if one["verdict"] != "not_exposed":
            found[one["conversion_event"]][one["exposure_id"]] = one["verdict"]
    expected = {letter: overall(by_exposure) for letter, by_exposure in found.items()}
    assert story["overall"] == expected, "the first verdict in the order of rule 39 stands for the conversion event"
    return found


def members(ran: Ran, campaign: Campaign, variant_id: str | None, letter: str, state: str) -> list[str]:
    """List the units behind a number, by the names that the oracle gives them."""
    rows = ran.results.users(campaign.id, variant=variant_id, event=letter, state=state)
    return sorted(_unit(campaign, row) for row in rows)


def _unit(campaign: Campaign, row: Numbers) -> str:
    if campaign.counting is Counting.ONCE_PER_EXPOSURE:
        return str(row["exposure_id"])
    return unit_name(row["user_id"], row["channel"] if campaign.counting is Counting.ONCE_PER_CHANNEL else None)
