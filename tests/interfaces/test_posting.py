"""Sending to receivers that do not do what receivers do."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from afterword.interfaces.posting import post
from afterword.workspace.deliveries import Answered, NotSent


@contextmanager
def answering(with_: Callable[[socket.socket], None], *, reads: bool = True) -> Iterator[str]:
    """Give the URL of a server that takes the head of one request and then does as it is told."""

    def serve() -> None:
        with suppress(OSError):
            connection, _ = listening.accept()
            with connection:
                if reads:
                    connection.recv(65536)
                with_(connection)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
    thread.join()


def drip(connection: socket.socket, data: bytes) -> None:
    with suppress(OSError):
        for byte in data * 100:
            connection.sendall(bytes([byte]))
            time.sleep(0.05)


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        pytest.param(b"HTTP/1.1 204 No Content\r\n\r\n", Answered(204), id="no-content"),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", Answered(200), id="continue"),
        pytest.param(b"HTTP/1.1 301 M\r\nlocation: http://x/\r\ncontent-length: 0\r\n\r\n", Answered(301), id="moved"),
        pytest.param(b"HTTP/1.1 429 T\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n", Answered(429, "7"), id="busy"),
        pytest.param(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf", Answered(200), id="half-a-body"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (1 << 20), Answered(200), id="endless-body"),
    ],
)
def test_the_status_is_what_counts(sent: bytes, expected: Answered) -> None:
    with answering(lambda connection: connection.sendall(sent)) as url:
        assert post(url, {}, b"{}") == expected


@pytest.mark.parametrize(
    ("does", "sentence"),
    [
        pytest.param(lambda c: None, "no connection to the receiver", id="closes"),
        pytest.param(lambda c: c.sendall(b"hello\r\n\r\n"), "what the receiver answered is no HTTP", id="no-http"),
        pytest.param(lambda c: time.sleep(0.7), "there was no answer within 0.3 s", id="hangs"),
        pytest.param(lambda c: drip(c, b"HTTP/1.1 200 OK\r\nx: y\r\n"), "there was no answer within 0.3 s", id="drips"),
        pytest.param(lambda c: c.sendall(b"HTTP/1.1 200 OK\r\n"), "no connection to the receiver", id="half-a-head"),
    ],
)
def test_without_an_answer_it_is_said_why(does: Callable[[socket.socket], None], sentence: str) -> None:
    with answering(does) as url, pytest.raises(NotSent, match=sentence):
        post(url, {}, b"{}", 0.3)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("http://nowhere.invalid/", "the name of the receiver cannot be looked up"),
        ("http://127.0.0.1:1/", "no connection to the receiver: Connection refused"),
    ],
)
def test_who_is_not_there_is_said(url: str, sentence: str) -> None:
    with pytest.raises(NotSent, match=sentence):
        post(url, {}, b"{}")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
def test_a_certificate_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = f"openssl req -x509 -newkey rsa:2048 -nodes -keyout {key} -out {certificate} -days 2 -subj /CN=localhost"
    subprocess.run([*made.split(), "-addext", "subjectAltName=DNS:localhost"], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    def answer(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            secure.recv(65536)
            secure.sendall(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n")

    with answering(answer, reads=False) as url, pytest.raises(NotSent, match="the certificate of the receiver is not"):
        post(_secure(url), {}, b"{}")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with answering(answer, reads=False) as url:
        assert post(_secure(url), {}, b"{}") == Answered(202)


def _secure(url: str) -> str:
    return url.replace("http://127.0.0.1", "https://localhost")


def test_a_receiver_without_tls_is_said() -> None:
    no_tls = pytest.raises(NotSent, match="no TLS with the receiver")
    with answering(lambda c: c.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as url, no_tls:
        post(url.replace("http:", "https:"), {}, b"{}")
