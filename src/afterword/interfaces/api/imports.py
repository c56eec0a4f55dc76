"""History that `afterword import` brings through a running server: batches in order, each row once (decision 0028)."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from afterword.errors import UserError
from afterword.intake.bodies import RequestError
from afterword.intake.logged import read_logged
from afterword.interfaces.api.access import bearer
from afterword.interfaces.api.answers import answer
from afterword.interfaces.api.bodies import read_body
from afterword.interfaces.api.faults import Refused, bad_request
from afterword.interfaces.api.server import Receiving
from afterword.store.permissions import Permission
from afterword.workspace.data_directory import LOG
from afterword.workspace.importing.ledger import Ledger, OutOfStep, Told

PATH = "/api/imports"


def routes(server: Receiving) -> list[Route]:
    """Return the routes."""
    paths = _Imports(server)
    return [
        Route(PATH, paths.look, methods=["GET"]),
        Route(PATH + "/{file}", paths.begin, methods=["PUT"]),
        Route(PATH + "/{file}/rows", paths.take, methods=["POST"]),
        Route(PATH + "/{file}/finish", paths.finish, methods=["POST"]),
    ]


class _Imports:
    """The routes of imports; their bodies are of our own making, and an admin's."""

    def __init__(self, server: Receiving) -> None:
        self._server = server
        self._ledger = Ledger(server.data.path, server.data.path / LOG, server.data.log, server.clock)

    async def look(self, request: Request) -> Response:
        """Say how far the server is, and the workspace's time zone, in which dates are read."""
        headers = self._let_in(request)
        definitions = await self._server.in_thread(self._server.data.metadata.campaigns.definitions)
        keeper = self._server.data.keeper
        told = {
            "timezone": definitions.workspace.timezone,
            "durable": self._server.data.log.durable,
            "loaded": keeper.loaded,
            "attributed": keeper.attributed,
            "failure": keeper.failure,
        }
        return answer(200, told, headers)

    async def begin(self, request: Request) -> Response:
        """Begin the import of a file, or say how far it is."""
        headers = self._let_in(request)
        self._server.ready_to_accept()
        name, again = request.query_params.get("name", ""), request.query_params.get("again") == "true"
        try:
            standing = await self._server.in_thread(
                self._ledger.begin, request.path_params["file"], name[:255], again=again
            )
        except UserError as error:
            raise bad_request(str(error)) from None
        return answer(200, msgspec.to_builtins(standing), headers)

    async def take(self, request: Request) -> Response:
        """Take the next rows of a file that was begun."""
        headers = self._let_in(request)
        self._server.ready_to_accept()
        policy, file = self._server.policy, request.path_params["file"]
        after, rows = _number(request, "after"), _number(request, "rows")
        body = await read_body(request, policy.batch_bytes, policy.body_seconds)
        try:
            accepted = read_logged(body, rows)
        except RequestError as error:
            raise bad_request(str(error)) from None
        try:
            position = await self._server.append(
                lambda: self._ledger.append(file, after, rows, body), len(body), accepted
            )
        except OutOfStep as error:
            raise Refused(409, str(error)) from None
        return answer(201, {"position": position}, headers)

    async def finish(self, request: Request) -> Response:
        """Note that all rows of a file are there."""
        headers = self._let_in(request)
        policy = self._server.policy
        body = await read_body(request, policy.body_bytes, policy.body_seconds)
        try:
            told = msgspec.json.decode(body, type=Told)
            await self._server.in_thread(self._ledger.finish, request.path_params["file"], told)
        except OutOfStep as error:
            raise Refused(409, str(error)) from None
        except msgspec.MsgspecError as error:
            raise bad_request(f"the body does not say what became of the rows: {error}") from None
        return answer(200, {"position": self._server.data.log.durable}, headers)

    def _let_in(self, request: Request) -> dict[str, str]:
        return self._server.key(request, bearer(request), Permission.ADMIN)[1]


def _number(request: Request, name: str) -> int:
    text = request.query_params.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise bad_request(f'{name} is "{text[:60]}", must be a whole number')
    return int(text)
