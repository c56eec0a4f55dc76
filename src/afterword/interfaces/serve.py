"""`afterword serve`: opens the data directory, answers until it is told to stop, and leaves everything loaded."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from afterword.errors import UserError
from afterword.interfaces.api.app import make_app
from afterword.interfaces.api.server import Policy, Server
from afterword.workspace.data_directory import open_data_directory

KEEP_ALIVE = 75
"""Seconds; shorter than what clients assume, they see connections reset."""
STOP_SECONDS = 10
BACKLOG = 2048
LOGGER = logging.getLogger("afterword")


def now() -> int:
    """Return the time in microseconds since 1970."""
    return time.time_ns() // 1000


class _Lines(logging.Formatter):
    """One JSON object per line and problem."""

    def format(self, record: logging.LogRecord) -> str:
        told: dict[str, Any] = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        if record.exc_info:
            told["trace"] = self.formatException(record.exc_info)
        return json.dumps(told, ensure_ascii=False)


def log_to_stderr() -> None:
    """Write what the server has to say to standard error, structured."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines())
    for name in ("afterword", "uvicorn", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(logging.INFO if name == "afterword" else logging.WARNING)


def serve(
    data: Path,
    host: str,
    port: int,
    memory: str | None,
    threads: int | None,
    say: Callable[[str], None],
    policy: Policy,
) -> None:
    """Serve a data directory until SIGINT or SIGTERM.

    Args:
        data: the directory, made if it is not there.
        host: the address to listen on.
        port: the port; 0 takes a free one.
        memory: for the database and attribution, such as "4GB".
        threads: how many; all cores if None.
        say: prints what the user must know at the start.
        policy: limits.

    Raises:
        UserError: the address or the directory cannot be used.

    """
    log_to_stderr()
    # Before the directory is opened: at the first start its admin key is shown once, and must not be lost to a port.
    with (
        closing(_listen(host, port)) as listening,
        open_data_directory(data, memory=memory, threads=threads, clock=now, chance=os.urandom, tell=_tell) as opened,
    ):
        if (cut := opened.log.cut) is not None:
            LOGGER.warning("%s: the last %d bytes were no whole request and were cut off", cut.path, cut.size)
        address = _address(listening)
        say(f"Afterword listens at {address}; its data is in {data}. Stop it with Ctrl-C.")
        if (secret := opened.first_key) is not None:
            say(_first_steps(address, secret))
        config = uvicorn.Config(
            make_app(Server(opened, policy, now)),
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=STOP_SECONDS,
            lifespan="off",
            ws="none",
        )
        with _stopped_by_signals():
            _Uvicorn(config, opened.keeper.begin_to_stop).run(sockets=[listening])


def _tell(message: str, error: BaseException | None) -> None:
    LOGGER.log(logging.INFO if error is None else logging.ERROR, message, exc_info=error)


class _Uvicorn(uvicorn.Server):
    """Lets nobody wait for results any more once it is told to stop."""

    def __init__(self, config: uvicorn.Config, stopping: Callable[[], None]) -> None:
        super().__init__(config)
        self._stopping = stopping

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer what is under way, and end."""
        self._stopping()
        await super().shutdown(sockets)


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """Take the signals that uvicorn sends again when it has ended: they would end the process with its work undone."""
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _listen(host: str, port: int) -> socket.socket:
    """Take the port for good; requests wait in the queue until the data are open."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except (OSError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UserError(
            f"cannot listen on {host}:{port} ({reason}): is something else using the port? Name another with --port"
        ) from None


def _address(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _first_steps(address: str, secret: str) -> str:
    event = (
        '{"user_id": "u-1", "kind": "purchase", "occurred_at": "2026-01-31T12:00:00Z", "price": 9, "currency": "EUR"}'
    )
    return f"""
An admin key, shown this once: {secret}

Send a first event:

  curl {address}/api/events -H "Authorization: Bearer {secret}" -d '{event}'
"""
