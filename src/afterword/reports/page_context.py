"""From the content of report.json to what the templates show."""

from __future__ import annotations

from typing import Any

from afterword.durations import describe_duration
from afterword.reports import page_charts, wording
from afterword.reports.page_types import (
    Card,
    IndexRow,
    OutcomeRow,
    Page,
    Panel,
    Section,
    StepRow,
    TimeRow,
    VariantRow,
    VerdictView,
)
from afterword.reports.verdict_tables import other_tools, verdict_sentences, verdict_tables

INDEX_HEADINGS = ["Recipients", "Conversions A", "Rate", "Lift over control", "Confidence", "Revenue"]
BADGES = {"winner": "Winner", "leading": "Leading"}


def page_of(report: dict[str, Any]) -> Page:
    """Prepare the page of a run."""
    sections = [_section(campaign, index) for index, campaign in enumerate(report["campaigns"])]
    facts = report["facts"]
    labels = {
        "events": "Events",
        "exposures": "Exposures",
        "step_messages": "Step messages",
        "repetitions": "Repetitions ignored",
        "after_as_of": "Later than the report",
        "refunds_unmatched": "Refunds of unknown purchases",
    }
    cards = [Card(label, wording.number(facts[key])) for key, label in labels.items()]
    cards.append(Card("Rejected rows", wording.number(sum(facts["rejected"].values()))))
    return Page(
        title=sections[0].title if len(sections) == 1 else f"{len(sections)} campaigns",
        as_of=wording.moment(report["as_of"]),
        timezone=report["timezone"],
        sections=sections,
        index_headings=INDEX_HEADINGS,
        index=[_index(one, section) for one, section in zip(report["campaigns"], sections, strict=True)],
        facts=cards,
        rejected=[(reason, wording.number(count)) for reason, count in sorted(facts["rejected"].items())],
        notes=list(facts["notes"]),
    )


def _section(campaign: dict[str, Any], index: int) -> Section:
    colours = page_charts.colours(campaign)
    heading, _ = wording.DENOMINATORS[campaign["denominator"]]
    events = campaign["conversion_events"]
    return Section(
        anchor=f"c{index}",
        title=campaign["name"] or campaign["id"],
        kind="Canvas" if campaign["kind"] == "canvas" else "Campaign",
        status=_status(campaign),
        summary=summary_of(campaign),
        verdict=verdict_of(campaign),
        remarks=wording.remarks(campaign),
        warnings=[warning["message"] for warning in campaign["warnings"]],
        cards=_cards(campaign, heading),
        exposed_heading=heading,
        per_heading={"users": "Per recipient", "exposures": "Per exposure"}.get(campaign["denominator"], "Per channel"),
        counting=wording.COUNTING[campaign["counting"]],
        panels=[_panel(campaign, event, colours) for event in events],
        recipients=page_charts.recipients(campaign, colours),
        period=page_charts.period(len(campaign["by_exposure_day"]["days"]))[1],
        plain_rows=[] if events else _rows(campaign, None, colours),
        plain_totals=[] if events else _totals(campaign, None),
        letters=[event["letter"] for event in events],
        steps=[_step(step, events, campaign["currency"]) for step in campaign["steps"]],
        outcome_names=list(campaign["total_with_control"]["outcomes"]),
        outcomes=_outcomes(campaign, colours),
        timezone=campaign["timezone"],
        version=campaign["definition_version"] or "",
    )


def _index(campaign: dict[str, Any], section: Section) -> IndexRow:
    row = _row(campaign, campaign["total"], "A" if campaign["conversion_events"] else None, "", "", "", "")
    values = [row.exposed, row.converted, row.rate, row.lift, row.confidence, row.revenue]
    return IndexRow(section.anchor, section.title, section.kind, section.status, values)


def _status(campaign: dict[str, Any]) -> str:
    if not campaign["total_with_control"]["exposed"]:
        return "Nobody exposed"
    conversions = campaign["total_with_control"]["conversions"].values()
    if not conversions:
        return ""
    return "Windows open" if any(one["pending"] for one in conversions) else "Windows closed"


