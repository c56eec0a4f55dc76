"""What stands behind a verdict, as tables for the page, the terminal and Markdown; read from report.json alone."""

from __future__ import annotations

from typing import Any

from afterword.reports import wording
from afterword.reports.text_table import TextTable

WORTH_SHOWING = 0.005
"""The share of the variance that an adjustment must save to have columns of its own."""
STATES = {"kept": "kept", "open": "not shown yet", "breached": "breached"}
DECIDED = {
    "holm": "Decided: with one error over all variants and conversion events, the primary first.",
    "by_variant": "Decided: with one error over all variants and conversion events, in each variant the primary first.",
    "benjamini_hochberg": "Decided: by Benjamini-Hochberg over all variants and conversion events. Of those decided {} "
    "in 100 are expected to be wrong (the false discovery rate), and more than none may well be.",
}
"""What the column says, by the plan's `multiple_testing`; `{}` is alpha in percent."""
FROM = {"less": "below", "more": "above"}
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
    found = [_rates(campaign, verdict)]
    if verdict["split"]["expected"]:
        found.append(_split(campaign, verdict["split"]))
    if len(verdict["rates"]) > 2:
        found.append(_pairs(campaign, verdict))
    if verdict["guardrails"]:
        found.append(_guardrails(campaign, verdict))
    found += [
        _forecast(campaign, letter, of_letter)
        for letter, of_letter in campaign["forecast"].items()
        if campaign["total_with_control"]["conversions"][letter]["pending"]
    ]
    for name, compared in campaign["comparisons"].items():
        if any(one["interval"] or one["single_look_interval"] for one in compared["variants"].values()):
            found.append(_compared(campaign, verdict, name, compared))
    return found


def _is_nothing_yet(verdict: dict[str, Any]) -> bool:
    return bool(verdict["because"] == "minimum_sample")


def _names(campaign: dict[str, Any]) -> dict[str, str]:
    return {variant["id"]: wording.variant_name(variant) for variant in campaign["variants"]}


def _rates(campaign: dict[str, Any], verdict: dict[str, Any]) -> TextTable:
    names, letter = _names(campaign), verdict["conversion_event"]
    rows = [
        [
            names[variant],
            wording.number(one["n"]),
            wording.number(one["waiting"]),
            wording.percent(one["rate"]),
            _probability(one["probability_best"]),
            points(one["expected_loss"]),
        ]
        for variant, one in verdict["rates"].items()
    ]
    return TextTable(
        f"Users whose window on {letter} has passed",
        ["Variant", "Window passed", "Still open", "Rate", "Best, probably", "Expected loss"],
        rows,
        "A user enters once, when the window of the first exposure ends, with what had happened by then; users of "
        "several variants stay out. The last two columns are a Bayesian reading, with every rate equally likely "
        "beforehand: how probable it is that the variant is the best, and how many percentage points it is expected to "
        "be below the best. They are not made for looking often.",
    )


def _probability(value: float | None) -> str:
    """A probability that never claims certainty."""
    if value is None:
        return wording.NOTHING
    if value < 0.001:
        return f"<{wording.NARROW}0.1{wording.NARROW}%"
    return f">{wording.NARROW}99.9{wording.NARROW}%" if value > 0.999 else wording.percent(value, 1)


def _split(campaign: dict[str, Any], split: dict[str, Any]) -> TextTable:
    names = _names(campaign)
    rows = [
        [names[variant], wording.percent(share), wording.percent(split["seen"][variant])]
        for variant, share in split["expected"].items()
    ]
    found = "; ".join(split["reasons"]) or f"nothing is wrong (always-valid p value {split['p_value']:.2g})"
    return TextTable("Split check", ["Variant", "Planned", "Seen"], rows, f"Did chance alone split the users: {found}.")


def _pairs(campaign: dict[str, Any], verdict: dict[str, Any]) -> TextTable:
    names, level = _names(campaign), f"{100 * verdict['level']:.3g}{wording.NARROW}%"
    fixed = verdict["plan"]["plan"] == "fixed"
    rows = [
        [
            names[pair["variant"]],
            names[pair["against"]],
            points(pair["difference"]),
            _amounts(pair["interval"], False),
            _amounts(pair["single_look_interval"], False),
        ]
        for pair in verdict["pairs"]
    ]
    holds = f"{level} interval" if fixed else f"Always valid, {level}"
    return TextTable(
        "Each two variants, in percentage points",
        ["Variant", "Against", "Difference", holds, f"One look, 95{wording.NARROW}%"],
        rows,
        "So wide that the verdict names a variant that is not better than every other in at most "
        f"{100 * verdict['plan']['alpha']:g} of 100 campaigns, "
        + ("at the one look that was planned." if fixed else "however often one looks.")
        + " The last column is for one look at one comparison.",
    )


