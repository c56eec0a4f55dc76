"""What goes into the audit log when it is done over the API: one table of operations, looked at for every request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from afterword.interfaces.api.answers import JSON


@dataclass(frozen=True, slots=True)
class Audited:
    """What an entry says."""

    action: str
    subject: str = "id"
    """A part of the path, a parameter of the URL or a field of the answer: the first of these that there is."""
    asked: tuple[str, ...] = ()
    """Parameters of the URL that are noted."""
    answered: tuple[str, ...] = ()
    """Fields of the answer that are noted, lists by their length; and its headers."""
    user: str | None = None
    """The parameter that names an end user."""
    gives_persons: bool = False
    """Whether persons are told: then there is no answer without an entry."""


@dataclass(frozen=True, slots=True)
class Noted:
    """An entry, but for when and by whom."""

    action: str
    subject: str
    detail: dict[str, Any]
    user_id: str | None


class Told(Protocol):
    """A request that was answered."""

    @property
    def request(self) -> Request:
        """It."""

    @property
    def parameters(self) -> Mapping[str, str]:
        """Those of its URL that are described."""

    @property
    def noting(self) -> Mapping[str, Any]:
        """What else is worth an entry."""


_STATE = ("status", "version")
_ROWS = ("format", "campaign", "variant", "event", "limit")
_WEBHOOK = ("status",)
_HOLDOUT = ("share", "from", "until")
_PERSON = ("role", "disabled_at")

AUDITED: Mapping[str, Audited] = {
    "POST /api/campaigns": Audited("campaign.created", answered=_STATE),
    "PUT /api/campaigns/{id}": Audited("campaign.changed", answered=_STATE),
    "POST /api/campaigns/{id}/launch": Audited("campaign.launched", answered=_STATE),
    "POST /api/campaigns/{id}/stop": Audited("campaign.stopped", answered=_STATE),
    "POST /api/campaigns/{id}/archive": Audited("campaign.archived", answered=_STATE),
    "POST /api/campaigns/{id}/selection": Audited("selection.asked", answered=("stage", "paused_at")),
    "POST /api/holdouts": Audited("holdout.created", "name", answered=_HOLDOUT),
    "POST /api/webhooks": Audited("webhook.created", answered=_WEBHOOK),
    "PUT /api/webhooks/{id}": Audited("webhook.changed", answered=_WEBHOOK),
    "POST /api/webhooks/{id}/resume": Audited("webhook.resumed", answered=_WEBHOOK),
    "DELETE /api/webhooks/{id}": Audited("webhook.deleted"),
    "POST /api/people": Audited("person.invited", answered=_PERSON),
    "PUT /api/people/{id}": Audited("person.changed", answered=_PERSON),
    "POST /api/people/{id}/invitation": Audited("person.invited", answered=_PERSON),
    "DELETE /api/people/{id}/sessions": Audited("person.signed-out", answered=("sessions",)),
    "PUT /api/exchange-rates": Audited("rates.taken", answered=("added", "replaced")),
    "DELETE /api/exchange-rates": Audited("rates.removed", asked=("currency", "from", "to"), answered=("removed",)),
    "POST /api/recompute": Audited("results.recomputed"),
    "POST /api/backup": Audited("backup.made", gives_persons=True),
    "POST /api/users/delete": Audited("users.deleted", answered=("deleted", "position")),
    "POST /users/delete": Audited("users.deleted", answered=("deleted",)),
    "POST /api/users/deletions": Audited("users.erased"),
    "GET /api/campaigns/{id}/users": Audited(
        "users.listed",
        asked=("variant", "event", "state", "channel", "attribute"),  # no value, which may say who somebody is
        answered=("users",),
        gives_persons=True,
    ),
    "GET /api/campaigns/{id}/explain": Audited("user.explained", user="user", gives_persons=True),
    "POST /users/export/ids": Audited("users.exported", answered=("users",), gives_persons=True),
    "GET /api/conversions": Audited("conversions.exported", "campaign", _ROWS, ("Afterword-Rows",), gives_persons=True),
    "GET /api/credited-purchases": Audited(
        "purchases.exported", "campaign", _ROWS, ("Afterword-Rows",), gives_persons=True
    ),
    "GET /api/facts": Audited("facts.exported", gives_persons=True),
}
"""By method and path. What is asked for again and again by machines, as the feed of changes is, is not here."""


def noted(audited: Audited, call: Told, response: Response) -> Noted:
    """Return what goes into the log about a request that was answered."""
    answered = _answered(response)
    places = (call.request.path_params, call.parameters, answered)
    subject = next((place[audited.subject] for place in places if place.get(audited.subject)), "")
    asked = (name for name in audited.asked if name != audited.subject)
    detail: dict[str, Any] = {name: call.parameters[name] for name in asked if call.parameters.get(name)}
    found = {name: answered[name] for name in audited.answered if answered.get(name) is not None}
    detail |= {name: len(value) if isinstance(value, list) else value for name, value in found.items()}
    detail |= call.noting
    user = None if audited.user is None else call.parameters.get(audited.user)
    return Noted(audited.action, str(subject), detail, user)


def _answered(response: Response) -> Mapping[str, Any]:
    """Return what the answer says, if it is a JSON object, and its headers otherwise."""
    if response.headers.get("content-type") != JSON:
        return {name.title(): value for name, value in response.headers.items()}
    content = msgspec.json.decode(response.body)
    return content if isinstance(content, dict) else {}
