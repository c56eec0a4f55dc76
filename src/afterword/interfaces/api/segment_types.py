"""What bodies and answers of Segment's tracking API look like, for the type checker and for the OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired, TypedDict

from msgspec import Meta

Anything = dict[str, Any]
Time = Annotated[str, Meta(examples=["2026-03-01T09:30:00Z"])]


class Message(TypedDict):
    """A message: which fields are read depends on its type (docs/segment.md); others are ignored."""

    userId: NotRequired[str | int | None]
    anonymousId: NotRequired[str | None]
    messageId: NotRequired[str | None]
    timestamp: NotRequired[Time | None]
    originalTimestamp: NotRequired[Time | None]
    sentAt: NotRequired[Time | None]
    event: NotRequired[str | None]
    name: NotRequired[str | None]
    previousId: NotRequired[str | None]
    groupId: NotRequired[str | None]
    properties: NotRequired[Anything | None]
    traits: NotRequired[Anything | None]
    context: NotRequired[Anything | None]


class BatchedMessage(Message):
    """A message that says what it is."""

    type: Literal["track", "identify", "page", "screen", "group", "alias"]


class Batch(TypedDict):
    """Messages in the order in which they happened."""

    batch: list[BatchedMessage]
    sentAt: NotRequired[Time | None]
    context: NotRequired[Anything | None]


class SegmentTaken(TypedDict):
    """The answer that clients expect: a message that cannot be used is rejected alone (docs/segment.md)."""

    success: Literal[True]


class SegmentRefusal(TypedDict):
    """Why a request is not served."""

    success: NotRequired[Literal[False]]
    code: str
    message: str
