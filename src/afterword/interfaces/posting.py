"""Sending one request to somebody else's server: within a time, without redirects, and reading little of the answer.

Webhooks make nothing of the answer's body; signing in by a provider reads it.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

import h11

from afterword.workspace.deliveries import Answered, NotSent

SECONDS = 10.0
READ_BYTES = 64 << 10
"""How much of an answer is read; nothing is made of its body."""
CHUNK = 1 << 14
REPLY_BYTES = 512 << 10
"""How large an answer may be whose body is read, with its headers."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer."""

    status: int
    body: bytes


class _Deadline:
    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Return how many seconds are left; raises `TimeoutError`."""
        if (seconds := self._end - time.monotonic()) <= 0:
            raise TimeoutError
        return seconds


def post(url: str, headers: Mapping[str, str], body: bytes, seconds: float = SECONDS) -> Answered:
    """Send a POST and return the status that was answered.

    Args:
        url: http or https, as `store.webhooks.checked_url` has checked it.
        headers: besides those of the connection.
        body: what is sent.
        seconds: how long all of it may take, but for the look-up of the name.

    Raises:
        NotSent: nobody answered in time, or not in HTTP.

    """
    with _told_apart("receiver", seconds):
        deadline = _Deadline(seconds)
        with _connected(url, deadline) as connection:
            return _exchange(connection, _request("POST", url, headers, body), deadline)


def ask(
    method: str, url: str, headers: Mapping[str, str], body: bytes = b"", seconds: float = SECONDS, who: str = "server"
) -> Reply:
    """Send a request and return the whole answer, up to `REPLY_BYTES`; `who` is what errors call the other side.

    Raises:
        NotSent: nobody answered in time, not in HTTP, or with more than that.

    """
    with _told_apart(who, seconds):
        deadline = _Deadline(seconds)
        with _connected(url, deadline) as connection:
            return _reply(connection, _request(method, url, headers, body), deadline, who)


@contextmanager
def _told_apart(who: str, seconds: float) -> Iterator[None]:
    try:
        yield
    except TimeoutError:
        raise NotSent(f"there was no answer within {seconds:g} s") from None
    except ssl.SSLCertVerificationError as error:
        raise NotSent(f"the certificate of the {who} is not valid: {error.verify_message}") from None
    except ssl.SSLError as error:
        raise NotSent(f"no TLS with the {who}: {error.reason or type(error).__name__}") from None
    except socket.gaierror:
        raise NotSent(f"the name of the {who} cannot be looked up") from None
    except OSError as error:
        raise NotSent(f"no connection to the {who}: {error.strerror or type(error).__name__}") from None
    except h11.RemoteProtocolError:
        raise NotSent(f"what the {who} answered is no HTTP") from None


def _connected(url: str, deadline: _Deadline) -> socket.socket:
    parts = urlsplit(url)
    host, secure = parts.hostname or "", parts.scheme == "https"
    connection = socket.create_connection((host, parts.port or (443 if secure else 80)), deadline.left())
    if not secure:
        return connection
    try:
        connection.settimeout(deadline.left())
        return ssl.create_default_context().wrap_socket(connection, server_hostname=host)
    except BaseException:
        connection.close()
        raise


def _request(method: str, url: str, headers: Mapping[str, str], body: bytes) -> tuple[h11.Request, bytes]:
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    framing = {"host": parts.netloc, "content-length": str(len(body)), "connection": "close"}
    return h11.Request(method=method, target=target, headers=[*framing.items(), *headers.items()]), body


def _exchange(connection: socket.socket, request: tuple[h11.Request, bytes], deadline: _Deadline) -> Answered:
    protocol = _sent(connection, request, deadline)
    events = _events(connection, protocol, deadline, READ_BYTES)
    response = next((event for event in events if isinstance(event, h11.Response)), None)
    if response is None:
        raise ConnectionError(0, "it was closed before there was an answer")
    # The status says it all; the rest is read so that the receiver is not cut off in its middle.
    with suppress(OSError, h11.RemoteProtocolError):
        for _ in events:
            pass
    asked = next((value for name, value in response.headers if name == b"retry-after"), None)
    return Answered(response.status_code, None if asked is None else asked.decode("latin-1"))


def _reply(connection: socket.socket, request: tuple[h11.Request, bytes], deadline: _Deadline, who: str) -> Reply:
    status, parts = 0, []
    for event in _events(connection, _sent(connection, request, deadline), deadline, REPLY_BYTES):
        if isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            parts.append(bytes(event.data))
        elif isinstance(event, h11.EndOfMessage):
            return Reply(status, b"".join(parts))
    raise NotSent(f"the {who} answered with more than {REPLY_BYTES >> 10} KiB, or not to the end")


def _sent(connection: socket.socket, request: tuple[h11.Request, bytes], deadline: _Deadline) -> h11.Connection:
    protocol = h11.Connection(h11.CLIENT)
    head, body = request
    parts = [protocol.send(head), protocol.send(h11.Data(data=body)), protocol.send(h11.EndOfMessage())]
    connection.settimeout(deadline.left())
    connection.sendall(b"".join(part for part in parts if part))
    return protocol


def _events(connection: socket.socket, protocol: h11.Connection, deadline: _Deadline, most: int) -> Iterator[object]:
    """Yield what comes in until the answer ends, or is longer than anybody needs."""
    read = 0
    while read <= most:
        event = protocol.next_event()
        if event is h11.NEED_DATA:
            connection.settimeout(deadline.left())
            data = connection.recv(CHUNK)
            read += len(data)
            protocol.receive_data(data)
            if not data and protocol.their_state in (h11.IDLE, h11.SEND_RESPONSE):
                return
        else:
            yield event
            if isinstance(event, h11.EndOfMessage | h11.ConnectionClosed):
                return
