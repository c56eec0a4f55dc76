"""Why a decision of Intelligent Selection is as it is, in words for a marketer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from afterword.model import Selection
from afterword.selection.situation import Situation


class Stood(Protocol):
    """What is said of a variant."""

    @property
    def id(self) -> str:
        """The variant's id."""
        ...

    @property
    def share(self) -> int:
        """Hundredths of a percent."""
        ...

    @property
    def n(self) -> int:
        """First exposures."""
        ...

    @property
    def converted(self) -> int:
        """Of these, converted so far."""
        ...

    @property
    def open(self) -> int:
        """Of these, still in their windows."""
        ...

    @property
    def trained(self) -> bool:
        """Whether it is out of training."""
        ...

    @property
    def rate(self) -> float:
        """Expected within the deadline."""
        ...

    @property
    def probability_best(self) -> float | None:
        """None while in training."""
        ...

    @property
    def arrived(self) -> float:
        """The part of its conversions that has come."""
        ...


def reason_of(
    situation: Situation,
    settings: Selection,
    stage: str,
    standings: Sequence[Stood],
    leader: str | None,
    remaining: float | None,
) -> str:
    """Return the reason in one to four sentences."""
    found = {one.id: one for one in standings}
    before = situation.settled_on
    said = []
    if before is not None and (stage != "settled" or leader != before):
        said.append(_resumed(before, found))
    if stage == "training":
        said.append(_training(settings, standings))
    if leader is not None and remaining is not None:
        said.append(_leading(found[leader], standings))
        if found[leader].open:
            said.append(_open(found[leader]))
        said.append(_remaining(stage, leader, remaining, settings, again=before == leader))
    return " ".join(said)


def _resumed(before: str, found: dict[str, Stood]) -> str:
    if before not in found:
        return f'Learning goes on, for "{before}" is no longer among the variants to choose from.'
    waiting = [one.id for one in found.values() if not one.trained]
    if waiting:
        return f'Learning goes on: it had settled on "{before}", and {_quoted(waiting)} has joined.'
    return f'Learning goes on: it had settled on "{before}", and something has changed since.'


def _training(settings: Selection, standings: Sequence[Stood]) -> str:
    short = [one for one in standings if one.n < settings.training_users]
    if short:
        named = ", ".join(f'"{one.id}" has {one.n:,}' for one in short)
        return (
            f"In training, with equal shares: {named} of the {settings.training_users:,} users "
            "that learning about a variant begins with."
        )
    conversions = sum(one.converted for one in standings)
    return (
        f"In training, with equal shares: the variants together have {conversions:,} of the "
        f"{settings.training_conversions:,} conversions that learning begins with."
    )


def _leading(leader: Stood, standings: Sequence[Stood]) -> str:
    others = [one for one in standings if one.trained and one.id != leader.id]
    said = f'"{leader.id}" is the best with a probability of {_percent(leader.probability_best or 0.0, 0)}'
    if not others:
        return f"{said}, being the only one out of training."
    second = max(others, key=lambda one: one.rate)
    return f'{said}: it is expected to convert {_percent(leader.rate)}, "{second.id}" {_percent(second.rate)}.'


def _open(leader: Stood) -> str:
    return (
        f"{leader.open:,} of its {leader.n:,} users are still in their windows; about {_percent(leader.arrived, 0)} "
        "of its conversions have come by now, and the others are allowed for."
    )


def _remaining(stage: str, leader: str, remaining: float, settings: Selection, *, again: bool) -> str:
    if stage != "settled":
        return f"With a probability of 95 % going on could raise the rate by at most {_percent(remaining)} of itself."
    floor = f"{settings.floor_hundredths / 100:g} %"
    if again:
        return f'It stays settled on "{leader}", which gets everything but the floor of {floor} for each other variant.'
    return (
        "With a probability of 95 % going on could not raise the rate by more than 1 % of itself, so it settles: "
        f'"{leader}" gets everything but the floor of {floor} for each other variant.'
    )


def _percent(fraction: float, digits: int = 2) -> str:
    if digits == 0 and 0.99 < fraction < 1:
        return "more than 99 %"
    return f"{100 * fraction:.{digits}f} %"


def _quoted(ids: Sequence[str]) -> str:
    return " and ".join(f'"{one}"' for one in ids)
