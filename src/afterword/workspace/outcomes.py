"""The persons of a run whose outcomes sums do not tell: read again from the facts."""

from __future__ import annotations

import duckdb
import numpy as np

from afterword.attribution.days import Calendar
from afterword.attribution.derive import Derived
from afterword.model import LETTERS, Campaign, Definitions
from afterword.selection.permuting import Outcomes
from afterword.workspace.inputs import Inputs, check_unchanged
from afterword.workspace.session import Progress, Session


def primary_outcomes(inputs: Inputs, campaign: str, progress: Progress | None = None) -> Outcomes:
    """Return how the persons of a campaign fared on its primary, by day of coming of age.

    Raises:
        UserError: an input is gone or has changed.

    """
    check_unchanged(inputs)
    only = inputs.only(campaign)
    count = _Persons(only.definitions, campaign)
    with Session(only, progress=progress) as session:
        session.stage()
        found = session.attribute(receiver=count)
        found.results.close()
    return count.outcomes()


class _Persons:
    """Receives derived rows and keeps what the persons of one campaign did on its primary."""

    def __init__(self, definitions: Definitions, campaign: str) -> None:
        self._index = definitions.index_of(campaign)
        self._campaign: Campaign = definitions.campaigns[self._index]
        self._zone = definitions.workspace.timezone
        self._parts: list[np.ndarray[tuple[int, int], np.dtype[np.int64]]] = []

    def begin(self, con: duckdb.DuckDBPyConnection, as_of: int) -> None:
        """Prepare for what happened until `as_of`."""
        self._as_of = as_of

    def add(self, derived: Derived) -> None:
        """Keep the persons of the next part who are of age."""
        rows, letter = derived.persons, LETTERS[0].lower()
        deadline = self._campaign.conversion_events[0].deadline_seconds * 1_000_000
        here = np.flatnonzero((rows["campaign"] == self._index) & (rows["first_exposed_at"] + deadline <= self._as_of))
        if len(here):
            names = ("first_exposed_at", f"y_{letter}", f"m_{letter}", "variant")
            part = np.stack([rows[name][here].astype(np.int64) for name in names])
            part[0] += deadline
            part[0] = Calendar(self._zone, int(part[0].min()), int(part[0].max())).days(part[0])
            self._parts.append(part)

    def end(self) -> None:
        """Finish."""

    def outcomes(self) -> Outcomes:
        """Return who looks alike."""
        variants = self._campaign.variants
        rows = np.concatenate(self._parts, axis=1) if self._parts else np.zeros((4, 0), np.int64)
        alike, place = np.unique(rows[:3], axis=1, return_inverse=True)
        persons = np.zeros((alike.shape[1], len(variants)), np.int64)
        np.add.at(persons, (place.reshape(-1), rows[3]), 1)
        return Outcomes(alike[0], alike[1], alike[2], persons, tuple(variant.id for variant in variants))
