"""A small OpenID Connect provider on loopback: real HTTP, real signatures, and whatever a test has it do wrong."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "afterword", "s3cret-of-the-client"


@dataclass
class Code:
    """What was asked for with a code."""

    nonce: str
    challenge: str
    back: str


@dataclass
class Provider:
    """The provider; tests change its fields between two attempts."""

    address: str
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "one"}))
    published: list[dict[str, Any]] = field(default_factory=list)
    """The keys that it tells; empty for the one that it signs by."""
    claims: dict[str, Any] = field(default_factory=dict)
    """Of who signs in; None leaves one out."""
    header: dict[str, Any] = field(default_factory=dict)
    """Changes of the token's header; with `alg` of none or HS256 it is signed by nothing or by the public key."""
    userinfo: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    broken: dict[str, bytes] = field(default_factory=dict)
    """Answers to paths that are no decent answers."""
    codes: dict[str, Code] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    """The paths that were asked for."""

    @property
    def issuer(self) -> str:
        return self.address

    def reset(self, address: str, subject: str, /, **claims: Any) -> None:
        """Be decent again, and let somebody sign in."""
        usual = {"sub": subject, "email": address, "email_verified": True, "name": address.split("@")[0]}
        self.claims = usual | claims
        self.userinfo = {"sub": self.claims["sub"]}
        self.header, self.metadata, self.broken, self.published = {}, {}, {}, []

    def discovery(self) -> dict[str, Any]:
        each = {f"{name}_endpoint": f"{self.address}/{name}" for name in ("authorization", "token", "userinfo")}
        return {"issuer": self.issuer, **each, "jwks_uri": f"{self.address}/keys", **self.metadata}

    def authorize(self, asked: dict[str, str]) -> str:
        """Return where the browser is sent back to."""
        assert (asked["response_type"], asked["client_id"], asked["code_challenge_method"]) == ("code", CLIENT, "S256")
        assert "openid" in asked["scope"].split()
        code = f"code-{len(self.codes)}"
        self.codes[code] = Code(asked["nonce"], asked["code_challenge"], asked["redirect_uri"])
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    def exchange(self, sent: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        """Give tokens for a code."""
        name, _, secret = b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
        code = self.codes.pop(sent.get("code", ""), None)
        challenge = base64url(hashlib.sha256(sent.get("code_verifier", "").encode()).digest())
        if (unquote(name), unquote(secret)) != (CLIENT, SECRET):
            return 401, {"error": "invalid_client"}
        if code is None or challenge != code.challenge or sent["redirect_uri"] != code.back:
            return 400, {"error": "invalid_grant"}
        return 200, {"access_token": "access", "token_type": "Bearer", "id_token": self.token(code.nonce)}

    def token(self, nonce: str) -> str:
        now = int(time.time())
        usual = {"iss": self.issuer, "aud": CLIENT, "exp": now + 300, "iat": now, "nonce": nonce}
        claims = {name: value for name, value in (usual | self.claims).items() if value is not None}
        header = {"alg": "RS256", "kid": self.key.kid, **self.header}
        if header["alg"] == "RS256":
            return jwt.encode(header, claims, self.key)
        signed = ".".join(base64url(json.dumps(each).encode()) for each in (header, claims))
        secret = self.key.as_pem(private=False)
        mac = hmac.digest(secret, signed.encode(), "sha256") if header["alg"] == "HS256" else b""
        return f"{signed}.{base64url(mac)}"


def base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


class Handler(BaseHTTPRequestHandler):
    provider: Provider

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.provider.asked.append(parts.path)
        if parts.path == "/authorization":
            self.send_response(302)
            self.send_header("location", self.provider.authorize(asked))
            self.send_header("content-length", "0")
            self.end_headers()
            return
        told: dict[str, Any] = {
            "/.well-known/openid-configuration": self.provider.discovery(),
            "/keys": {"keys": self.provider.published or [self.provider.key.as_dict(private=False)]},
            "/userinfo": self.provider.userinfo,
        }
        self.tell(200, told[parts.path])

    def do_POST(self) -> None:
        self.provider.asked.append(self.path)
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        sent = {name: values[0] for name, values in parse_qs(body).items()}
        self.tell(*self.provider.exchange(sent, self.headers.get("authorization", "")))

    def tell(self, status: int, told: dict[str, Any]) -> None:
        body = self.provider.broken.get(urlsplit(self.path).path, json.dumps(told).encode())
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def serving_provider() -> Iterator[Provider]:
    """Run one."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider = Provider(f"http://127.0.0.1:{server.server_address[1]}")
    server.RequestHandlerClass = type("Of", (Handler,), {"provider": provider})
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
