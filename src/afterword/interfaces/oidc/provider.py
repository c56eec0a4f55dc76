"""A provider: what it says of itself, its keys, and what it gives for a code.

OpenID Connect Core 1.0, Discovery 1.0; OAuth 2.0 (RFC 6749) with PKCE (RFC 7636) and the issuer in the answer
(RFC 9207). Everything is asked within a time and a size, and nothing is redirected (`posting.ask`).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from afterword.errors import UserError
from afterword.interfaces.oidc.settings import Oidc, checked_address
from afterword.interfaces.oidc.tokens import Keys, NotBelieved, checked_claims, read_keys
from afterword.interfaces.posting import ask
from afterword.workspace.deliveries import NotSent

HOUR = 3600 * 1_000_000
SECONDS = 5.0
AT_ONCE, PATIENCE_SECONDS = 2, 2.0
"""So many requests at once: a provider that hangs must not take all threads that draw pages."""
ADDRESS = frozenset(("email", "email_verified"))
BASIC, POST = "client_secret_basic", "client_secret_post"


class ProviderFailed(UserError):
    """The provider cannot be reached or says what no provider says; an HTTP interface answers 502."""


@dataclass(frozen=True, slots=True)
class Described:
    """What a provider says of itself."""

    authorization: str
    token: str
    keys: str
    userinfo: str
    """Empty where there is none."""
    by_post: bool
    """Whether it wants the secret in the body."""
    names_issuer: bool
    """Whether it names itself in every answer."""
    asked_at: int


class Provider:
    """The provider of a server. May be used by several threads."""

    def __init__(self, oidc: Oidc, seconds: float = SECONDS) -> None:
        """Take what is set, and how long the provider may take for each answer."""
        self.oidc = oidc
        self._seconds = seconds
        self._lock = threading.Lock()
        self._described: Described | None = None
        self._keys: tuple[Keys, int] | None = None
        self._places = threading.BoundedSemaphore(AT_ONCE)

    def address(self, state: str, nonce: str, verifier: str, now: int) -> str:
        """Return where somebody is sent to sign in; raises `ProviderFailed`."""
        from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
        from authlib.oauth2.rfc7636 import create_s256_code_challenge

        oidc = self.oidc
        return str(
            prepare_grant_uri(
                self.described(now).authorization,
                oidc.client_id,
                "code",
                redirect_uri=oidc.back,
                scope=oidc.scope,
                state=state,
                nonce=nonce,
                code_challenge=create_s256_code_challenge(verifier),
                code_challenge_method="S256",
            )
        )

    def check_sender(self, issuer: str, now: int) -> None:
        """Refuse an answer that another provider sent (RFC 9207); raises `NotBelieved`."""
        if issuer != self.oidc.issuer and (issuer or self.described(now).names_issuer):
            raise NotBelieved("the answer comes from another provider")

    def claims(self, code: str, nonce: str, verifier: str, now: int) -> dict[str, Any]:
        """Return what the provider vouches for about who brings a code.

        Raises:
            ProviderFailed: it cannot be asked.
            NotBelieved: it does not take the code, or what it gives does not hold.

        """
        told = self._exchanged(code, verifier, now)
        token, access = told.get("id_token"), told.get("access_token")
        if not isinstance(token, str):
            raise NotBelieved("the provider gave no id_token")
        access = access if isinstance(access, str) else ""
        claims = checked_claims(token, self._keys_for(now), self.oidc, nonce, access, now)
        more = self._more(claims, access, now)
        merged = {**more, **claims}
        if not claims.keys() >= ADDRESS and "email" in more:  # one of the two says nothing about the other's address
            merged |= {name: more.get(name) for name in ADDRESS}
        return merged

    def described(self, now: int) -> Described:
        """Return what the provider says of itself, at most an hour ago; raises `ProviderFailed`."""
        found = self._described
        if found is not None and 0 <= now - found.asked_at < HOUR:
            return found
        url = self.oidc.issuer.rstrip("/") + "/.well-known/openid-configuration"
        told = self._got(url, {})
        if told.get("issuer") != self.oidc.issuer:
            raise ProviderFailed(f"the provider calls itself {str(told.get('issuer'))[:200]}, not {self.oidc.issuer}")
        methods = told.get("token_endpoint_auth_methods_supported", [BASIC])
        self._described = Described(
            authorization=_endpoint(told, "authorization_endpoint"),
            token=_endpoint(told, "token_endpoint"),
            keys=_endpoint(told, "jwks_uri"),
            userinfo=_endpoint(told, "userinfo_endpoint") if told.get("userinfo_endpoint") else "",
            by_post=isinstance(methods, list) and BASIC not in methods and POST in methods,
            names_issuer=told.get("authorization_response_iss_parameter_supported") is True,
            asked_at=now,
        )
        return self._described

    def _exchanged(self, code: str, verifier: str, now: int) -> dict[str, Any]:
        from authlib.oauth2.auth import ClientAuth
        from authlib.oauth2.rfc6749.parameters import prepare_token_request

        described, oidc = self.described(now), self.oidc
        method = "none" if not oidc.client_secret else POST if described.by_post else BASIC
        body = prepare_token_request("authorization_code", redirect_uri=oidc.back, code=code, code_verifier=verifier)
        headers = {"accept": "application/json", "content-type": "application/x-www-form-urlencoded"}
        auth = ClientAuth(oidc.client_id, oidc.client_secret, method)
        url, headers, body = auth.prepare("POST", described.token, headers, body)
        status, told = self._asked("POST", url, headers, body.encode())
        if status != 200:
            raise NotBelieved(f"the provider does not take the code ({_error(told, status)})")
        return told

    def _keys_for(self, now: int) -> Callable[[bool], Keys]:
        """Return what gives the provider's keys, asked anew where a token names one that is not among them."""

        def keys(anew: bool) -> Keys:
            with self._lock:
                there = self._keys
            if there is not None and not anew and 0 <= now - there[1] < HOUR:
                return there[0]
            try:
                found = read_keys(self._got(self.described(now).keys, {}))
            except ValueError:
                raise ProviderFailed("the keys of the provider cannot be read") from None
            with self._lock:
                self._keys = found, now
            return found

        return keys

    def _more(self, claims: Mapping[str, Any], access: str, now: int) -> dict[str, Any]:
        """Return what the provider tells only when it is asked (Core 5.4), where something is missing."""
        role, url = self.oidc.role_claim, self.described(now).userinfo
        has_role = not role or role in claims or role.partition(".")[0] in claims
        if not url or not access or (has_role and claims.keys() >= ADDRESS):
            return {}
        told = self._got(url, {"authorization": f"Bearer {access}"})
        if told.get("sub") != claims["sub"]:
            raise NotBelieved("what the provider tells is about somebody else (sub)")
        return told

    def _got(self, url: str, headers: Mapping[str, str]) -> dict[str, Any]:
        status, told = self._asked("GET", url, {"accept": "application/json", **headers})
        if status != 200:
            raise ProviderFailed(f"the provider {self.oidc.name} answered {_error(told, status)}")
        return told

    def _asked(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b""
    ) -> tuple[int, dict[str, Any]]:
        if not self._places.acquire(timeout=PATIENCE_SECONDS):
            raise ProviderFailed(f"the provider {self.oidc.name} is slow to answer others: try again")
        try:
            reply = ask(method, url, headers, body, self._seconds, who="provider")
        except NotSent as error:
            raise ProviderFailed(f"the provider {self.oidc.name} cannot be asked: {error}") from None
        finally:
            self._places.release()
        try:
            told = json.loads(reply.body)
        except (ValueError, RecursionError):
            told = None
        if isinstance(told, dict):
            return reply.status, told
        if reply.status == 200:
            raise ProviderFailed(f"the provider {self.oidc.name} answered with what is no JSON object")
        return reply.status, {}


def _endpoint(told: Mapping[str, Any], name: str) -> str:
    url = told.get(name)
    if not isinstance(url, str):
        raise ProviderFailed(f"the provider names no {name}")
    try:  # an endpoint may have a query of its own
        checked_address(name, url.partition("?")[0])
    except UserError as error:
        raise ProviderFailed(f"the provider's {error}") from None
    return url


def _error(told: Mapping[str, Any], status: int) -> str:
    error = told.get("error")
    shown = error if isinstance(error, str) and error.isascii() and error.isprintable() else ""
    return f"{shown[:60]}, {status}" if shown else str(status)
