"""Braze-compatible paths that take facts, and those that would send."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.responses import Response

from afterword.intake.bodies import Policy
from afterword.intake.braze import read_track
from afterword.intake.braze_users import Answer, read_delete, read_identify, read_merge, read_new_alias
from afterword.interfaces.api import braze_types as types
from afterword.interfaces.api.faults import Refused
from afterword.interfaces.api.openapi import BRAZE_WRITING
from afterword.interfaces.api.operations import Answered, Body, Call, Operation
from afterword.interfaces.api.server import Receiving
from afterword.interfaces.api.writing import Dialect, write_operation
from afterword.store.permissions import Permission

TRACK = {
    "events": [{"external_id": "ann", "name": "Signed Up", "time": "2026-03-01T09:30:00Z"}],
    "purchases": [
        {
            "external_id": "ann",
            "product_id": "shoe",
            "currency": "EUR",
            "price": 9.5,
            "time": "2026-03-01T09:30:00Z",
        }
    ],
}
ANNS_ALIAS = {"alias_name": "anonymous-1", "alias_label": "web"}
NO_SENDING = "Afterword does not send messages: send with your own sender and report the exposures"


async def _no_sending(_server: Receiving, _call: Call) -> Response:
    raise Refused(501, NO_SENDING)


def _track(policy: Policy) -> Dialect:
    return lambda body, _content_type, received_at: read_track(body, received_at, policy, keep_usual=True)


def _users(
    path: str,
    permission: Permission,
    summary: str,
    body: Body,
    read: Callable[[bytes], Answer],
    answers: tuple[Answered, ...],
) -> Operation[Receiving]:
    def dialect(_policy: Policy) -> Dialect:
        return lambda body, _content_type, _received_at: read(body)

    return write_operation(path, permission, summary, body, dialect, answers, BRAZE_WRITING)


def _sending(path: str) -> Operation[Receiving]:
    answers = (Answered(501, NO_SENDING, types.Refusal),)
    return Operation("POST", path, "Refused: Afterword does not send", _no_sending, BRAZE_WRITING, answers)


def _taken(about: str, kind: Any, example: Any) -> tuple[Answered, ...]:
    return Answered(201, about, kind, example), Answered(400, "nothing can be used", types.UsersNotTaken)


OPERATIONS = (
    write_operation(
        "/users/track",
        Permission.USERS_TRACK,
        "Report what people are and did",
        Body(types.Track, TRACK),
        _track,
        _taken(
            "at least one item was accepted",
            types.Tracked,
            {"message": "success", "events_processed": 1, "purchases_processed": 1},
        ),
        BRAZE_WRITING,
    ),
    _users(
        "/users/delete",
        Permission.USERS_DELETE,
        "Erase people",
        Body(types.Delete, {"external_ids": ["ann"]}),
        read_delete,
        _taken("at least one person is named", types.Deleted, {"message": "success", "deleted": 1}),
    ),
    _users(
        "/users/merge",
        Permission.USERS_MERGE,
        "Say that two users are one",
        Body(
            types.Merge,
            {
                "merge_updates": [
                    {"identifier_to_merge": {"external_id": "ann-2"}, "identifier_to_keep": {"external_id": "ann"}}
                ]
            },
        ),
        read_merge,
        _taken("at least one merge was accepted", types.Processed, {"message": "success"}),
    ),
    _users(
        "/users/alias/new",
        Permission.USERS_ALIAS_NEW,
        "Give users an alias",
        Body(types.NewAliases, {"user_aliases": [{**ANNS_ALIAS, "external_id": "ann"}]}),
        read_new_alias,
        _taken("at least one alias was accepted", types.Processed, {"message": "success", "aliases_processed": 1}),
    ),
    _users(
        "/users/identify",
        Permission.USERS_IDENTIFY,
        "Give users known otherwise their id",
        Body(types.Identify, {"aliases_to_identify": [{"external_id": "ann", "user_alias": ANNS_ALIAS}]}),
        read_identify,
        _taken("at least one id was accepted", types.Processed, {"message": "success", "aliases_processed": 1}),
    ),
    _sending("/campaigns/trigger/send"),
    _sending("/canvas/trigger/send"),
    _sending("/messages/send"),
    _sending("/campaigns/trigger/schedule/create"),
)
