"""The process that answers: it owns the database, loads the log, keeps the results, and serves what is read.

It is started by `serve` and ends when that process does: its standard input is a pipe that the other holds open.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
import uvicorn
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from afterword.errors import UserError
from afterword.interfaces.api.answers import answer
from afterword.interfaces.api.app import ASKING, DESCRIPTION, make_reading_app
from afterword.interfaces.api.entrances import entrances
from afterword.interfaces.api.selection import selecting_of
from afterword.interfaces.api.server import Policy, Reading
from afterword.interfaces.garbage import search_seldom
from afterword.interfaces.logs import log_to_stderr
from afterword.interfaces.moments import now
from afterword.interfaces.posting import post
from afterword.interfaces.rewriting import in_process_of_its_own
from afterword.interfaces.two_processes import AGAIN, ENTRANCES, FIRST_VARIANTS, STATE, AskedFirst, Configuration
from afterword.workspace.answering import is_beyond_repair, open_answering
from afterword.workspace.data_directory import LOG
from afterword.workspace.delivering import Deliverer
from afterword.workspace.keeper import Keeper
from afterword.workspace.selecting import Scheduler

LOGGER = logging.getLogger("afterword")
STOP_SECONDS = 10
SWITCH_SECONDS = 0.001
"""How long a page may wait, each time that it has asked a database, for a thread that counts."""
ANSWERED_AT_ONCE = 24
"""Some of those who ask wait for what takes seconds; they must not keep pages from the others."""


def main() -> int:
    """Run until standard input ends; return the exit code."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    log_to_stderr()
    sys.setswitchinterval(SWITCH_SECONDS)
    told = Configuration.read(sys.stdin.readline())
    with suppress(OSError):
        os.nice(told.nice)
    try:
        return AGAIN if _run(told) else 0
    except UserError as error:
        LOGGER.error(str(error))
        print(str(error), flush=True)  # for the process that started this one
        return error.exit_code


def _run(told: Configuration) -> bool:
    """Answer until told to end; return whether it is to begin again."""
    again = threading.Event()
    durable = [told.durable]

    def tell(message: str, error: BaseException | None) -> None:
        LOGGER.log(logging.INFO if error is None else logging.ERROR, message, exc_info=error)
        if is_beyond_repair(error):
            os._exit(1)  # a database that gave itself up comes back with the next process

    with open_answering(
        Path(told.path),
        memory=told.memory,
        threads=told.threads,
        clock=now,
        chance=os.urandom,
        durable=lambda: durable[0],
        tell=tell,
        metadata_url=told.metadata_url,
        erase_within=told.erase_within,
        changes_days=told.changes_days,
        audit_days=told.audit_days,
    ) as data:
        deliverer = Deliverer(data.live.feed, data.metadata.webhooks, post, now, os.urandom, tell)
        told.command_key.lend_to(data.metadata.keys)

        def begin_again() -> None:
            again.set()
            data.keeper.begin_to_stop()
            server.should_exit = True

        cleaning = data.cleaning
        reading = Reading(data, Policy(rate=told.rate, body_bytes=told.body_bytes, oidc=told.oidc), now)
        app, scheduler = make_reading_app(reading), Scheduler(selecting_of(reading), tell)

        async def state(request: Request) -> Response:
            durable[0] = max(durable[0], int(request.query_params["durable"]))
            cleaning.sealed(int(request.query_params["sealed"]))
            keeper = data.keeper
            reached = {"loaded": keeper.loaded, "attributed": keeper.attributed, "failure": keeper.failure}
            log = {"seal_to": cleaning.seal_to, "at_the_log": cleaning.at_the_log}
            return answer(200, {**reached, **log, "webhooks": deliverer.progress})

        async def first_variants(request: Request) -> Response:
            asked = msgspec.json.decode(await request.body(), type=AskedFirst)
            return answer(200, await asyncio.to_thread(data.first_variants, asked.campaign_id, asked.users))

        async def doors(_request: Request) -> Response:
            return answer(200, entrances((*ASKING, DESCRIPTION)))

        app.router.routes.insert(0, Route(STATE, state))
        app.router.routes.insert(0, Route(ENTRANCES, doors))
        app.router.routes.insert(0, Route(FIRST_VARIANTS, first_variants, methods=["POST"]))
        config = uvicorn.Config(
            app,
            uds=told.socket,
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            ws="none",
            timeout_graceful_shutdown=STOP_SECONDS,
        )
        server = _Server(config)
        threading.Thread(target=_stop_at_end, args=(server, data.keeper), daemon=True).start()
        search_seldom()
        cleaning.start(in_process_of_its_own(Path(told.path) / LOG), begin_again)
        deliverer.start()
        scheduler.start()
        try:
            server.run()
        finally:
            scheduler.stop()
            cleaning.stop()
            deliverer.stop()
    return again.is_set()


class _Server(uvicorn.Server):
    """Ends when it is told to, and by no signal: Ctrl-C reaches both processes, and the other one decides."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin, with enough threads."""
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(ANSWERED_AT_ONCE, "afterword-answer"))
        await super().startup(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Let signals be."""
        yield


def _stop_at_end(server: uvicorn.Server, keeper: Keeper) -> None:
    """Stop when the other process says so, or ends, however it does."""
    sys.stdin.read()
    keeper.begin_to_stop()
    server.should_exit = True


if __name__ == "__main__":
    sys.exit(main())
