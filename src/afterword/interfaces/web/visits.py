"""Who asks for a page, and what was sent with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import Response

from afterword.interfaces.api.faults import Refused, bad_request
from afterword.interfaces.api.server import Answers
from afterword.interfaces.oidc.pending import Pending
from afterword.interfaces.oidc.provider import Provider
from afterword.interfaces.web.guesses import Guesses
from afterword.store.accounts import Account, Role
from afterword.store.sessions import SignedIn

COOKIE = "afterword_session"
PATIENCE_SECONDS, MAX_WAIT_SECONDS = 0.03, 30.0
CSRF_FIELD, CSRF_HEADER = "csrf", "x-csrf-token"
MAX_FIELDS = 5000


@dataclass(frozen=True, slots=True)
class Web:
    """What pages are made from."""

    server: Answers
    chance: Callable[[int], bytes]
    guesses: Guesses = field(default_factory=Guesses)
    provider: Provider | None = None
    """By which people sign in, where that is set."""
    pending: Pending | None = None
    """Who is at the provider."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A request for a page."""

    path: str
    query: Mapping[str, Sequence[str]]
    form: Mapping[str, Sequence[str]]
    """What was sent with POST; empty otherwise."""
    now: int
    """Epoch microseconds."""
    secure: bool
    """Whether it came by https."""
    part: bool
    """Whether a script of the page asks for a part of it."""
    secret: str | None
    """What the cookie holds."""
    signed_in: SignedIn | None
    client: str = ""
    """The network address that the request came from; empty if that is not known."""
    cookies: Mapping[str, str] = field(default_factory=dict)
    """All that the browser sent, such as what was chosen to be shown."""
    patience: float = PATIENCE_SECONDS
    """For how many seconds new numbers are waited for before older ones are shown."""

    @property
    def account(self) -> Account:
        """Who asks, on pages that need a role."""
        assert self.signed_in is not None
        return self.signed_in.account

    @property
    def role(self) -> Role:
        """What they may do."""
        return self.account.role

    def asked(self, name: str, default: str = "") -> str:
        """Return a parameter of the address, the last where it is there more than once."""
        return self.query.get(name, [default])[-1]

    def sent(self, name: str, default: str = "") -> str:
        """Return a field of the form, without white space around it."""
        return self.form.get(name, [default])[-1].strip()

    def must_ask(self, name: str) -> str:
        """Return a parameter of the address.

        Raises:
            Refused: 400 it is not there.

        """
        if not (value := self.asked(name)):
            raise bad_request(f'the address lacks "{name}"')
        return value

    @property
    def address(self) -> str:
        """The address asked for, without the host."""
        pairs = [(name, value) for name, values in self.query.items() for value in values]
        return self.path + (f"?{urlencode(pairs)}" if pairs else "")


def fields(text: bytes | str) -> dict[str, list[str]]:
    """Read the fields of a form or of an address.

    Raises:
        Refused: 400 too many of them, or no UTF-8.

    """
    try:
        decoded = text.decode() if isinstance(text, bytes) else text
        pairs = parse_qsl(decoded, keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except ValueError as error:
        raise bad_request(f"the form cannot be read ({error})") from None
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


def patience_of(request: Request) -> float:
    """Return how long who asks would wait, by `Prefer: wait=SECONDS` (RFC 7240, section 4.3), else a moment."""
    for preference in request.headers.get("prefer", "").split(","):
        name, _, value = preference.partition(";")[0].partition("=")
        if name.strip().lower() == "wait" and value.strip().isdecimal():
            return min(float(value), MAX_WAIT_SECONDS)
    return PATIENCE_SECONDS


def same_site(request: Request) -> bool:
    """Return whether a request that changes something comes from our own pages, as far as the browser says."""
    if (site := request.headers.get("sec-fetch-site")) is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("origin")
    return origin is None or origin.partition("://")[2] == request.headers.get("host")


def keep_session(response: Response, secret: str, visit: Visit) -> Response:
    """Put a session into the browser's cookie."""
    response.set_cookie(COOKIE, secret, httponly=True, samesite="lax", secure=visit.secure, path="/")
    return response


def need(visit: Visit, role: Role) -> None:
    """Refuse who may not do something.

    Raises:
        Refused: 403.

    """
    if not visit.role.includes(role):
        raise Refused(403, f"this needs the role {role.value}; yours is {visit.role.value}")
