"""Everything that report.json says: `report_of` what was counted, or `build_report` from the derived tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb

from afterword.model import LETTERS, Campaign, ConversionEvent, ConversionKind, Definitions, Outcome, Workspace
from afterword.precedence import give_way
from afterword.reports import ages, person_json, series, steps, units
from afterword.reports.adapted import adapted_comparison
from afterword.reports.facts import FactCounts
from afterword.reports.queried import query_tables
from afterword.reports.sql import among
from afterword.reports.tables import Tables
from afterword.reports.warnings import warnings_of
from afterword.stats.rates import Comparison, Counts, Interval, compare, rate, wilson

NEVER_COMPARED = (ConversionKind.MESSAGE_OPEN, ConversionKind.MESSAGE_CLICK)
"""Control gets no message, so it has nothing to open or click (rule 17)."""


def build_report(
    con: duckdb.DuckDBPyConnection,
    definitions: Definitions,
    facts: FactCounts,
    as_of_us: int,
    versions: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Return the content of report.json for all campaigns, from the derived tables that `con` holds."""
    return report_of(query_tables(con, definitions, as_of_us), definitions, facts, as_of_us, versions)


def report_of(
    tables: Tables, definitions: Definitions, facts: FactCounts, as_of_us: int, versions: Sequence[str] | None = None
) -> dict[str, Any]:
    """Return the content of report.json (docs/report-json.md) for all campaigns.

    `versions` are the campaigns' definition versions (rule 6).
    """
    return {
        **heading(definitions.workspace, as_of_us),
        "facts": facts.as_json(),
        "campaigns": campaigns_of(tables, definitions, versions),
    }


def heading(workspace: Workspace, as_of_us: int) -> dict[str, Any]:
    """Return what report.json begins with."""
    return {"as_of": iso_time(as_of_us), "timezone": workspace.timezone, "currency": workspace.currency}


def campaigns_of(
    tables: Tables, definitions: Definitions, versions: Sequence[str] | None = None
) -> list[dict[str, Any]]:
    """Return what report.json says of each campaign."""
    told = []
    for index in range(len(definitions.campaigns)):
        give_way()
        told.append(_campaign(tables, definitions, index, versions[index] if versions else None))
    return told


def iso_time(us: int) -> str:
    """Microseconds since 1970 as ISO 8601 in UTC, fractions only if there are any."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)).isoformat().replace("+00:00", "Z")


def _campaign(tables: Tables, definitions: Definitions, index: int, version: str | None) -> dict[str, Any]:
    campaign, workspace = definitions.campaigns[index], definitions.workspace
    scopes = units.scope_units(tables.units, index, campaign)
    days = series.CampaignDays(
        campaign,
        tables.conversion_days.of(index),
        tables.exposed_days.of(index),
        tables.revenue[index],
        workspace.currency,
        workspace.timezone,
    )
    rows = [_row(tables, index, campaign, scopes, scope, workspace.currency) for scope in range(len(scopes))]
    outcomes = tables.outcomes.of(index)
    count = len(campaign.variants)
    return {
        "id": campaign.id,
        "name": campaign.name,
        "kind": campaign.kind,
        "definition_version": version,
        "counting": campaign.counting.value,
        "denominator": campaign.counting.denominator,
        "currency": workspace.currency,
        "timezone": workspace.timezone,
        "channels": [channel.value for channel in campaign.channels],
        "tags": list(campaign.tags),
        "revenue_window_seconds": campaign.revenue_window_seconds,
        "first_exposed_at": iso_time(int(outcomes.first_at.min())) if len(outcomes.n) else None,
        "last_exposed_at": iso_time(int(outcomes.last_at.max())) if len(outcomes.n) else None,
        "conversion_events": described_events(campaign),
        "variants": [
            {"id": variant.id, "name": variant.name, "control": variant.control}
            | {"share": variant.share_hundredths / 10_000}
            | rows[position]
            for position, variant in enumerate(campaign.variants)
        ],
        "total": rows[count],
        "total_with_control": rows[count + 1],
        "steps": steps.step_rows(tables.steps, index, campaign, tables.revenue[index], workspace.currency),
        "also_converted": rows[count]["also_converted"],
        "by_day": days.by_day(),
        "by_exposure_day": days.by_exposure_day(),
        "by_first_exposure_day": series.by_first_exposure_day(campaign, scopes, workspace.timezone),
        "persons": person_json.as_json(tables.persons[index], campaign, workspace.timezone),
        "delays": _delays(tables, index, campaign),
        "warnings": warnings_of(rows[count + 1], tables.revenue[index], campaign),
    }


def described_events(campaign: Campaign) -> list[dict[str, Any]]:
    """Return a campaign's conversion events as report.json describes them."""
    return [_event(letter, event) for letter, event in enumerate(campaign.conversion_events)]


