"""Whether the results are what a full computation gives, over the API: one at a time, joined by who asks meanwhile."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import asdict
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from afterword.interfaces.api.access import bearer
from afterword.interfaces.api.answers import answer
from afterword.interfaces.api.campaigns import from_results
from afterword.interfaces.api.faults import bad_request
from afterword.interfaces.api.server import Answers
from afterword.reports.report import iso_time
from afterword.store.permissions import Permission
from afterword.workspace.live.comparing import Comparison

LOGGER = logging.getLogger("afterword")
PATIENCE_SECONDS = 60.0
"""How long a request waits for the end at most; and how long an end waits for the next request."""


def routes(server: Answers) -> list[Route]:
    """Return the routes."""
    return [Route("/api/recompute", _Recomputing(server).recompute, methods=["POST"])]


class _Recomputing:
    """Lets one thread compute, beside the keeper: it sees one state of the database and writes nothing."""

    def __init__(self, server: Answers) -> None:
        self._server = server
        self._task: asyncio.Task[Comparison] | None = None

    async def recompute(self, request: Request) -> Response:
        """Answer 200 with the differences, or 202 where it takes longer: the same request again goes on waiting."""
        _, headers = self._server.key(request, bearer(request), Permission.ADMIN)
        patience = _patience(request.query_params.get("wait"))
        if self._task is None:
            self._task = asyncio.create_task(asyncio.to_thread(self._compare))
            # Whoever began it may never come back, and nobody later must be told what was then.
            self._task.add_done_callback(
                lambda task: asyncio.get_running_loop().call_later(PATIENCE_SECONDS, self._forget, task)
            )
        task = self._task
        done, _ = await asyncio.wait([task], timeout=patience)
        if not done:
            return answer(202, {"same": None, "message": "the results are still being computed: ask again"}, headers)
        self._forget(task)
        return answer(200, told(task.result()), headers)

    def _forget(self, task: asyncio.Task[Comparison]) -> None:
        if self._task is task:
            self._task = None
        if not task.cancelled():
            task.exception()  # else asyncio complains of an error that nobody came for

    def _compare(self) -> Comparison:
        found = from_results(self._server, None, lambda live, definitions, _now: live.compare(definitions))
        if found.differences:
            LOGGER.error("the results are not what a full computation gives: %d differences", len(found.differences))
        return found


def _patience(wait: str | None) -> float:
    if wait is None:
        return PATIENCE_SECONDS
    if not wait.isdecimal() or int(wait) > PATIENCE_SECONDS:
        raise bad_request(f'wait is "{wait[:20]}", must be from 0 to {PATIENCE_SECONDS:g} seconds')
    return float(wait)


def told(found: Comparison) -> dict[str, Any]:
    """Return a comparison as the API tells it."""
    return {
        "same": not found.differences,
        "as_of": iso_time(found.as_of),
        "campaigns": found.campaigns,
        "rows": found.rows,
        "differences": [asdict(each) for each in found.differences],
    }
