"""Templates: what a campaign of a kind is usually meant to bring about, and what else is worth watching."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from afterword.interfaces.web.create.form import EventForm


@dataclass(frozen=True, slots=True)
class Template:
    """A usual aim."""

    name: str
    label: str
    about: str
    event: EventForm
    """The primary."""
    also: tuple[EventForm, ...]
    """What complements it, for B to D."""


_SESSION, _PURCHASE = EventForm("session"), EventForm("purchase")
_OPEN, _CLICK = EventForm("message_open"), EventForm("message_click")

TEMPLATES: Final[Mapping[str, Template]] = MappingProxyType(
    {
        one.name: one
        for one in (
            Template(
                "win-back",
                "Win back",
                "People who were away come back.",
                EventForm("session", number="7"),
                (EventForm("purchase", number="14"), EventForm("message_click", number="3"), _OPEN),
            ),
            Template(
                "cart",
                "Rescue a cart",
                "What lies in the cart is bought.",
                EventForm("purchase", number="3"),
                (EventForm("session", number="1"), _CLICK, EventForm("purchase", number="14")),
            ),
            Template(
                "onboarding",
                "Onboarding",
                "New people come back within their first days, and buy for the first time.",
                EventForm("session", number="3"),
                (EventForm("purchase", number="14"), EventForm("session", number="14"), _CLICK),
            ),
            Template(
                "upgrade",
                "Update the app",
                "People install the new version.",
                EventForm("upgrade", number="7"),
                (EventForm("session", number="3"), EventForm("purchase", number="7"), _CLICK),
            ),
        )
    }
)
