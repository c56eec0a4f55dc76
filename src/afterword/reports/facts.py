"""What was read: the counts of facts that head every report."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class FactCounts:
    """How many facts there were and what became of them (rules 28, 33-35)."""

    events: int = 0
    """Accepted events, each once."""
    exposures: int = 0
    step_messages: int = 0
    repetitions: int = 0
    """Rows that said again what another row had said; each fact counts once."""
    after_as_of: int = 0
    """Facts later than `as_of`: set aside, neither counted nor rejected."""
    refunds_unmatched: int = 0
    """Refunds of a purchase that is not among the facts."""
    rejected: dict[str, int] = field(default_factory=dict)
    """Rows that cannot be used, by reason."""
    notes: list[str] = field(default_factory=list)
    """What was assumed while reading, a sentence each."""

    def as_json(self) -> dict[str, Any]:
        """The `facts` of report.json."""
        return asdict(self)
