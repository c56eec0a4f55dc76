"""The Braze-compatible export of users."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from starlette.responses import Response

from afterword.interfaces.api import braze_answers as types
from afterword.interfaces.api.answers import answer
from afterword.interfaces.api.braze_details import iso_offset
from afterword.interfaces.api.braze_reading import NO_ANSWER
from afterword.interfaces.api.braze_usage import cursor_of
from afterword.interfaces.api.faults import bad_request
from afterword.interfaces.api.openapi import BRAZE_READING
from afterword.interfaces.api.operations import Answered, Body, Call, Operation
from afterword.interfaces.api.refusing import form_of
from afterword.interfaces.api.server import Answers
from afterword.store.permissions import Permission
from afterword.workspace.profiles import Habit, Profile, find_persons, ids_with_attribute, read_profiles

MAX_USERS = 50
STANDARD = frozenset(
    {
        *("country", "current_location", "dob", "email", "email_subscribe", "first_name", "gender", "home_city"),
        *("language", "last_name", "phone", "push_subscribe", "time_zone"),
    }
)
"""Attributes that stand beside the others in an answer, not among `custom_attributes`."""
ALIAS = "~alias/"
"""How the ids of users known by an alias begin (`intake.braze_users`)."""


async def _exported(server: Answers, call: Call) -> Response:
    return answer(200, await asyncio.to_thread(_export, server, _asked(await call.body())))


OPERATIONS: tuple[Operation[Answers], ...] = (
    Operation(
        "POST",
        "/users/export/ids",
        "Profiles of users",
        _exported,
        BRAZE_READING,
        (Answered(200, "what is known of each", types.Exported),),
        Permission.USERS_EXPORT_IDS,
        body=Body(types.Export, {"external_ids": ["ann"]}),
        refusals=NO_ANSWER,
    ),
)


class _Alias(msgspec.Struct):
    alias_name: str
    alias_label: str


class _Asked(msgspec.Struct):
    """The body of a request."""

    external_ids: list[str | int] = []
    user_aliases: list[_Alias] = []
    braze_id: str | None = None
    email_address: str | None = None
    phone: str | None = None
    fields_to_export: list[str] | None = None


def _asked(body: bytes) -> _Asked:
    asked = form_of(body, _Asked)
    for name in ("external_ids", "user_aliases"):
        if (count := len(getattr(asked, name))) > MAX_USERS:
            raise bad_request(f"{name} has {count} items, must be at most {MAX_USERS}")
    if not _names(asked) and asked.email_address is None and asked.phone is None:
        raise bad_request("external_ids, user_aliases, braze_id, email_address or phone is required")
    return asked


def _names(asked: _Asked) -> list[str]:
    """Return the ids that a request names, as facts have them."""
    found = [str(name) for name in asked.external_ids]
    for alias in asked.user_aliases:
        found.append(f"{ALIAS}{_escaped(alias.alias_label)}/{alias.alias_name}")
    return [*found, *([f"~braze/{asked.braze_id}"] if asked.braze_id else [])]


def _escaped(label: str) -> str:
    return label.replace("%", "%25").replace("/", "%2F")


def _export(server: Answers, asked: _Asked) -> dict[str, Any]:
    currency = server.data.metadata.workspace().currency
    with cursor_of(server) as con:
        named, searched = _names(asked), list[str]()
        if asked.email_address:
            searched += [
                f"~email/{asked.email_address.lower()}",
                *ids_with_attribute(con, "email", asked.email_address),
            ]
        if asked.phone:
            searched += [f"~phone/{asked.phone}", *ids_with_attribute(con, "phone", asked.phone)]
        persons = find_persons(con, [*named, *searched])
        wanted = dict.fromkeys(persons[name] for name in [*named, *searched] if name in persons)
        profiles = read_profiles(con, list(wanted), server.clock())
    users = [_chosen(_user(profile, currency), asked.fields_to_export) for profile in profiles]
    invalid = [name for name in map(str, asked.external_ids) if name not in persons]
    return {"users": users, "invalid_user_ids": invalid, "message": "success"}


def _chosen(user: Mapping[str, Any], fields: Iterable[str] | None) -> dict[str, Any]:
    if fields is None:
        return dict(user)
    kept = {"external_id", *fields}
    return {name: value for name, value in user.items() if name in kept}


def _user(profile: Profile, currency: str) -> dict[str, Any]:
    """Return a user; what is not known is left out, as the original does."""
    attributes = profile.attributes
    sessions = profile.sessions
    others = {code: float(text) for code, text in profile.spent.items() if code != currency}
    braze = next((name.removeprefix("~braze/") for name in profile.ids if name.startswith("~braze/")), None)
    return {
        "external_id": _external(profile),
        **({"braze_id": braze} if braze else {}),
        "user_aliases": [_alias(name) for name in profile.ids if name.startswith(ALIAS)],
        **{name: value for name, value in attributes.items() if name in STANDARD},
        "custom_attributes": {name: value for name, value in attributes.items() if name not in STANDARD},
        "custom_events": [_habit(habit) for habit in profile.events],
        "purchases": [_habit(habit) for habit in profile.purchases],
        "apps": [{"name": one.name or None, "sessions": one.count, **_times(one, "_used")} for one in sessions],
        "total_revenue": float(profile.spent.get(currency, "0")),
        **({"total_revenue_other_currencies": others} if others else {}),
    }


def _external(profile: Profile) -> str | None:
    """Return the customer's own id of a person, who may be known by an alias or an address only."""
    own = [name for name in (profile.person, *profile.ids) if not name.startswith("~")]
    return own[0] if own else None


def _alias(name: str) -> dict[str, str]:
    label, _, alias = name.removeprefix(ALIAS).partition("/")
    return {"alias_name": alias, "alias_label": label.replace("%2F", "/").replace("%25", "%")}


def _habit(habit: Habit) -> dict[str, Any]:
    return {"name": habit.name, **_times(habit), "count": habit.count}


def _times(habit: Habit, suffix: str = "") -> dict[str, str]:
    return {f"first{suffix}": iso_offset(habit.first), f"last{suffix}": iso_offset(habit.last)}
