"""What people, drafts and the audit log look like, for the type checker and for the OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypedDict

import msgspec
from msgspec import Meta

from afterword.store.account_rows import MAX_EMAIL, MAX_NAME
from afterword.store.drafts import MAX_BYTES

Role = Annotated[
    Literal["viewer", "analyst", "editor", "admin"], Meta(description="each may do what those before it may")
]
Time = Annotated[str, Meta(description="ISO 8601, UTC")]
Email = Annotated[str, Meta(description=f"at most {MAX_EMAIL} characters; compared without case")]
Name = Annotated[str, Meta(description=f"one line, at most {MAX_NAME} characters")]
Document = Annotated[
    dict[str, Any], Meta(description=f"whatever the pages have so far, at most {MAX_BYTES >> 10} KiB of JSON")
]


class Person(TypedDict):
    """Somebody who may sign in."""

    id: str
    email: str
    name: str
    role: Role
    created_at: Time
    disabled_at: Time | None
    last_seen_at: Time | None
    invited_until: Annotated[Time | None, Meta(description="null for who has a password")]


class People(TypedDict):
    """Everybody."""

    people: list[Person]


class InvitedPerson(Person):
    """Somebody who is to choose a password."""

    invitation: Annotated[str, Meta(description="what the link holds: works once, for 7 days, and is not shown again")]


class NewPerson(msgspec.Struct, forbid_unknown_fields=True):
    """Whom to invite."""

    email: Email
    name: Name
    role: Role


class ChangedPerson(msgspec.Struct, forbid_unknown_fields=True):
    """What is to be different; what is left out stays."""

    role: Role | None = None
    disabled: bool | None = None


class Draft(TypedDict):
    """A campaign as far as the pages have it."""

    id: str
    document: Document
    revision: Annotated[int, Meta(description="grows by one with every change")]
    of: Annotated[str | None, Meta(description="the campaign that it is to change; null for a new one")]
    created_at: Time
    updated_at: Time
    updated_by: Annotated[str, Meta(description="the id of a person, `key:` and the id of a key, or `command`")]


class AllDrafts(TypedDict):
    """All drafts."""

    drafts: list[Draft]


class EndedSessions(TypedDict):
    """What was ended."""

    sessions: int


class NewDraft(msgspec.Struct, forbid_unknown_fields=True):
    """A draft to be kept."""

    document: Document
    of: str | None = None


class SavedDraft(msgspec.Struct, forbid_unknown_fields=True):
    """What the draft is to hold."""

    document: Document


class NewerDraft(TypedDict):
    """Why it was not saved: somebody else was quicker."""

    message: str
    draft: Annotated[Draft, Meta(description="as it is now")]


class AuditEntry(TypedDict):
    """What somebody did."""

    number: int
    at: Time
    actor: Annotated[str, Meta(description="the id of a person, `key:` and the id of a key, or `command`")]
    action: str
    subject: str
    detail: dict[str, Any]
    user_id: Annotated[str | None, Meta(description="the end user that was looked at; `(erased)` after an erasure")]


class AuditLog(TypedDict):
    """Entries, the newest first."""

    entries: list[AuditEntry]
    next: Annotated[int | None, Meta(description="`before` of the next page; null on the last")]
