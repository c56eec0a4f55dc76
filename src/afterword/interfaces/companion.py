"""The other process as the one that takes facts in sees it: started, asked how far it is, started again."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import h11
import msgspec

from afterword.errors import UserError
from afterword.interfaces.api.entrances import Entrance
from afterword.interfaces.api.faults import Refused
from afterword.interfaces.api.forwarding import UNAVAILABLE, exchange
from afterword.interfaces.two_processes import AGAIN, ENTRANCES, FIRST_VARIANTS, STATE, AskedFirst
from afterword.log import LogError
from afterword.workspace.backlog import Backlog, Progress

LOGGER = logging.getLogger("afterword")
COMMAND: tuple[str, ...] = (sys.executable, "-m", "afterword.interfaces.answering")
POLL_SECONDS = 0.1
ASK_SECONDS = 30.0
"""How long an answer about its state may take before the other process is asked again."""
STOP_SECONDS = 30.0
AGAIN_SECONDS = 2.0
RENEWING = "the facts' file is being freed of persons who were erased"


class Companion:
    """Keeps the process that answers running, and the backlog up to date."""

    def __init__(
        self,
        socket: Path,
        configuration: Callable[[int], str],
        durable: Callable[[], int],
        seal: Callable[[], int],
        backlog: Backlog,
        learn: Callable[[list[Entrance]], None],
    ) -> None:
        """Prepare; nothing is started yet.

        Args:
            socket: where the other process listens.
            configuration: given the position of the log, what the other process must know, in one line.
            durable: up to where the log may be read.
            seal: completes the last segment of the log and returns where the next one begins.
            backlog: told how far the other process is.
            learn: told, after each start, who may ask it.

        """
        self._socket = socket
        self._configuration = configuration
        self._durable = durable
        self._seal = seal
        self._sealed = 0
        self._backlog = backlog
        self._learn = learn
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep it running inside; it is stopped at the end, and killed if that takes too long."""
        task = asyncio.create_task(self._keep())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await self._stop()

    async def _keep(self) -> None:
        while True:
            try:
                process = await self._start()
            except OSError as error:
                await self._failed_to_start(error)
                continue
            asking = asyncio.create_task(self._ask())
            try:
                code = await process.wait()
            finally:
                asking.cancel()
            if self._stopping:
                return
            assert process.stdout is not None
            if code == AGAIN:
                self._backlog.lost(None, RENEWING, renewing=True)
                continue
            said = (await process.stdout.read()).decode(errors="replace").strip()
            # What will not be mended by waiting must not be added to.
            self._backlog.lost(said or "its log says why" if code == UserError.exit_code else None, said)
            LOGGER.error("the process that answers ended with code %s; it is started again", code)
            await asyncio.sleep(AGAIN_SECONDS)

    async def _start(self) -> asyncio.subprocess.Process:
        with suppress(FileNotFoundError):
            self._socket.unlink()
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(*COMMAND, stdin=pipe, stdout=pipe)
        assert self._process.stdin is not None
        self._process.stdin.write(self._configuration(self._durable()).encode() + b"\n")
        return self._process

    async def _failed_to_start(self, error: OSError) -> None:
        """Tell of it, once for each reason, and wait: too many processes or no memory may be over soon."""
        said = (
            f"the process that answers cannot be started ({error.strerror or error}): facts wait in the log meanwhile"
        )
        if self._backlog.absent != said:
            LOGGER.error(said)
        self._backlog.lost(None, said)
        await asyncio.sleep(AGAIN_SECONDS)

    def begin_to_stop(self) -> None:
        """Let it answer what waits, and end; to be called when no more requests come."""
        self._stopping = True
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()

    async def _stop(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            LOGGER.error("the process that answers did not end within %s s and is killed", STOP_SECONDS)
            process.kill()
            await process.wait()

    async def _ask(self) -> None:
        """Tell the other process how far the log is, and hear how far it is."""
        learnt = False
        while True:
            with suppress(OSError, TimeoutError, h11.RemoteProtocolError):
                async with asyncio.timeout(ASK_SECONDS):
                    if not learnt:
                        told = await self._exchanged("GET", ENTRANCES)
                        learnt = True
                        with suppress(msgspec.MsgspecError):  # of another version: without it all else works
                            self._learn(msgspec.json.decode(told, type=list[Entrance]))
                    await self._ask_once()
            await asyncio.sleep(POLL_SECONDS)

    async def first_variants(self, campaign_id: str, users: Sequence[str]) -> Mapping[str, str]:
        """Return to which variant those of the users were first exposed that were, as far as facts are loaded.

        Raises:
            Refused: 503, the other process does not answer.

        """
        try:
            async with asyncio.timeout(ASK_SECONDS):
                body = msgspec.json.encode(AskedFirst(campaign_id, list(users)))
                return msgspec.json.decode(await self._exchanged("POST", FIRST_VARIANTS, body), type=dict[str, str])
        except (OSError, TimeoutError, h11.RemoteProtocolError, msgspec.DecodeError):
            raise Refused(503, UNAVAILABLE, {"Retry-After": "2"}) from None

    async def _exchanged(self, method: str, target: str, body: bytes = b"") -> bytes:
        told = b""
        async for event in exchange(self._socket, method, target.encode(), [], body):
            if isinstance(event, h11.Data):
                told += bytes(event.data)
        return told

    async def _ask_once(self) -> None:
        told = await self._exchanged("GET", f"{STATE}?durable={self._durable()}&sealed={self._sealed}")
        state = json.loads(told)
        self._backlog.at_the_log = state["at_the_log"]
        self._backlog.told(state["loaded"], state["attributed"], state["failure"])
        self._backlog.webhooks = {name: Progress(**progress) for name, progress in state["webhooks"].items()}
        if (wanted := state["seal_to"]) is not None and wanted > self._sealed:
            with suppress(LogError):  # it is known already that the log cannot be written
                self._sealed = await asyncio.to_thread(self._seal)
