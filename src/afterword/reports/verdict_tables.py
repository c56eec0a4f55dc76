"""What stands behind a verdict, as tables for the page, the terminal and Markdown; read from report.json alone."""

from __future__ import annotations

from typing import Any

from afterword.reports import wording
from afterword.reports.text_table import TextTable

STATES = {"kept": "kept", "open": "not shown yet", "breached": "breached"}
HARMS = {"unsubscribe": "Unsubscribed", "complaint": "Complained", "bounce": "Bounced"}


def verdict_sentences(campaign: dict[str, Any]) -> list[str]:
    """The verdict and what belongs to it; nothing where there is none."""
    verdict = campaign.get("verdict")
    return [verdict["sentence"], *verdict["remarks"]] if verdict else []


def other_tools(campaign: dict[str, Any]) -> str:
    """What other tools would show, and why they differ; empty if nothing."""
    verdict = campaign.get("verdict")
    told = verdict["other_tools"] if verdict and not _is_nothing_yet(verdict) else None
    return str(told["sentence"]) if told else ""


def verdict_tables(campaign: dict[str, Any]) -> list[TextTable]:
    """The tables behind the verdict; none where there is no verdict, or too few users for any figure to mean much."""
    verdict = campaign.get("verdict")
    if not verdict or _is_nothing_yet(verdict):
        return []
    found = [_rates(campaign, verdict), _pairs(campaign, verdict)]
    if verdict["guardrails"]:
        found.append(_guardrails(campaign, verdict))
    return found


def _is_nothing_yet(verdict: dict[str, Any]) -> bool:
    return bool(verdict["because"] == "minimum_sample")


def _names(campaign: dict[str, Any]) -> dict[str, str]:
    return {variant["id"]: wording.variant_name(variant) for variant in campaign["variants"]}


def _rates(campaign: dict[str, Any], verdict: dict[str, Any]) -> TextTable:
    names, letter = _names(campaign), verdict["conversion_event"]
    rows = [
        [names[variant], wording.number(one["n"]), wording.number(one["waiting"]), wording.percent(one["rate"])]
        for variant, one in verdict["rates"].items()
    ]
    return TextTable(
        f"Users whose window on {letter} has passed",
        ["Variant", "Window passed", "Still open", "Rate"],
        rows,
        "A user enters once, when the window of the first exposure ends, with what had happened by then; users of "
        "several variants stay out.",
    )


def _pairs(campaign: dict[str, Any], verdict: dict[str, Any]) -> TextTable:
    names, level = _names(campaign), f"{100 * verdict['level']:.3g}{wording.NARROW}%"
    fixed = verdict["plan"]["plan"] == "fixed"
    rows = [
        [
            names[pair["variant"]],
            names[pair["against"]],
            points(pair["difference"]),
            points_interval(pair["interval"]),
            points_interval(pair["single_look_interval"]),
        ]
        for pair in verdict["pairs"]
    ]
    holds = f"{level} interval" if fixed else f"Always valid, {level}"
    return TextTable(
        "Each two variants, in percentage points",
        ["Variant", "Against", "Difference", holds, f"One look, 95{wording.NARROW}%"],
        rows,
        "All of these intervals hold together at the plan's level"
        + (
            ", for the one look that was planned."
            if fixed
            else ", however often one looks; the last column is for one look."
        ),
    )


def _guardrails(campaign: dict[str, Any], verdict: dict[str, Any]) -> TextTable:
    names = _names(campaign)
    rows = [
        [
            names[one["variant"]],
            HARMS.get(one["event"]) or f"{one['event']}, below {names[one['against']]}",
            wording.percent(one["harm"]),
            wording.interval(one["interval"]),
            wording.percent(one["margin"]),
            STATES[one["state"]],
        ]
        for one in verdict["guardrails"]
    ]
    headings = ["Variant", "Guardrail", "So far", "Interval", "Margin", "State"]
    return TextTable("Guardrails: what must not get worse", headings, rows)


def points(difference: float | None) -> str:
    """+0.68, in percentage points."""
    return wording.NOTHING if difference is None else wording.signed(100 * difference, 2)


def points_interval(bounds: list[float] | None) -> str:
    """−0.12 to +0.68, in percentage points."""
    return wording.NOTHING if bounds is None else f"{points(bounds[0])} to {points(bounds[1])}"
