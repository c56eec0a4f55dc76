"""`afterword erase`: a person is taken out of everything (rule 36)."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from afterword.interfaces import options, output
from afterword.interfaces.moments import now


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

    From facts, results, the log, kept answers and the files' old blocks; later facts about them are refused. The server
    must be stopped meanwhile. Exports and backups that were made before are not touched.
    """
    from afterword.workspace.erasing_offline import erase_persons

    found = erase_persons(data, users, leave, memory=memory, clock=now, chance=os.urandom, metadata_url=metadata)
    if as_json:
        output.say_json({"erased": [{"user_id": e.user_id, "ids": e.ids, "facts": e.facts} for e in found]})
        return
    for one in found:
        output.say(f"{one.user_id} is erased: {one.ids} id(s), {one.facts:,} facts.")
