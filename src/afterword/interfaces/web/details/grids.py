"""Tables as templates draw them, and numbers as a role may see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from afterword.interfaces.web import written
from afterword.interfaces.web.links import link
from afterword.reports import wording
from afterword.reports.charts import shortened
from afterword.store.accounts import Role

FEW = 10
"""A viewer is not told smaller numbers of people, since they may point at one of them."""
NAME_LETTERS = 120
"""Longer names are cut; the whole is in the title."""


@dataclass(frozen=True, slots=True)
class Heading:
    """Of a column."""

    text: str
    about: str = ""
    """What the column means."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A number with what stands under it."""

    text: str
    note: str = ""
    address: str = ""
    """Of the people behind it; empty where there is nobody, or who asks may not know them."""
    tone: str = ""
    """`strong`, `good`, `bad`, `muted` or `small`."""
    below: tuple[Cell, Cell] | None = None
    """The numbers of a share, instead of the note: so many of so many."""


@dataclass(frozen=True, slots=True)
class Line:
    """A row: what it is about, and its cells."""

    name: str
    cells: Sequence[Cell]
    note: str = ""
    colour: str = ""
    badge: str = ""
    whole: str = ""
    """The name where it was cut."""
    address: str = ""

    def __post_init__(self) -> None:
        """Let it be a key, see `rendering.row`."""
        object.__setattr__(self, "cells", tuple(self.cells))


@dataclass(frozen=True, slots=True)
class Grid:
    """A table."""

    caption: str
    headings: Sequence[Heading]
    """The first is that of the names."""
    lines: Sequence[Line]
    totals: Sequence[Line] = ()
    note: str = ""

    @property
    def explained(self) -> Sequence[Heading]:
        """The columns that say what they mean."""
        return [one for one in self.headings if one.about]


@dataclass(frozen=True, slots=True)
class Numbers:
    """Writes counts of people, with a link to them for who may see them."""

    campaign: str
    role: Role

    def is_hidden(self, count: int | None) -> bool:
        """Return whether a number of people is too small for this role."""
        return count is not None and 0 < count < FEW and not self.role.includes(Role.ANALYST)

    def text(self, count: int | None) -> str:
        """Return a number of people."""
        return f"<{wording.NARROW}{FEW}" if self.is_hidden(count) else written.number(count)

    def people(
        self, count: int | None, variant: str, event: str, state: str, note: str = "", tone: str = "", **group: str
    ) -> Cell:
        """Return a number that leads to its people.

        Args:
            count: how many.
            variant: an id, `total` or `total_with_control`.
            event: a letter; may be empty where the state needs none.
            state: see `workspace.listing`.
            note: what stands under it.
            tone: of the cell.
            group: the fields of `workspace.listing.Narrow`, where it is a number of a breakdown.

        """
        return Cell(self.text(count), note, self.address(count, variant, event, state, **group), tone)

    def address(self, count: int | None, variant: str, event: str, state: str, **group: str) -> str:
        """Return where the people are listed."""
        if not count or not self.role.includes(Role.ANALYST):
            return ""
        return link("/campaign/users", id=self.campaign, variant=variant, event=event, state=state, **group)

    def part(self, count: int, of: int) -> str:
        """Return which share of the people that is."""
        if not of or not count or self.is_hidden(count) or self.is_hidden(of):
            return ""
        return written.percent(count / of, 0 if 10 * count >= of else 1)


def named(name: str) -> tuple[str, str]:
    """Return a name that fits, and the whole name if that is another."""
    cut = shortened(name, NAME_LETTERS)
    return cut, name if cut != name else ""


def variant_line(variant: Mapping[str, Any], cells: Sequence[Cell], colour: str = "", **more: str) -> Line:
    """Return the row of a variant."""
    name, whole = named(wording.variant_name(dict(variant)))
    return Line(name, cells, colour=colour, whole=whole, **more)


def scopes(told: Mapping[str, Any]) -> list[tuple[str, str, str, Mapping[str, Any]]]:
    """Return the totals that say something new: id, name, note and numbers of each."""
    if len(told["variants"]) == 1:
        return []
    controlled = any(variant["control"] for variant in told["variants"])
    found = [("total", "Total", "without control" if controlled else "", told["total"])]
    return [*found, ("total_with_control", "All", "with control", told["total_with_control"])] if controlled else found
