"""How a command goes through the server that has its data directory open: finds it, asks it, and takes its errors on.

if (server := find_server(data)) is not None:
report = server.get("/api/campaigns/cart-rescue/report")
"""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse, IncompleteRead
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from afterword.errors import AfterwordError, UserError
from afterword.interfaces.running import FILE_NAME, Running, is_alive, read_running

HEALTH_SECONDS = 5.0
ANSWER_SECONDS = 310.0
"""A little longer than the server gives an answer, so that it is the server that says what took too long."""
PATIENCE_SECONDS = 30.0
"""How long a server that says to come again is asked again."""
LATER = (429, 503)
PIECE_BYTES = 1 << 16
Query = Mapping[str, str | int | None]


class ServerRefused(UserError):
    """The server will not do it (4xx), and says why."""

    def __init__(self, message: str, status: int, answer: Any) -> None:
        super().__init__(message)
        self.status = status
        self.answer = answer
        """The whole answer, decoded where it was JSON."""


class ServerFailed(AfterwordError):
    """The server could not do it (5xx), or went away: `status` is None then."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class Api(ABC):
    """The server's API, asked over HTTP or in this process; an id in a path is `quoted`.

    All methods raise `ServerRefused` and `ServerFailed`. Query values that are None are left out.
    """

    def get(self, path: str, query: Query | None = None) -> Any:
        """Return the decoded answer."""
        return self.ask("GET", path, query=query)

    def post(self, path: str, content: Any = None, query: Query | None = None) -> Any:
        """Send JSON, or bytes as they are, and return the decoded answer."""
        return self.ask("POST", path, content, query=query)

    def ask(
        self,
        method: str,
        path: str,
        content: Any = None,
        *,
        query: Query | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Send a request and return the decoded answer."""
        with self.opened(method, path, content, query=query, headers=headers) as pieces:
            body = b"".join(pieces)
        return json.loads(body) if body else None

    @contextmanager
    def opened(
        self,
        method: str,
        path: str,
        content: Any = None,
        *,
        query: Query | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Iterator[Iterator[bytes]]:
        """Send a request and have the body of the answer inside, piece by piece."""
        body = content if isinstance(content, bytes) or content is None else json.dumps(content).encode()
        named = {name: str(value) for name, value in (query or {}).items() if value is not None}
        target = f"{path}?{urlencode(named)}" if named else path
        with self.exchange(Sent(method, target, body or b"", dict(headers or {}))) as pieces:
            yield pieces

    @abstractmethod
    def exchange(self, sent: Sent) -> AbstractContextManager[Iterator[bytes]]:
        """Hand a request over."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A request, without the key."""

    method: str
    target: str
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Server(Api):
    """A server that runs on this machine, and the key to it."""

    directory: Path
    running: Running
    patience: float = PATIENCE_SECONDS
    """Seconds for which a server that cannot yet (429, 503) is asked again; that is safe, it has done nothing."""
    seconds: float = ANSWER_SECONDS
    """For which it may be silent."""

    @contextmanager
    def exchange(self, sent: Sent) -> Iterator[Iterator[bytes]]:
        """Send it over HTTP."""
        with closing(_connection(self.running.address, self.seconds)) as connection:
            with self._errors_of_ours():
                response = self._answer(connection, sent)
                refused = response.read() if response.status >= 400 else None
            if refused is not None:
                raise self._error(response.status, refused)
            yield self._pieces(response)

    def _answer(self, connection: HTTPConnection, sent: Sent) -> HTTPResponse:
        until = time.monotonic() + self.patience
        headers = {"Authorization": f"Bearer {self.running.key}", **sent.headers}
        while True:
            connection.request(sent.method, sent.target, sent.body or None, headers)
            response = connection.getresponse()
            if response.status not in LATER or (wait := _wait(response)) > until - time.monotonic():
                return response
            response.read()
            connection.close()  # it opens again by itself; the server may have closed it in the meantime
            time.sleep(wait)

    def _pieces(self, response: HTTPResponse) -> Iterator[bytes]:
        while True:
            with self._errors_of_ours():
                piece = response.read(PIECE_BYTES)
                if not piece and response.length:  # http.client does not mind an answer that ends early
                    raise IncompleteRead(b"", response.length)
            if not piece:
                return
            yield piece

    @contextmanager
    def _errors_of_ours(self) -> Iterator[None]:
        try:
            yield
        except TimeoutError:
            raise ServerFailed(f"the server at {self.running.address} was silent for {self.seconds:g} s") from None
        except (OSError, HTTPException) as error:
            why = str(error) or type(error).__name__
            message = f"the server at {self.running.address} went away ({why}): look at its log"
            raise ServerFailed(message) from None

    def _error(self, status: int, body: bytes) -> AfterwordError:
        error = error_of(status, body)
        if status != 401:
            return error
        return ServerRefused(
            f"the server at {self.running.address} is not the one that wrote {self.directory / FILE_NAME}: "
            "remove that file if no server has the directory open",
            status,
            None,
        )


def error_of(status: int, body: bytes) -> ServerRefused | ServerFailed:
    """Return what an answer of 400 or more means to a command."""
    try:
        answer = json.loads(body)
        message = str(answer["message"])
    except (ValueError, KeyError, TypeError):
        answer, message = None, f"the server answered with status {status}"
    return ServerFailed(message, status) if status >= 500 else ServerRefused(message, status, answer)


def find_server(directory: Path) -> Server | None:
    """Return the server that has a data directory open, None if none runs.

    A file that was left by a server that was killed is recognised: its process is gone, or nothing of ours answers at
    its address. A server that is just starting or stopping is not found; the directory is locked all the same.

    Raises:
        UserError: a server's file may not be read.

    """
    running = read_running(directory)
    if running is None or not is_alive(running.pid) or not _is_healthy(running.address):
        return None
    return Server(directory, running)


def quoted(part: str) -> str:
    """Return an id as a part of a path."""
    return quote(part, safe="")


def _is_healthy(address: str) -> bool:
    try:
        with closing(_connection(address, HEALTH_SECONDS)) as connection:
            connection.request("GET", "/healthz")
            told = json.loads(connection.getresponse().read(4096))
    except (OSError, HTTPException, ValueError):
        return False
    return isinstance(told, dict) and told.get("status") == "alive"


def _connection(address: str, seconds: float) -> HTTPConnection:
    """Connect straight, whatever the environment says of proxies: the server is on this machine."""
    parts = urlsplit(address)
    return HTTPConnection(parts.hostname or "", parts.port, timeout=seconds)


def _wait(response: HTTPResponse) -> float:
    """Return after how many seconds the server wants to be asked again."""
    told = response.headers.get("Retry-After", "")
    return max(0.1, float(told)) if told.isdigit() else float("inf")
