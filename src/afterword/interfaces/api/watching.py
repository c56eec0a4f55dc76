"""Paths for who looks after the server: is it alive, is it ready, and numbers for Prometheus."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from afterword import __version__
from afterword.interfaces.api.answers import answer
from afterword.interfaces.api.faults import Refused
from afterword.interfaces.api.server import Receiving


def routes(server: Receiving) -> list[Route]:
    """Return the routes; none of them needs a key or tells anything about a person."""

    async def healthz(request: Request) -> Response:
        return answer(200, {"status": "alive", "version": __version__})

    async def readyz(request: Request) -> Response:
        try:
            server.ready_to_accept()
            if not (keeper := server.data.keeper).heard:
                why = f": {keeper.absent}" if keeper.absent else ""
                raise Refused(503, f"results are not there yet{why}", {"Retry-After": "1"})
        except Refused as refused:
            return answer(503, {"status": "not ready", "message": refused.message}, refused.headers)
        return answer(200, {"status": "ready"})

    async def metrics(request: Request) -> Response:
        return PlainTextResponse(server.metrics.text(), media_type="text/plain; version=0.0.4")

    return [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)]