def _event(letter: int, event: ConversionEvent) -> dict[str, Any]:
    return {
        "letter": LETTERS[letter],
        "primary": letter == 0,
        "kind": event.kind.value,
        "deadline_seconds": event.deadline_seconds,
        "name": event.name,
        "apps": list(event.apps),
        "products": list(event.products),
        "where": [
            {"property": one.property, "op": one.op.value, "value": _json_value(one.value)} for one in event.where
        ],
    }


def _json_value(value: object) -> object:
    """A filter's value as JSON has it: decimals as text, tuples as lists."""
    if isinstance(value, tuple | list):
        return [_json_value(one) for one in value]
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


def _row(
    tables: Tables, index: int, campaign: Campaign, scopes: list[units.ScopeUnits], scope: int, currency: str
) -> dict[str, Any]:
    """A row of the variant table: a variant, the total, or the total with control."""
    mine = scopes[scope]
    variants = units.members(campaign, scope)
    everyone = scopes[-1].exposed
    marks = tables.steps.marks.of(index)
    outcomes = tables.outcomes.of(index)
    here = among(variants)[outcomes.variant]
    letters = ages.letters_of(campaign)
    return {
        "exposed": mine.exposed,
        "audience_share": mine.exposed / everyone if everyone else None,
        "persons": mine.persons,
        "several_variants": mine.several_variants,
        "exposures": int(outcomes.n[here].sum()),
        "outcomes": {
            outcome.value: count
            for code, outcome in enumerate(Outcome)
            if (count := int(outcomes.n[here & (outcomes.outcome == code)].sum()))
        },
        "revenue": tables.revenue[index].of(variants).as_json(mine.exposed, currency),
        "conversions": {
            name: _conversion(tables, index, campaign, scopes, scope, letter)
            | steps.after_messages(marks, variants, letter)
            | {"time_to_convert": _time_to_convert(tables.quartiles.get((index, scope, letter)))}
            for letter, name in enumerate(letters)
        },
        "also_converted": {
            name: {other: mine.letters[i].also[j] for j, other in enumerate(letters) if j != i}
            for i, name in enumerate(letters)
        },
    }


def _conversion(
    tables: Tables, index: int, campaign: Campaign, scopes: list[units.ScopeUnits], scope: int, letter: int
) -> dict[str, Any]:
    mine, here = scopes[scope], scopes[scope].letters[letter]
    counts = Counts(mine.exposed, here.converted)
    compared = Counts(mine.compared_n, here.compared_converted)
    control = _control(campaign, scopes, scope, letter)
    interval = wilson(counts, design_effect=here.design_effect)
    if campaign.selection is None:
        comparison = compare(compared, control)
    else:
        days = tables.persons[index] if control is not None else None
        variants = units.members(campaign, scope)
        comparison = adapted_comparison(days, campaign, variants, letter)
        interval = interval if all(campaign.variants[variant].control for variant in variants) else None
    return {
        "converted": here.converted,
        "pending": here.pending,
        "not_converted": mine.exposed - here.converted - here.pending,
        "rate": rate(counts),
        "interval": _interval(interval),
        "matured_n": here.matured_n,
        "matured_converted": here.matured_converted,
        "compared_n": compared.n,
        "compared_converted": compared.converted,
        **_comparison(comparison),
    }


def _control(campaign: Campaign, scopes: list[units.ScopeUnits], scope: int, letter: int) -> Counts | None:
    """What a scope is compared with; None for control itself, the total that contains it, and opens and clicks."""
    position = next((index for index, variant in enumerate(campaign.variants) if variant.control), None)
    if position is None or scope in (position, len(campaign.variants) + 1):
        return None
    if campaign.conversion_events[letter].kind in NEVER_COMPARED:
        return None
    return Counts(scopes[position].compared_n, scopes[position].letters[letter].compared_converted)


def _comparison(comparison: Comparison) -> dict[str, Any]:
    return {
        "difference": comparison.difference,
        "difference_interval": _interval(comparison.interval),
        "lift": comparison.lift,
        "confidence": comparison.confidence,
    }


def _interval(interval: Interval | None) -> list[float] | None:
    return [interval.low, interval.high] if interval else None


def _time_to_convert(quartiles: list[float] | None) -> dict[str, float | None]:
    p25, median, p75 = quartiles or (None, None, None)
    return {"p25": p25, "median": median, "p75": p75}


def _delays(tables: Tables, index: int, campaign: Campaign) -> dict[str, Any]:
    per_variant = ages.delays(tables.histograms[index], tables.observed.of(index), campaign)
    letters = ages.letters_of(campaign)
    return {
        "unit": "hours",
        "variants": {
            variant.id: {
                name: {"at_risk": list(one.at_risk), "converted": list(one.converted)}
                for name, one in zip(letters, per_variant[position], strict=True)
            }
            for position, variant in enumerate(campaign.variants)
        },
    }
