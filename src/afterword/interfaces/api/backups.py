"""What `afterword backup` asks of the process that has the facts open."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from afterword.interfaces.api.access import bearer
from afterword.interfaces.api.answers import answer
from afterword.interfaces.api.faults import Refused
from afterword.interfaces.api.server import Answers
from afterword.store.permissions import Permission
from afterword.workspace.facts_copy import CopyFailed, copy_facts


def routes(server: Answers) -> list[Route]:
    """Return the routes."""
    copying = asyncio.Lock()

    async def copy(request: Request) -> Response:
        _, headers = server.key(request, bearer(request), Permission.ADMIN)
        if copying.locked():
            raise Refused(409, "another backup is being made: come again when it is done")
        async with copying:
            try:
                path, position = await asyncio.to_thread(copy_facts, server.data, _free, server.policy.free_bytes)
            except CopyFailed as error:
                raise Refused(507, str(error)) from error
        return answer(201, {"facts": str(path.relative_to(server.data.path)), "position": position}, headers)

    return [Route("/api/backup", copy, methods=["POST"])]


def _free(path: Path) -> int:
    return shutil.disk_usage(path).free
