"""`afterword serve`: opens the data directory, answers until it is told to stop, and leaves everything loaded."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Callable
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

    def failed(error: BaseException) -> None:
        LOGGER.error("loading has stopped", exc_info=error)

    with open_data_directory(
        data, memory=memory, threads=threads, clock=now, chance=os.urandom, failed=failed
    ) as opened:
        server = Server(opened, policy, now)
        config = uvicorn.Config(
            make_app(server),
            host=host,
            port=port,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=STOP_SECONDS,
            lifespan="off",
            ws="none",
        )
        listening = _listen(config)
        address = "http://{}:{}".format(*listening.getsockname()[:2])
        say(f"Afterword listens at {address}; its data is in {data}. Stop it with Ctrl-C.")
        if (secret := opened.first_key) is not None:
            say(_first_steps(address, secret))
        uvicorn.Server(config).run(sockets=[listening])


def _listen(config: uvicorn.Config) -> Any:
    """Bind the socket, so that a port in use is one sentence and not a traceback."""
    try:
        return config.bind_socket()
    except SystemExit:
        raise UserError(
            f"cannot listen on {config.host}:{config.port}: is something else using the port? Name another with --port"
        ) from None


def _first_steps(address: str, secret: str) -> str:
    event = (
        '{"user_id": "u-1", "kind": "purchase", "occurred_at": "2026-01-31T12:00:00Z", "price": 9, "currency": "EUR"}'
    )
    return f"""
An admin key, shown this once: {secret}

Send a first event:

  curl {address}/api/events -H "Authorization: Bearer {secret}" -d '{event}'
"""
