"""`afterword erase`: a person is taken out of everything (rule 36)."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from afterword.interfaces import options, output
from afterword.interfaces.client import Server, ServerFailed, find_server
from afterword.interfaces.moments import now

DELETIONS = "/api/users/deletions"
POLL_SECONDS = 0.5
AWAY = 503
PATIENCE_SECONDS = 30.0
"""So long something may fail that is tried again."""


class Leave(StrEnum):
    """What stays of a person's facts."""

    COUNTS = "counts"
    NOTHING = "nothing"


def erase(
    users: Annotated[list[str], typer.Argument(metavar="USER...", help="Ids of the persons; any id of each will do.")],
    leave: Annotated[
        Leave,
        typer.Option(
            "--leave",
            metavar="counts|nothing",
            help="counts: results keep their numbers, with a stranger in the person's place; nothing: facts go, too.",
        ),
    ] = Leave.COUNTS,
    data: options.DataDir = Path("./afterword-data"),
    metadata: options.MetadataUrl = None,
    memory: options.Memory = None,
    as_json: options.AsJson = False,
) -> None:
    """Erase persons from a data directory.

    From facts, results, the log, kept answers and the files' old blocks; later facts about them are refused. A running
    server does it, and the command waits until it is done. Exports and backups that were made before are not touched.
    """
    if (server := find_server(data)) is not None:
        found = _by_server(server, users, leave)
    else:
        from afterword.workspace.erasing_offline import erase_persons

        persons = erase_persons(data, users, leave, memory=memory, clock=now, chance=os.urandom, metadata_url=metadata)
        found = [{"user_id": one.user_id, "ids": one.ids, "facts": one.facts} for one in persons]
    if as_json:
        output.say_json({"erased": found})
        return
    for one in found:
        output.say(f"{one['user_id']} is erased: {one['ids']} id(s), {one['facts']:,} facts.")


def _by_server(server: Server, users: Sequence[str], leave: Leave) -> list[dict[str, Any]]:
    """Have the persons erased, and wait until they are in no file any more; return what there was of them."""
    found = [server.get(DELETIONS, {"user_id": user})["users"][0] for user in users]
    asked = server.post("/api/users/delete", {"user_ids": list(users), "leave": leave})
    told, until = False, time.monotonic() + PATIENCE_SECONDS
    while (state := _state(server)) is None or state["done_position"] <= asked["position"]:
        failure = None if state is None else state["failure"]
        if failure is None:
            until = time.monotonic() + PATIENCE_SECONDS
        elif time.monotonic() > until:
            why = f"the persons have left the results, not yet all files; that is tried again: {failure}"
            raise ServerFailed(why)
        if state is not None and state["stage"] == "waiting" and (failure is None or not told):
            _ask(server)  # after a failure once: the server tries again by itself, and not twice a second
            told = True
        time.sleep(POLL_SECONDS)
    return found


def _state(server: Server) -> dict[str, Any] | None:
    """Return how far it is; None while results are away because the facts' file is being written anew."""
    try:
        return dict(server.get(DELETIONS))
    except ServerFailed as failed:
        if failed.status != AWAY:
            raise
        return None


def _ask(server: Server) -> None:
    try:
        server.post(DELETIONS)
    except ServerFailed as failed:
        if failed.status != AWAY:
            raise
