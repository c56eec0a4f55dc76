"""History that `afterword import` brings through a running server: batches in order, each row once (decision 0028)."""

from __future__ import annotations

from typing import Any, TypedDict

import msgspec
from starlette.responses import Response

from afterword.errors import UserError
from afterword.intake.bodies import RequestError
from afterword.intake.logged import read_logged
from afterword.interfaces.api.answers import answer
from afterword.interfaces.api.counts import counts_of
from afterword.interfaces.api.faults import Refused, bad_request
from afterword.interfaces.api.openapi import OURS
from afterword.interfaces.api.operations import Answered, Body, Call, Operation, PerServer
from afterword.interfaces.api.parameters import IN_PATH, Flag, Text, WholeNumber
from afterword.interfaces.api.server import Receiving
from afterword.store.permissions import Permission
from afterword.workspace.data_directory import LOG
from afterword.workspace.importing.ledger import Ledger, OutOfStep, Standing, Told

PATH = "/api/imports"
MOST_ROWS = 999_999_999
FILE = Text("file", "64 hexadecimal digits that stand for a file", required=True, place=IN_PATH)
NAME = Text("name", "what the file is called")
AGAIN = Flag("again", "begin once more where it was finished")
AFTER = WholeNumber("after", "how many rows of the file were sent before", 0, MOST_ROWS, 0)
ROWS = WholeNumber("rows", "how many rows these are", 0, MOST_ROWS, 0)


class State(TypedDict):
    """How far the server is."""

    timezone: str
    durable: int
    loaded: int
    attributed: int
    failure: str | None


class Position(TypedDict):
    """Where in the log."""

    position: int


LEDGERS: PerServer[Receiving, Ledger] = PerServer(
    lambda server: Ledger(server.data.path, server.data.path / LOG, server.data.log, server.clock)
)


async def _look(server: Receiving, _call: Call) -> Response:
    definitions = await server.in_thread(server.data.metadata.campaigns.definitions)
    keeper = server.data.keeper
    told: State = {
        "timezone": definitions.workspace.timezone,
        "durable": server.data.log.durable,
        "loaded": keeper.loaded,
        "attributed": keeper.attributed,
        "failure": keeper.failure,
    }
    return answer(200, told)


async def _begin(server: Receiving, call: Call) -> Response:
    name, again = NAME.read(call.parameters), AGAIN.read(call.parameters)
    try:
        standing = await server.in_thread(LEDGERS.of(server).begin, _file(call), name[:255], again=again)
    except UserError as error:
        raise bad_request(str(error)) from None
    return answer(200, msgspec.to_builtins(standing))


async def _take(server: Receiving, call: Call) -> Response:
    server.ready_to_accept()
    file, after, rows = _file(call), AFTER.read(call.parameters), ROWS.read(call.parameters)
    body = await call.body()
    try:
        counts = counts_of(read_logged(body, rows))
    except RequestError as error:
        raise bad_request(str(error)) from None
    try:
        position = await server.append(lambda: LEDGERS.of(server).append(file, after, rows, body), len(body), counts)
    except OutOfStep as error:
        raise Refused(409, str(error)) from None
    return answer(201, {"position": position})


async def _finish(server: Receiving, call: Call) -> Response:
    body = await call.body()
    try:
        told = msgspec.json.decode(body, type=Told)
        await server.in_thread(LEDGERS.of(server).finish, _file(call), told)
    except OutOfStep as error:
        raise Refused(409, str(error)) from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise bad_request(f"the body does not say what became of the rows: {error}") from None
    return answer(200, {"position": server.data.log.durable})


def _file(call: Call) -> str:
    return str(call.request.path_params["file"])


_STEP = {409: "other rows are awaited: begin the file again"}


def _operation(
    method: str, path: str, summary: str, handle: Any, answered: Answered, **more: Any
) -> Operation[Receiving]:
    return Operation(method, path, summary, handle, OURS, (answered,), Permission.ADMIN, **more)


OPERATIONS = (
    _operation("GET", PATH, "How far the server is, for `afterword import`", _look, Answered(200, "positions", State)),
    _operation(
        "PUT", PATH + "/{file}", "Begin the import of a file, or say how far it is", _begin,
        Answered(200, "what is known of it", Standing), parameters=(FILE, NAME, AGAIN),
    ),
    _operation(
        "POST", PATH + "/{file}/rows", "Take the next rows of a file that was begun", _take,
        Answered(201, "they are on the disk", Position), parameters=(FILE, AFTER, ROWS), refusals=_STEP,
        body=Body(dict[str, Any], {"events": []}, limit=lambda policy: policy.batch_bytes),
    ),
    _operation(
        "POST", PATH + "/{file}/finish", "Note that all rows of a file are there", _finish,
        Answered(200, "it is noted", Position), parameters=(FILE,), refusals=_STEP, body=Body(Told, {"rows": 0}),
    ),
)  # fmt: skip
