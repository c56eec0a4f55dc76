"""What Braze-compatible paths that take something look like, for the type checker and for the OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Any, NotRequired, TypedDict

from msgspec import Meta

Id = Annotated[str, Meta(min_length=1, max_length=255)]
UserId = Id | int
Occurred = Annotated[str, Meta(description="ISO 8601; without an offset it is UTC", examples=["2026-03-01T09:30:00Z"])]


class Refusal(TypedDict):
    """Why a request is not served."""

    message: Annotated[str, Meta(description="one sentence")]


class UserAlias(TypedDict):
    """A name of a user that is not the user's own id."""

    alias_name: Id
    alias_label: Id


class SentUser(TypedDict):
    """Whom an item is about: the first of these that it has counts."""

    external_id: NotRequired[UserId]
    user_alias: NotRequired[UserAlias]
    braze_id: NotRequired[Id]
    email: NotRequired[Id]
    phone: NotRequired[Id]


class SentEvent(SentUser):
    """A custom event. `event_id` makes a repetition known as one (Afterword's own)."""

    name: Id
    time: Occurred
    app_id: NotRequired[Id]
    event_id: NotRequired[Id]
    properties: NotRequired[dict[str, Any]]


class SentPurchase(SentUser):
    """A purchase."""

    product_id: Id
    currency: Annotated[str, Meta(pattern="^[A-Za-z]{3}$")]
    price: float | str
    time: Occurred
    quantity: NotRequired[Annotated[int, Meta(ge=1, le=100)]]
    app_id: NotRequired[Id]
    event_id: NotRequired[Id]
    properties: NotRequired[dict[str, Any]]


class SentSession(SentUser):
    """The start of a session (Afterword's own)."""

    time: Occurred
    app_id: NotRequired[Id]
    app_version: NotRequired[Id]
    device_id: NotRequired[Id]
    event_id: NotRequired[Id]


class Track(TypedDict):
    """What users are and did."""

    attributes: NotRequired[
        Annotated[list[dict[str, Any]], Meta(description="a user, and any attributes beside what names it")]
    ]
    events: NotRequired[list[SentEvent]]
    purchases: NotRequired[list[SentPurchase]]
    sessions: NotRequired[list[SentSession]]


class ItemError(TypedDict):
    """What is wrong with one item."""

    type: str
    input_array: str
    index: int


class Tracked(TypedDict):
    """What became of the items: how many of each array are good, and what is wrong with the others."""

    message: str
    attributes_processed: NotRequired[int]
    events_processed: NotRequired[int]
    purchases_processed: NotRequired[int]
    sessions_processed: NotRequired[int]
    errors: NotRequired[list[ItemError]]


class UsersNotTaken(TypedDict):
    """Why nothing was taken."""

    message: str
    errors: NotRequired[list[ItemError]]


class Delete(TypedDict):
    """Users to be erased, named in one way."""

    external_ids: NotRequired[list[UserId]]
    user_aliases: NotRequired[list[UserAlias]]
    braze_ids: NotRequired[list[Id]]


class MergeUpdate(TypedDict):
    """Two users who are one."""

    identifier_to_merge: SentUser
    identifier_to_keep: SentUser


class Merge(TypedDict):
    """Users to be merged."""

    merge_updates: list[MergeUpdate]


class NewAlias(TypedDict):
    """An alias, of a user who has an id or of one who has none yet."""

    alias_name: Id
    alias_label: Id
    external_id: NotRequired[UserId]


class NewAliases(TypedDict):
    """Aliases to be added."""

    user_aliases: list[NewAlias]


class AliasToIdentify(TypedDict):
    """A user known by an alias, and the id."""

    external_id: UserId
    user_alias: UserAlias


class EmailToIdentify(TypedDict):
    """A user known by an address, and the id."""

    external_id: UserId
    email: Id


class PhoneToIdentify(TypedDict):
    """A user known by a number, and the id."""

    external_id: UserId
    phone: Id


class Identify(TypedDict):
    """Users who get their id."""

    aliases_to_identify: NotRequired[list[AliasToIdentify]]
    emails_to_identify: NotRequired[list[EmailToIdentify]]
    phone_numbers_to_identify: NotRequired[list[PhoneToIdentify]]


class Deleted(TypedDict):
    """How many persons will be erased."""

    message: str
    deleted: int
    errors: NotRequired[list[ItemError]]


class Processed(TypedDict):
    """What became of the items."""

    message: str
    aliases_processed: NotRequired[int]
    errors: NotRequired[list[ItemError]]
