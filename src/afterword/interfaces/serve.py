"""`afterword serve`: opens the data directory, answers until it is told to stop, and leaves everything loaded."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from afterword.errors import UserError
from afterword.interfaces.answering import Configuration
from afterword.interfaces.api.app import make_receiving_app
from afterword.interfaces.api.forwarding import Forwarder
from afterword.interfaces.api.server import Policy, Receiving
from afterword.interfaces.clock import now
from afterword.interfaces.companion import Companion
from afterword.interfaces.logs import log_to_stderr
from afterword.log import Writer
from afterword.store.metadata import Metadata
from afterword.workspace.backlog import Backlog
from afterword.workspace.data_directory import open_intake

KEEP_ALIVE = 75
"""Seconds; shorter than what clients assume, they see connections reset."""
STOP_SECONDS = 10


@dataclass(frozen=True)
class Front:
    """What the process that takes facts in holds of a data directory."""

    path: Path
    log: Writer
    metadata: Metadata
    keeper: Backlog


def serve(
    data: Path,
    host: str,
    port: int,
    memory: str | None,
    threads: int | None,
    say: Callable[[str], None],
    policy: Policy,
    metadata_url: str | None = None,
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
        metadata_url: a database for campaigns and keys instead of a file in the directory.

    Raises:
        UserError: the address or the directory cannot be used.

    """
    log_to_stderr()
    with (
        open_intake(data, clock=now, chance=os.urandom, metadata_url=metadata_url) as intake,
        tempfile.TemporaryDirectory(prefix="afterword-socket-") as place,
    ):
        socket = Path(place) / "answering"
        backlog = Backlog(intake.log.durable, now)
        companion = Companion(
            socket,
            lambda durable: Configuration(
                str(data.resolve()), str(socket), memory, threads, metadata_url, policy.rate, durable
            ).line(),
            lambda: intake.log.durable,
            backlog,
        )
        server = Receiving(Front(intake.path, intake.log, intake.metadata, backlog), policy, now)
        app = make_receiving_app(server, Forwarder(socket, policy.body_bytes), companion.running)
        config = uvicorn.Config(
            app,
            host=host,
            port=port,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=STOP_SECONDS,
            lifespan="on",
            ws="none",
        )
        listening = _listen(config)
        address = "http://{}:{}".format(*listening.getsockname()[:2])
        say(f"Afterword listens at {address}; its data is in {data}. Stop it with Ctrl-C.")
        if (secret := intake.first_key) is not None:
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
