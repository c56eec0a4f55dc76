"""Whoever answers for a data directory: the server that has it open, or this process, which then opens it itself.

Either way a command asks the same API, so what it prints is the same.
"""

from __future__ import annotations

import asyncio
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from afterword.errors import UserError
from afterword.interfaces.client import Api, Sent, ServerFailed, error_of, find_server
from afterword.interfaces.moments import now

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Scope

PATIENCE_SECONDS, RETRY_SECONDS = 15.0, 0.25
"""For another command that has the directory open, and for a server that starts."""
PIECES = 8
"""Of an answer, which are made before the first is taken."""
UNLIMITED = 1 << 40


@contextmanager
def api_of(
    data: Path, *, memory: str | None = None, threads: int | None = None, metadata_url: str | None = None
) -> Iterator[Api]:
    """Have the API of a data directory inside; no server can start on it meanwhile.

    Args:
        data: the data directory.
        memory: such as "4GB", where this process opens it.
        threads: all cores if None, where this process opens it.
        metadata_url: where campaigns and keys are kept, if not in the directory.

    Raises:
        UserError: there is no data directory, it cannot be opened, or what is in its log cannot be loaded.

    """
    with ExitStack() as stack:
        # A server that is there spares the command what opens a directory.
        yield find_server(data) or _opened_or_found(stack, lambda: _opened(data, memory, threads, metadata_url), data)


def _opened_or_found(stack: ExitStack, opened: Callable[[], AbstractContextManager[Api]], data: Path) -> Api:
    from afterword.store.metadata import FILE_NAME as METADATA
    from afterword.workspace.data_directory import LOG, DirectoryHeld

    if not ((data / LOG).exists() or (data / METADATA).exists()):
        raise UserError(f"there is no data directory at {data}: name one with --data")
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return stack.enter_context(opened())
        except DirectoryHeld as error:
            if time.monotonic() > until:
                raise UserError(f"{data} is open in a process that answers no commands: {error}") from None
        time.sleep(RETRY_SECONDS)
        if (server := find_server(data)) is not None:
            return server


@contextmanager
def _opened(data: Path, memory: str | None, threads: int | None, metadata_url: str | None) -> Iterator[Api]:
    from afterword.interfaces.api.app import make_app
    from afterword.interfaces.api.limits import Rate
    from afterword.interfaces.api.server import Policy, Server
    from afterword.interfaces.command_key import make_command_key
    from afterword.workspace.answering import open_data_directory

    problems: list[str] = []
    with open_data_directory(
        data,
        memory=memory,
        threads=threads,
        clock=now,
        chance=os.urandom,
        tell=lambda message, _error: problems.append(message),
        metadata_url=metadata_url,
        with_key=False,  # it would be shown to nobody
    ) as opened:
        if not opened.keeper.caught_up(None):
            raise UserError(f"what is in the log cannot be loaded: {'; '.join(problems)}")
        key, secret = make_command_key(os.urandom)
        key.lend_to(opened.metadata.keys)
        policy = Policy(rate=Rate(UNLIMITED, 1.0), track_rate=Rate(UNLIMITED, 1.0))
        with asyncio_thread() as loop:
            yield InProcess(make_app(Server(opened, policy, now)), loop, secret)


@contextmanager
def asyncio_thread() -> Iterator[asyncio.AbstractEventLoop]:
    """Have an event loop running in a thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="afterword-api", daemon=True)
    thread.start()
    try:
        yield loop
    finally:
        asyncio.run_coroutine_threadsafe(loop.shutdown_default_executor(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class InProcess(Api):
    """The application asked without HTTP, in the words of ASGI."""

    def __init__(self, app: ASGIApp, loop: asyncio.AbstractEventLoop, key: str) -> None:
        """Take the application, where it runs, and a key to it."""
        self._app = app
        self._loop = loop
        self._key = key

    @contextmanager
    def exchange(self, sent: Sent) -> Iterator[Iterator[bytes]]:
        """Have it answered while the pieces are taken."""
        call = _Call(sent, self._key)
        future = asyncio.run_coroutine_threadsafe(call.run(self._app), self._loop)
        try:
            status = call.status()
            if status >= 400:
                raise error_of(status, b"".join(call.pieces(self._loop)))
            yield call.pieces(self._loop)
        finally:
            future.cancel()


class _Call:
    """One request to the application, and its answer on the way to another thread."""

    def __init__(self, sent: Sent, key: str) -> None:
        headers = {"authorization": f"Bearer {key}", **{name.lower(): value for name, value in sent.headers.items()}}
        headers["content-length"] = str(len(sent.body))
        path, _, query = sent.target.partition("?")
        self._body: bytes | None = sent.body
        self._scope: Scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": sent.method,
            "scheme": "http",
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            "client": None,
            "server": None,
            "state": {},
        }
        self._started: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._pieces: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._room = asyncio.Semaphore(PIECES)
        self._failed = False

    async def run(self, app: ASGIApp) -> None:
        """Have it answered."""
        try:
            await app(self._scope, self._receive, self._send)
        except Exception:  # the application has logged it
            self._failed = True
        finally:
            self._started.put(500)
            self._pieces.put(None)

    def status(self) -> int:
        """Return the status as soon as it is known."""
        return self._started.get()

    def pieces(self, loop: asyncio.AbstractEventLoop) -> Iterator[bytes]:
        """Return the body piece by piece."""
        while (piece := self._pieces.get()) is not None:
            loop.call_soon_threadsafe(self._room.release)
            yield piece
        if self._failed:
            raise ServerFailed("the answer ended early by a fault of ours: what was logged says how")

    async def _receive(self) -> Message:
        if self._body is None:
            await asyncio.Event().wait()  # nobody disconnects here
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._started.put(message["status"])
        elif message.get("body"):
            await self._room.acquire()
            self._pieces.put(bytes(message["body"]))
