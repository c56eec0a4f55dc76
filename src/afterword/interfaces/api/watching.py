"""Paths for who looks after the server: is it alive, is it ready, and numbers for Prometheus.

None of them needs a key or tells anything about a person.
"""

from __future__ import annotations

from starlette.responses import PlainTextResponse, Response

from afterword import __version__
from afterword.interfaces.api.answers import answer
from afterword.interfaces.api.faults import Refused
from afterword.interfaces.api.native_types import Alive, Ready
from afterword.interfaces.api.openapi import WATCHING
from afterword.interfaces.api.operations import Answered, Call, Operation
from afterword.interfaces.api.server import Receiving

METRICS = "text/plain; version=0.0.4; charset=utf-8"


async def _healthz(_server: Receiving, _call: Call) -> Response:
    return answer(200, {"status": "alive", "version": __version__})


async def _readyz(server: Receiving, _call: Call) -> Response:
    try:
        server.ready_to_accept()
        if not (keeper := server.data.keeper).heard:
            why = f": {keeper.absent}" if keeper.absent else ""
            raise Refused(503, f"results are not there yet{why}", {"Retry-After": "1"})
    except Refused as refused:
        return answer(503, {"status": "not ready", "message": refused.message}, refused.headers)
    return answer(200, {"status": "ready"})


async def _metrics(server: Receiving, _call: Call) -> Response:
    return PlainTextResponse(server.metrics.text(), media_type=METRICS)


OPERATIONS: tuple[Operation[Receiving], ...] = (
    Operation("GET", "/healthz", "Does the process run?", _healthz, WATCHING, (Answered(200, "it does", Alive),)),
    Operation(
        "GET",
        "/readyz",
        "Are facts taken, and results there?",
        _readyz,
        WATCHING,
        (Answered(200, "yes", Ready), Answered(503, "not now, and why", Ready)),
    ),
    Operation(
        "GET",
        "/metrics",
        "Numbers in Prometheus' text format",
        _metrics,
        WATCHING,
        (Answered(200, "the numbers", media=METRICS),),
    ),
)
