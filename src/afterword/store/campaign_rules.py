"""What may change about a campaign, and when (rules 6, 29-31)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from enum import StrEnum

from afterword.model import Campaign


class Status(StrEnum):
    """Where a campaign or Canvas stands in its life."""

    DRAFT = "draft"
    RUNNING = "running"
    STOPPED = "stopped"
    ARCHIVED = "archived"


def refusals(old: Campaign, new: Campaign, *, launched: bool) -> list[str]:
    """Return why `old` cannot become `new`, one sentence each; an empty list if it can.

    After launch exposures and messages name variants, steps and channels, so these can be added but not taken away;
    and the control's share stands (rule 30), and so does the analysis plan. Conversion events and counting may change:
    that makes a new version.
    """
    if old.kind != new.kind:
        return [f"is a {noun(old)} and cannot become a {noun(new)}; use another id"]
    if not launched:
        return []
    return [
        *_control_refusals(old, new),
        *_removals("variant", (v.id for v in old.variants), (v.id for v in new.variants), "give it the share 0"),
        *_removals("step", (s.id for s in old.steps), (s.id for s in new.steps), "it can stay without messages"),
        *_removals("channel", old.channels, new.channels, "it can stay without messages"),
        *_order_refusals(old, new),
        *_analysis_refusals(old, new),
    ]


def _analysis_refusals(old: Campaign, new: Campaign) -> list[str]:
    names = [one.name for one in fields(old.analysis)]
    changed = [name for name in names if getattr(old.analysis, name) != getattr(new.analysis, name)]
    if not changed:
        return []
    return [
        f"analysis.{' and analysis.'.join(changed)} cannot change after launch: how results are judged is said before "
        "they are seen; a new campaign can have another plan"
    ]


def _control_refusals(old: Campaign, new: Campaign) -> list[str]:
    before = {variant.id: variant.control for variant in old.variants}
    swapped = [
        f'variant "{variant.id}" {"is" if variant.control else "was"} control; that cannot change after launch'
        for variant in new.variants
        if before.get(variant.id, variant.control) != variant.control
    ]
    was, becomes = control_share(old), control_share(new)
    if was == becomes or swapped:
        return swapped
    return [
        f"the control's share is {percent(becomes)} %, must stay {percent(was)} %: "
        "it is fixed at launch, since nobody moves between control and a message (rule 30)"
    ]


def _removals(what: str, old: Iterable[str], new: Iterable[str], instead: str) -> list[str]:
    kept = set(new)
    return [
        f'{what} "{name}" cannot be removed after launch, since facts name it; {instead}'
        for name in old
        if name not in kept
    ]


def _order_refusals(old: Campaign, new: Campaign) -> list[str]:
    known, kept = {step.id for step in old.steps}, {step.id for step in new.steps}
    before = [step.id for step in old.steps if step.id in kept]
    after = [step.id for step in new.steps if step.id in known]
    if before == after:
        return []
    return [
        f"the steps stand in the order {', '.join(after)}, must stay {', '.join(before)} after launch: "
        "of messages at one time the later step earns the credit (rule 18)"
    ]


def control_share(campaign: Campaign) -> int:
    """Return the share of the control in hundredths of a percent, 0 without one."""
    return sum(variant.share_hundredths for variant in campaign.variants if variant.control)


def percent(hundredths: int) -> str:
    """Return `12.5` for 1250."""
    return f"{hundredths / 100:.2f}".rstrip("0").rstrip(".")


def noun(campaign: Campaign) -> str:
    """Return what people call it: `campaign` or `Canvas`."""
    return "Canvas" if campaign.kind == "canvas" else "campaign"
