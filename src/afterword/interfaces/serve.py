"""`afterword serve`: opens the data directory, answers until it is told to stop, and leaves everything loaded."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from afterword.errors import UserError
from afterword.interfaces.api.entrances import Entrances
from afterword.interfaces.api.forwarding import Forwarder
from afterword.interfaces.api.receiving import make_receiving_app
from afterword.interfaces.api.server import Policy, Receiving
from afterword.interfaces.command_key import make_command_key
from afterword.interfaces.companion import Companion
from afterword.interfaces.garbage import search_seldom
from afterword.interfaces.logs import log_to_stderr
from afterword.interfaces.moments import now
from afterword.interfaces.running import Running, announced
from afterword.interfaces.two_processes import Configuration
from afterword.interfaces.upkeep import LogUpkeep, Upkeep
from afterword.log import LogError
from afterword.settings import memory_bytes, thread_count
from afterword.store.metadata import Metadata
from afterword.workspace.backlog import Backlog
from afterword.workspace.data_directory import facts_are_missing, open_intake
from afterword.workspace.reopened_log import ReopenedLog

LAST_PORT = 65_535
SWITCH_SECONDS = 0.001
"""How long the thread that syncs the log may wait for the one that reads requests; it is in every answer."""
GC_OBJECTS = 100_000
"""New objects between two searches for garbage; requests make many objects and no cycles."""
KEEP_ALIVE = 75
"""Seconds; shorter than what clients assume, they see connections reset."""
STOP_SECONDS = 10
BACKLOG = 2048
MEND_SECONDS = 2.0
LOGGER = logging.getLogger("afterword")
_UPKEEP = Upkeep()


class PortTaken(UserError):
    """The address cannot be listened on; another one perhaps can."""


@dataclass(frozen=True)
class Front:
    """What the process that takes facts in holds of a data directory."""

    path: Path
    log: ReopenedLog
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
    upkeep: Upkeep = _UPKEEP,
    greeting: Callable[[str], str] | None = None,
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
        upkeep: how long the log is kept, and erased persons in it.
        metadata_url: a database for campaigns and keys instead of a file in the directory.
        greeting: given the address, what else is said at the start.

    Raises:
        PortTaken: the address cannot be listened on.
        UserError: the directory cannot be used.

    """
    if not 0 <= port <= LAST_PORT:
        raise UserError(f"port is {port}, must be between 0 (any that is free) and {LAST_PORT}")
    # Who uses these two is the other process, which would be started again and again over a mistake.
    memory_bytes(memory)
    thread_count(threads, 1)
    log_to_stderr()
    search_seldom(GC_OBJECTS)
    sys.setswitchinterval(SWITCH_SECONDS)
    with (
        # Before the directory is opened: at its first start an admin key is shown once, and must not be lost to a port.
        closing(_listen(host, port)) as listening,
        open_intake(
            data, clock=now, chance=os.urandom, metadata_url=metadata_url, segment_bytes=upkeep.segment_bytes
        ) as intake,
        tempfile.TemporaryDirectory(prefix="afterword-socket-") as place,
    ):
        if (said := facts_are_missing(data, intake.log)) is not None:
            LOGGER.warning(said)
        if (cut := intake.log.cut) is not None:
            LOGGER.warning("%s: the last %d bytes were no whole request and were cut off", cut.path, cut.size)
        address = _address(listening)
        say(f"Afterword listens at {address}; its data is in {data}. Stop it with Ctrl-C.")
        if (secret := intake.first_key) is not None:
            say(_first_steps(_local(listening), secret))
        if greeting is not None:
            say(greeting(address))
        command_key, command_secret = make_command_key(os.urandom)
        command_key.lend_to(intake.metadata.keys)
        local = Path(place) / "answering"
        backlog = Backlog(intake.log.durable, now)
        companion = Companion(
            local,
            lambda durable: Configuration(
                str(data.resolve()),
                str(local),
                memory,
                threads,
                metadata_url,
                policy.rate,
                policy.changes_days,
                policy.audit_days,
                policy.body_bytes,
                durable,
                command_key,
                upkeep.erase_within,
                policy.nice,
                policy.oidc,
            ).line(),
            lambda: intake.log.durable,
            intake.log.seal,
            backlog,
            lambda told: entrances.learn(told),
        )
        server = Receiving(
            Front(intake.path, intake.log, intake.metadata, backlog), policy, now, companion.first_variants
        )
        entrances = Entrances(server)
        keeping = LogUpkeep(intake.log, backlog, upkeep, now, server.metrics)

        @asynccontextmanager
        async def running() -> AsyncIterator[None]:
            tasks = [asyncio.create_task(_keep_mending(intake.log)), asyncio.create_task(keeping.run())]
            try:
                async with companion.running():
                    yield
            finally:
                for task in tasks:
                    task.cancel()

        config = uvicorn.Config(
            make_receiving_app(server, Forwarder(local, policy, backlog, entrances), running),
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=STOP_SECONDS,
            lifespan="on",
            ws="none",
            forwarded_allow_ips=policy.trusted_proxies,
        )
        with _stopped_by_signals(), announced(data, Running(_local(listening), os.getpid(), command_secret)):
            _Uvicorn(config, companion.begin_to_stop).run(sockets=[listening])


class _Uvicorn(uvicorn.Server):
    """Lets nobody wait for results any more once it is told to stop."""

    def __init__(self, config: uvicorn.Config, stopping: Callable[[], None]) -> None:
        super().__init__(config)
        self._stopping = stopping

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer what is under way, and end."""
        self._stopping()
        await super().shutdown(sockets)


async def _keep_mending(log: ReopenedLog) -> None:
    """Open the log again after it has failed, as soon as that can be."""
    told = ""
    while True:
        await asyncio.sleep(MEND_SECONDS)
        try:
            if await asyncio.to_thread(log.mend):
                LOGGER.info("the log was opened again after it had failed")
                told = ""
        except (LogError, OSError) as error:
            if told != (told := str(error)):
                LOGGER.error("the log cannot be opened again yet: %s", error)


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
    except OSError as error:
        # What the library adds to the system's words is what this sentence says anyway.
        reason = str(error).partition(" (while")[0].partition("] ")[2] or error
        raise PortTaken(
            f"cannot listen on {host}:{port} ({reason}): is something else using the port? Name another with --port"
        ) from None


def _address(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _local(listening: socket.socket) -> str:
    """Return an address by which this machine reaches it."""
    every = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}
    host, port = listening.getsockname()[:2]
    return f"http://{every[host]}:{port}" if host in every else _address(listening)


def _first_steps(address: str, secret: str) -> str:
    event = (
        '{"user_id": "u-1", "kind": "purchase", "occurred_at": "2026-01-31T12:00:00Z", "price": 9, "currency": "EUR"}'
    )
    return f"""
An admin key, shown this once: {secret}

Send a first event:

  curl {address}/api/events -H "Authorization: Bearer {secret}" -d '{event}'
"""
