"""What `afterword backup` asks of the process that has the facts open."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

from starlette.responses import Response

from afterword.interfaces.api.answers import answer
from afterword.interfaces.api.faults import Refused
from afterword.interfaces.api.native_types import Copied
from afterword.interfaces.api.openapi import OURS
from afterword.interfaces.api.operations import Answered, Call, Operation, PerServer
from afterword.interfaces.api.server import Answers
from afterword.store.permissions import Permission
from afterword.workspace.facts_copy import CopyFailed, copy_facts

COPYING: PerServer[Answers, asyncio.Lock] = PerServer(lambda _server: asyncio.Lock())


async def _copied(server: Answers, _call: Call) -> Response:
    copying = COPYING.of(server)
    if copying.locked():
        raise Refused(409, "another backup is being made: come again when it is done")
    async with copying:
        try:
            path, position = await asyncio.to_thread(copy_facts, server.data, _free, server.policy.free_bytes)
        except CopyFailed as error:
            raise Refused(507, str(error)) from error
    return answer(201, {"facts": str(path.relative_to(server.data.path)), "position": position})


def _free(path: Path) -> int:
    return shutil.disk_usage(path).free


OPERATIONS: tuple[Operation[Answers], ...] = (
    Operation(
        "POST",
        "/api/backup",
        "Copy the facts as they are now, beside themselves; `afterword backup` makes the rest of it",
        _copied,
        OURS,
        (Answered(201, "where the copy is in the data directory, and up to which request", Copied),),
        Permission.ADMIN,
        refusals={
            409: "another backup is being made",
            504: "there was no answer in time",
            507: "the copy could not be made",
        },
    ),
)
