"""From the process that takes facts in to the one that answers: requests are handed on over a local socket."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

import h11
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from afterword.interfaces.api.bodies import read_body
from afterword.interfaces.api.entrances import Entrances
from afterword.interfaces.api.faults import Refused
from afterword.interfaces.api.server import Policy
from afterword.interfaces.two_processes import CLIENT, SCHEME
from afterword.workspace.backlog import Backlog

SECONDS = 300.0
"""How long an answer may take to begin, a report over much or an export, and each part of it to be taken."""
PATIENCE_SECONDS, RETRY_SECONDS = 15.0, 0.1
CHUNK = 1 << 16
OWN = frozenset({b"connection", b"keep-alive", b"transfer-encoding", b"content-length", b"host", b"expect", b"upgrade"})
"""Headers that belong to one connection."""
RENEWING = "results are away for a moment, while persons who were erased leave the facts' file: come again"
UNAVAILABLE = "the process that answers is starting or was just lost: come again"


class Forwarder:
    """An ASGI application that lets another process answer; one connection per request."""

    def __init__(self, socket: Path, policy: Policy, backlog: Backlog, entrances: Entrances) -> None:
        """Prepare.

        Args:
            socket: of the other process.
            policy: how large and slow a body may be.
            backlog: whether the other process is there.
            entrances: refuses for it while it is not.

        """
        self._socket = socket
        self._policy = policy
        self._backlog = backlog
        self._entrances = entrances

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand one request on and its answer back."""
        request = Request(scope, receive)
        if scope["path"].startswith("/internal/"):
            raise Refused(404, f"there is nothing at {scope['path'][:100]}")
        if not self._backlog.heard:
            self._entrances.check(request)
        if self._backlog.renewing:
            raise Refused(503, RENEWING, {"Retry-After": "5"})
        body = await read_body(request, self._policy.body_bytes, self._policy.body_seconds)
        target = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
        left_out = OWN - {b"host"} | {b"content-encoding", CLIENT.encode(), SCHEME.encode()}
        headers = [(name, value) for name, value in scope["headers"] if name not in left_out]
        host, _ = scope.get("client") or ("", 0)
        headers += [(CLIENT.encode(), host.encode()), (SCHEME.encode(), scope["scheme"].encode())]
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)
            limit.reschedule(asyncio.get_running_loop().time() + SECONDS)

        try:
            async with asyncio.timeout(SECONDS) as limit:
                await self._exchange(scope["method"], target, headers, body, sending)
        except (ConnectionError, FileNotFoundError, h11.RemoteProtocolError):
            if started:
                raise  # half an answer is out: the connection ends, which says so
            self._entrances.check(request)
            raise Refused(503, UNAVAILABLE, {"Retry-After": "2"}) from None
        except TimeoutError:
            if started:
                raise
            raise Refused(504, f"there was no answer within {SECONDS:g} s") from None

    async def _exchange(
        self, method: str, target: bytes, headers: list[tuple[bytes, bytes]], body: bytes, send: Send
    ) -> None:
        async for event in exchange(self._socket, method, target, headers, body):
            if isinstance(event, h11.Response):
                kept = [each for each in event.headers if each[0] not in OWN - {b"content-length"} | {b"date"}]
                await send({"type": "http.response.start", "status": event.status_code, "headers": kept})
            elif isinstance(event, h11.Data):
                await send({"type": "http.response.body", "body": bytes(event.data), "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def exchange(socket: Path, method: str, target: bytes, headers: list[tuple[bytes, bytes]], body: bytes) -> Any:
    """Yield h11's events of the answer to a request over a local socket.

    Raises:
        ConnectionError: nobody listens, or the other process went away.

    """
    reader, writer = await _connected(socket)
    try:
        connection = h11.Connection(h11.CLIENT)
        framing = [(b"content-length", str(len(body)).encode()), (b"connection", b"close")]
        if not any(name == b"host" for name, _ in headers):
            framing.append((b"host", b"afterword"))
        request = h11.Request(method=method, target=target, headers=[*headers, *framing])
        parts = [connection.send(request), connection.send(h11.Data(data=body)), connection.send(h11.EndOfMessage())]
        writer.write(b"".join(part for part in parts if part))
        await writer.drain()
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                data = await reader.read(CHUNK)
                connection.receive_data(data)
                if not data and connection.their_state in (h11.IDLE, h11.SEND_RESPONSE):
                    raise ConnectionError(UNAVAILABLE)
                continue
            if isinstance(event, h11.EndOfMessage | h11.ConnectionClosed):
                return
            yield event
    finally:
        writer.close()


async def _connected(socket: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect; a process that has just been started needs a moment until it listens."""
    for _ in range(int(PATIENCE_SECONDS / RETRY_SECONDS)):
        with suppress(ConnectionError, FileNotFoundError):
            return await asyncio.open_unix_connection(str(socket))
        await asyncio.sleep(RETRY_SECONDS)
    return await asyncio.open_unix_connection(str(socket))
