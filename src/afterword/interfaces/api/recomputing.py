"""Whether the results are what a full computation gives, over the API: one at a time, joined by who asks meanwhile."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import asdict
from typing import Any

from starlette.responses import Response

from afterword.interfaces.api.answers import answer
from afterword.interfaces.api.campaigns import from_results
from afterword.interfaces.api.native_types import Recomputed, Recomputing
from afterword.interfaces.api.openapi import OURS
from afterword.interfaces.api.operations import Answered, Call, Operation, PerServer
from afterword.interfaces.api.parameters import WholeNumber
from afterword.interfaces.api.server import Answers
from afterword.reports.report import iso_time
from afterword.store.permissions import Permission
from afterword.workspace.live.comparing import Comparison

LOGGER = logging.getLogger("afterword")
PATIENCE_SECONDS = 60.0
"""How long a request waits for the end at most; and how long an end waits for the next request."""


class _Recomputing:
    """Lets one thread compute, beside the keeper: it sees one state of the database and writes nothing."""

    def __init__(self) -> None:
        self._task: asyncio.Task[Comparison] | None = None

    async def recompute(self, server: Answers, patience: float) -> Response:
        """Answer 200 with the differences, or 202 where it takes longer: the same request again goes on waiting."""
        if self._task is None:
            self._task = asyncio.create_task(asyncio.to_thread(_compare, server))
            # Whoever began it may never come back, and nobody later must be told what was then.
            self._task.add_done_callback(
                lambda task: asyncio.get_running_loop().call_later(PATIENCE_SECONDS, self._forget, task)
            )
        task = self._task
        done, _ = await asyncio.wait([task], timeout=patience)
        if not done:
            return answer(202, {"same": None, "message": "the results are still being computed: ask again"})
        self._forget(task)
        return answer(200, told(task.result()))

    def _forget(self, task: asyncio.Task[Comparison]) -> None:
        if self._task is task:
            self._task = None
        if not task.cancelled():
            task.exception()  # else asyncio complains of an error that nobody came for


RECOMPUTING: PerServer[Answers, _Recomputing] = PerServer(lambda _server: _Recomputing())
WAIT = WholeNumber("wait", "seconds to wait for the end", 0, int(PATIENCE_SECONDS), int(PATIENCE_SECONDS))


async def _recomputed(server: Answers, call: Call) -> Response:
    return await RECOMPUTING.of(server).recompute(server, WAIT.read(call.parameters))


def _compare(server: Answers) -> Comparison:
    found = from_results(server, None, lambda live, definitions, _now: live.compare(definitions))
    if found.differences:
        LOGGER.error("the results are not what a full computation gives: %d differences", len(found.differences))
    return found


def told(found: Comparison) -> dict[str, Any]:
    """Return a comparison as the API tells it."""
    return {
        "same": not found.differences,
        "as_of": iso_time(found.as_of),
        "campaigns": found.campaigns,
        "rows": found.rows,
        "differences": [asdict(each) for each in found.differences],
    }


OPERATIONS: tuple[Operation[Answers], ...] = (
    Operation(
        "POST",
        "/api/recompute",
        "Compute all results again, and say whether those that are kept are the same",
        _recomputed,
        OURS,
        (
            Answered(200, "it is done", Recomputed),
            Answered(202, "it takes longer: the same request again goes on waiting", Recomputing),
        ),
        Permission.ADMIN,
        (WAIT,),
        refusals={503: "the results are not up to date", 504: "there was no answer in time"},
    ),
)
