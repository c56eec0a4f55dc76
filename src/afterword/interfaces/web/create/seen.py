"""What has really been seen in the last 30 days, beside what is typed, so that a typo shows as never seen."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Option:
    """Something that was seen, and what takes it over."""

    label: str
    note: str
    action: str


@dataclass(frozen=True, slots=True)
class Seen:
    """How often what a conversion event names was seen: a note for each, empty where nothing is known."""

    name: str = ""
    apps: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
