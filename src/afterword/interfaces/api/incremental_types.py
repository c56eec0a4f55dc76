"""What messages brought against control, as reports and answers about all campaigns have it."""

from __future__ import annotations

from typing import Annotated, TypedDict

from msgspec import Meta

Money = Annotated[str, Meta(description="decimal text")]


class Brought(TypedDict):
    """What messages brought on one measure."""

    difference: Annotated[float | None, Meta(description="per unit, of revenue per person, less control's")]
    interval: list[float] | None
    units: Annotated[int, Meta(description="that the difference is multiplied by")]
    incremental: Annotated[float | Money | None, Meta(description="of revenue text, else a number")]
    incremental_interval: list[float | Money] | None


class Incremental(TypedDict):
    """What the messages brought against control, all variants together."""

    against: str
    level: float
    metrics: dict[str, Brought]
