"""What Intelligent Selection looks like over the API, for the type checker and for the OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired, TypedDict

from msgspec import Meta

from afterword.store.selections import Cause

MOST_SEED = (1 << 53) - 1
Time = Annotated[str, Meta(description="ISO 8601, UTC")]
Share = Annotated[float, Meta(description="a percentage")]
Stage = Literal["training", "learning", "settled"]
Action = Literal["decide", "accept", "pause", "resume"]


class SelectionSettings(TypedDict):
    """The `selection` of a campaign's definition (docs/selection.md)."""

    mode: Literal["intelligent", "fixed"]
    every: NotRequired[Annotated[int | str, Meta(description="how often it decides; seconds, or such as `12 hours`")]]
    floor: NotRequired[Annotated[float, Meta(gt=0, le=100, description="the least share of a variant, in percent")]]
    training_users: NotRequired[Annotated[int, Meta(ge=10)]]
    training_conversions: NotRequired[Annotated[int, Meta(ge=1)]]
    half_life: NotRequired[Annotated[int | str, Meta(description="a duration, or `never`")]]
    automatic: NotRequired[bool]


class SelectionVariant(TypedDict):
    """What a decision knows of a variant."""

    id: str
    share: Share
    share_before: Share
    users: Annotated[int, Meta(description="by first exposures")]
    converted: int
    open: Annotated[int, Meta(description="of the users, those whose window was still open")]
    trained: bool
    trials: Annotated[float, Meta(description="how many closed windows all its windows count as")]
    rate: Annotated[float, Meta(description="expected within the deadline")]
    interval: Annotated[list[float], Meta(description="the rate is within with a probability of 95 %")]
    probability_best: float | None
    arrived: Annotated[float, Meta(description="the part of its conversions that had come")]


class DecisionSummary(TypedDict):
    """A decision in short."""

    number: int
    decided_at: Time
    cause: Cause
    stage: Stage
    shares: dict[str, Share]
    applied_at: Time | None


class Decision(DecisionSummary):
    """A decision with everything that it was made from, and why."""

    shares_before: dict[str, Share]
    leader: str | None
    value_remaining: Annotated[
        float | None, Meta(description="with 95 % probability going on raises the rate by at most this part of it")
    ]
    reason: str
    seed: int
    variants: list[SelectionVariant]
    inputs: Annotated[dict[str, Any], Meta(description="the situation and the settings")]
    replays: Annotated[bool, Meta(description="whether inputs and seed give the same decision again, here and now")]


class Selection(TypedDict):
    """How Intelligent Selection stands for a campaign."""

    campaign: str
    settings: SelectionSettings | None
    stage: Stage | None
    paused_at: Time | None
    due_at: Annotated[Time | None, Meta(description="when the next decision by schedule is made")]
    decision: Annotated[Decision | None, Meta(description="the one that was asked for, or the newest")]
    decisions: Annotated[list[DecisionSummary], Meta(description="the newest first")]


class Asked(TypedDict):
    """What is to be done."""

    action: Action
    decision: NotRequired[Annotated[int, Meta(ge=1, description="only to accept: the newest if it is not said")]]
    seed: NotRequired[Annotated[int, Meta(ge=0, le=MOST_SEED, description="only to decide")]]
    apply: NotRequired[
        Annotated[bool, Meta(description="only to decide: whether its shares stand at once; else as the campaign says")]
    ]