def summary_of(campaign: dict[str, Any]) -> str:
    """Channels, days of exposure, control's share and tags in one line."""
    parts = [", ".join(channel.replace("_", "-") for channel in campaign["channels"])]
    days = [day for day, n in zip(*_exposure_days(campaign), strict=True) if n]
    if days:
        first, last = days[0], days[-1]
        span = wording.day(first, year=True)
        parts.append(span if first == last else f"{span} → {wording.day(last, year=True)}")
    control = [variant for variant in campaign["variants"] if variant["control"]]
    parts.append(f"control {100 * control[0]['share']:g}{wording.NARROW}%" if control else "no control")
    parts.extend(f"#{tag}" for tag in campaign["tags"])
    return " · ".join(part for part in parts if part)


def _exposure_days(campaign: dict[str, Any]) -> tuple[list[str], list[int]]:
    series = campaign["by_exposure_day"]
    return series["days"], series["total_with_control"]["exposed"]


def _cards(campaign: dict[str, Any], heading: str) -> list[Card]:
    total, currency = campaign["total"], campaign["currency"]
    without = "without control" if any(variant["control"] for variant in campaign["variants"]) else ""
    cards = [Card(heading, wording.number(total["exposed"]), without)]
    if campaign["conversion_events"]:
        primary = total["conversions"]["A"]
        pending = f"{wording.number(primary['pending'])} pending"
        cards.append(Card("Conversions, event A", wording.number(primary["converted"]), pending))
        cards.append(Card("Conversion rate", wording.percent(primary["rate"]), wording.interval(primary["interval"])))
    window = describe_duration(campaign["revenue_window_seconds"])
    apart = " + ".join(wording.money(a, c) for c, a in total["revenue"]["unconverted"].items())
    note = f"within {window}" + (f", and {apart} without a rate" if apart else "")
    cards.append(Card("Revenue in window", wording.money(total["revenue"]["amount"], currency), note))
    return cards


def _panel(campaign: dict[str, Any], event: dict[str, Any], colours: list[str]) -> Panel:
    letter = event["letter"]
    others = [other["letter"] for other in campaign["conversion_events"] if other["letter"] != letter]
    return Panel(
        letter=letter,
        title=wording.event_title(event),
        sentence=wording.event_sentence(event),
        primary=event["primary"],
        remark=wording.letter_remark(campaign, event),
        rows=_rows(campaign, letter, colours),
        totals=_totals(campaign, letter),
        differences=page_charts.differences(campaign, letter, colours),
        cumulative=page_charts.cumulative(campaign, letter, colours),
        daily=page_charts.daily(campaign, letter),
        times=_times(campaign, letter, others, colours),
        others=others,
    )


def _rows(campaign: dict[str, Any], letter: str | None, colours: list[str]) -> list[VariantRow]:
    badge, best = badge_of(campaign, letter)
    return [
        _row(
            campaign,
            variant,
            letter,
            wording.variant_name(variant),
            note_of(variant),
            colour,
            badge if variant["id"] == best else "",
        )
        for variant, colour in zip(campaign["variants"], colours, strict=True)
    ]


def _totals(campaign: dict[str, Any], letter: str | None) -> list[VariantRow]:
    controlled = any(variant["control"] for variant in campaign["variants"])
    if len(campaign["variants"]) == 1:
        return []  # it would only repeat the row above
    note = "without control" if controlled else ""
    rows = [_row(campaign, campaign["total"], letter, "Total", note, "", "")]
    if controlled:
        rows.append(_row(campaign, campaign["total_with_control"], letter, "All", "with control", "", ""))
    return rows


def note_of(variant: dict[str, Any]) -> str:
    """What stands under a variant's name: its id, or that it has no message, and its share of the audience."""
    share = f"{100 * variant['audience_share']:.1f}{wording.NARROW}% of all" if variant["audience_share"] else ""
    what = "no message" if variant["control"] else (variant["id"] if variant["name"] else "")
    return " · ".join(part for part in (what, share) if part)