def _forecast(campaign: dict[str, Any], letter: str, of_letter: dict[str, Any]) -> TextTable:
    rows, incomplete = [], False
    event = next(event for event in campaign["conversion_events"] if event["letter"] == letter)
    for variant in campaign["variants"]:
        if variant["control"] and wording.is_never_compared(event):
            continue
        on, one = variant["conversions"][letter], of_letter[variant["id"]]
        incomplete |= one is not None and not one["complete"]
        rows.append(
            [
                wording.variant_name(variant),
                wording.percent(on["rate"]),
                wording.number(on["pending"]),
                wording.percent(one["rate"]) if one else wording.NOTHING,
                wording.interval(one["interval"]) if one else wording.NOTHING,
            ]
        )
    return TextTable(
        f"Event {letter} when the windows that are open have closed",
        ["Variant", "Rate so far", "Open", "Forecast", f"95{wording.NARROW}% interval"],
        rows,
        "From how long conversions have taken so far."
        + (" Nobody has come to the end of the window yet, so what comes late is missing." if incomplete else ""),
    )


def _compared(campaign: dict[str, Any], verdict: dict[str, Any], name: str, compared: dict[str, Any]) -> TextTable:
    """Each variant against control on one conversion event or in revenue, raw and adjusted."""
    names = _names(campaign)
    of_money = name.startswith("revenue")
    saved = compared["variance_saved"]
    adjusts = saved is not None and saved >= WORTH_SHOWING
    rows = []
    for variant, one in compared["variants"].items():
        row = [
            names[variant],
            _amount(one["difference"], of_money),
            _amounts(one["interval"], of_money),
            _amounts(one["single_look_interval"], of_money),
        ]
        if adjusts:
            adjusted = one["adjusted"] or {"difference": None, "interval": None}
            row += [_amount(adjusted["difference"], of_money), _amounts(adjusted["interval"], of_money)]
        rows.append(row if of_money else [*row, {True: "yes", False: "no", None: wording.NOTHING}[one["decided"]]])
    level = f"{100 * compared['level']:g}{wording.NARROW}%"
    holds = f"{level} interval" if verdict["plan"]["plan"] == "fixed" else f"Always valid, {level}"
    headings = ["Variant", "Difference", holds, f"One look, 95{wording.NARROW}%"]
    headings += ["Adjusted", f"Adjusted, {level}"] if adjusts else []
    unit = f"in {campaign['currency']} per user" if of_money else "in percentage points"
    what = "Revenue" if of_money else f"Event {name}"
    if name == "revenue_winsorised":
        what = f"Revenue, cut off at {wording.money(verdict['plan']['winsorize'], campaign['currency'])} per user,"
    return TextTable(
        f"{what} against {names[compared['against']]}, {unit}",
        headings if of_money else [*headings, "Decided"],
        rows,
        " ".join([*_compared_notes(verdict, compared, adjusts), *_undecided_notes(campaign, verdict, name)]),
    )


def _compared_notes(verdict: dict[str, Any], compared: dict[str, Any], adjusts: bool) -> list[str]:
    found = []
    if adjusts:
        saved = wording.percent(compared["variance_saved"], 1)
        found.append(f"What users did in the 14 days before explains {saved} of the variance, and is taken out.")
    if any(one["decided"] is not None for one in compared["variants"].values()):
        found.append(DECIDED[_multiple_testing(verdict)].format(f"{100 * verdict['plan']['alpha']:g}"))
    return found


def _multiple_testing(verdict: dict[str, Any]) -> str:
    """How the plan says it; in results of before it could say so, as it is without saying."""
    return str(verdict["plan"].get("multiple_testing", "holm"))


def _undecided_notes(campaign: dict[str, Any], verdict: dict[str, Any], name: str) -> list[str]:
    """Why a difference whose interval is clear of zero is not decided, where that happens."""
    shown = campaign["comparisons"][name]["variants"]
    clear = [who for who, one in shown.items() if one["decided"] is False and is_clear_of_zero(one["interval"])]
    if not clear:
        return []
    primary, how = verdict["conversion_event"], _multiple_testing(verdict)
    firsts = campaign["comparisons"][primary]["variants"]
    if how == "by_variant":
        firsts = {who: firsts[who] for who in clear}
    gated = name != primary and how != "benjamini_hochberg"
    if gated and not all(one["decided"] for one in firsts.values()):
        every = {"by_variant": f"{primary} is for that variant", "holm": f"{primary} is for every variant"}[how]
        every = every if len(shown) > 1 else f"{primary} is"
        return [
            f"An interval clear of zero is not enough here: {name} is tested only after {every} decided, or of many "
            "events some would differ by chance."
        ]
    return ["An interval clear of zero that is not decided holds for that comparison alone, not for all together."]


def is_clear_of_zero(bounds: list[float] | None) -> bool:
    """Whether an interval says that there is a difference, if it is the only one that is looked at."""
    return bounds is not None and (bounds[0] > 0 or bounds[1] < 0)


def _amount(value: float | None, of_money: bool) -> str:
    return _amounts(None if value is None else [value], of_money)


def _amounts(bounds: list[float] | None, of_money: bool) -> str:
    """Return both ends with as many digits as the one that needs more."""
    if bounds is None:
        return wording.NOTHING
    digits = 4 if min(map(abs, bounds)) < 1 else 2
    return " to ".join(wording.signed(bound, digits) if of_money else points(bound) for bound in bounds)


def _guardrails(campaign: dict[str, Any], verdict: dict[str, Any]) -> TextTable:
    names = _names(campaign)
    rows = [
        [
            names[one["variant"]],
            HARMS.get(one["event"]) or f"{one['event']}, {FROM[one.get('worse', 'less')]} {names[one['against']]}",
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
