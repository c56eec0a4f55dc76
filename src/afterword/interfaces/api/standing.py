"""How far facts and results are behind what has come in, for programs and pages that have a key.

Answered by the process that takes facts in, which knows it also while the other one is away.
"""

from __future__ import annotations

from starlette.responses import Response

from afterword.interfaces.api.answers import answer
from afterword.interfaces.api.faults import Refused
from afterword.interfaces.api.openapi import OURS
from afterword.interfaces.api.operations import Answered, Call, Operation
from afterword.interfaces.api.seen_types import ServerState
from afterword.interfaces.api.server import Receiving
from afterword.store.permissions import Permission


async def _state(server: Receiving, _call: Call) -> Response:
    """Tell how far it is; this asks nobody, so that it is answered whatever is wrong."""
    keeper, message = server.data.keeper, None
    try:
        server.ready_to_accept()
        if not keeper.heard:
            message = f"results are not there yet{f': {keeper.absent}' if keeper.absent else ''}"
    except Refused as refused:
        message = refused.message
    oldest = keeper.oldest_waiting
    state: ServerState = {
        "ready": message is None,
        "message": message,
        "durable_position": server.data.log.durable,
        "loaded_position": keeper.loaded,
        "attributed_position": keeper.attributed,
        "lag_seconds": 0.0 if oldest is None else max(0.0, (server.clock() - oldest) / 1e6),
        "waiting_bytes": max(0, keeper.waiting_bytes),
        "failure": keeper.failure,
    }
    return answer(200, state)


OPERATIONS: tuple[Operation[Receiving], ...] = (
    Operation(
        "GET",
        "/api/state",
        "How far facts and results are behind what has come in",
        _state,
        OURS,
        (Answered(200, "how far they are", ServerState),),
        Permission.API_READ,
    ),
)