def _row(
    campaign: dict[str, Any],
    row: dict[str, Any],
    letter: str | None,
    name: str,
    note: str,
    colour: str,
    badge: str,
) -> VariantRow:
    currency, revenue = campaign["currency"], row["revenue"]
    on = row["conversions"][letter] if letter else dict.fromkeys(("converted", "rate", "interval", "pending"))
    lift, lift_class, lift_note = wording.NOTHING, "muted", ""
    if letter:
        event = next(event for event in campaign["conversion_events"] if event["letter"] == letter)
        lift, lift_class, lift_note = lift_of(row, on, not wording.is_never_compared(event))
    return VariantRow(
        name=name,
        note=note,
        colour=colour,
        badge=badge,
        exposed=wording.number(row["exposed"]),
        converted=wording.number(on["converted"]),
        rate=wording.percent(on["rate"]),
        interval=wording.interval(on["interval"]),
        pending=wording.number(on["pending"]),
        lift=lift,
        lift_class=lift_class,
        lift_note=lift_note,
        confidence=wording.confidence(on["confidence"]) if letter else wording.NOTHING,
        revenue=wording.money(revenue["amount"], currency),
        revenue_note=" + ".join(wording.money(a, c) for c, a in revenue["unconverted"].items()),
        per_exposed=wording.per_unit(revenue["per_exposed"], currency),
    )


def lift_of(row: dict[str, Any], on: dict[str, Any], compared: bool) -> tuple[str, str, str]:
    """The lift with its colour; `not clear` where the interval of the difference holds zero."""
    if row.get("control"):
        return "baseline" if compared else wording.NOTHING, "muted", ""
    if on["lift"] is None:
        return wording.NOTHING, "muted", ""
    low, high = on["difference_interval"]
    text = wording.signed_percent(on["lift"])
    if low <= 0 <= high:
        return text, "muted", "not clear"
    return text, "good" if low > 0 else "bad", ""


def badge_of(campaign: dict[str, Any], letter: str | None) -> tuple[str, str | None]:
    """What marks a variant in the table of the verdict's conversion event, and which."""
    verdict = campaign.get("verdict")
    if not verdict or letter != verdict["conversion_event"]:
        return "", None
    return BADGES.get(verdict["answer"], ""), verdict["variant"]


def verdict_of(campaign: dict[str, Any]) -> VerdictView | None:
    """The verdict with what it rests on; None where there is none."""
    sentences = verdict_sentences(campaign)
    if not sentences:
        return None
    return VerdictView(sentences[0], sentences[1:], verdict_tables(campaign), other_tools(campaign))


def _times(campaign: dict[str, Any], letter: str, others: list[str], colours: list[str]) -> list[TimeRow]:
    named = [(wording.variant_name(v), colour, v) for v, colour in zip(campaign["variants"], colours, strict=True)]
    rows = []
    total = [("Total", "", campaign["total"])] if len(named) > 1 else []
    for name, colour, row in [*named, *total]:
        on = row["conversions"][letter]
        time = on["time_to_convert"]
        rows.append(
            TimeRow(
                name=name,
                colour=colour,
                p25=wording.duration(time["p25"]),
                median=wording.duration(time["median"]),
                p75=wording.duration(time["p75"]),
                after_open=_part(on["after_open"], on["converted"]),
                after_click=_part(on["after_click"], on["converted"]),
                also=[_part(row["also_converted"][letter][other], on["converted"]) for other in others],
            )
        )
    return rows


def _part(count: int, of: int) -> str:
    return f"{count:,} ({100 * count / of:.0f}{wording.NARROW}%)" if of else wording.number(count)


def _step(step: dict[str, Any], events: list[dict[str, Any]], currency: str) -> StepRow:
    return StepRow(
        name=step["name"] or step["id"],
        received=wording.number(step["received"]),
        recipients=wording.number(step["recipients"]),
        conversions=[wording.number(step["conversions"][event["letter"]]) for event in events],
        revenue=wording.money(step["revenue"]["amount"], currency),
    )


def _outcomes(campaign: dict[str, Any], colours: list[str]) -> list[OutcomeRow]:
    names = list(campaign["total_with_control"]["outcomes"])
    return [
        OutcomeRow(
            name=wording.variant_name(variant),
            colour=colour,
            exposures=wording.number(variant["exposures"]),
            counts=[_part(variant["outcomes"].get(name, 0), variant["exposures"]) for name in names],
        )
        for variant, colour in zip(campaign["variants"], colours, strict=True)
    ]
