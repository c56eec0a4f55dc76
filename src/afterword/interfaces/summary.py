"""What was read, in a few lines: nothing that a run left aside goes unsaid (rule 35)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from afterword.interfaces.output import counted

LEFT_ASIDE = {
    "repetitions": ("repetition", "counted once"),
    "after_as_of": ("fact", "later than the report"),
    "refunds_unmatched": ("refund", "without its purchase"),
}


def facts_read(facts: Mapping[str, Any], rejected_file: Path) -> str:
    """Return what `facts` of report.json says: what counts, what was left aside and why, what was assumed."""
    used = [counted(facts["exposures"], "exposure"), counted(facts["events"], "event")]
    if facts["step_messages"]:
        used.append(counted(facts["step_messages"], "step message"))
    aside = [f"{counted(facts[name], noun)} {became}" for name, (noun, became) in LEFT_ASIDE.items() if facts[name]]
    lines = [f"Read {_listed(used)}" + (f"; {', '.join(aside)}." if aside else ".")]
    if facts["rejected"]:
        total = sum(facts["rejected"].values())
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in facts["rejected"].items())
        lines.append(f"Rejected {counted(total, 'row')} ({reasons}); {rejected_file} says which and why.")
    lines += [f"Note: {note}." for note in facts["notes"]]
    return "\n".join(lines)


def _listed(words: list[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}"
