"""What the API does, one `Operation` for each path and method: how it is answered, and what is said about it.

The routes are made from operations, and so is the OpenAPI document (`openapi`). What a description says is what
holds: the permission is asked for here, a parameter that is not described does not reach the code that answers, and
a body is read up to the limit that is named.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar
from urllib.parse import unquote
from weakref import WeakKeyDictionary

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Scope

from afterword.interfaces.api.access import basic, bearer
from afterword.interfaces.api.answers import JSON
from afterword.interfaces.api.audited import AUDITED, Audited
from afterword.interfaces.api.bodies import read_body
from afterword.interfaces.api.parameters import Parameter, Parameters
from afterword.interfaces.api.server import Policy
from afterword.store.keys import Key
from afterword.store.permissions import Permission


class Guarded(Protocol):
    """What every server has, whatever it answers."""

    @property
    def policy(self) -> Policy:
        """Limits."""

    def key(self, request: Request, secret: str | None, permission: Permission) -> tuple[Key, dict[str, str]]:
        """Return the key that may do this, and the headers about its rate."""

    def note(self, key: Key, audited: Audited, call: Call, response: Response) -> None:
        """Write into the audit log what was done; raises `MetadataUnavailable` if persons must not be told unseen."""


S = TypeVar("S")
T = TypeVar("T")
S_contra = TypeVar("S_contra", bound=Guarded, contravariant=True)


@dataclass(frozen=True, slots=True)
class Scheme:
    """Where a request has its key."""

    name: str
    about: Mapping[str, str]
    """The security scheme of the document."""
    secret: Callable[[Request], str | None]
    """Finds the key."""


BEARER = Scheme("key", {"type": "http", "scheme": "bearer", "description": "`Authorization: Bearer KEY`"}, bearer)
BASIC = Scheme(
    "writeKey",
    {"type": "http", "scheme": "basic", "description": "the key as the user's name, with an empty password"},
    basic,
)


@dataclass(frozen=True, slots=True)
class Body:
    """The body of a request."""

    type: Any
    """What msgspec makes the schema from."""
    example: Any
    media: tuple[str, ...] = (JSON,)
    limit: Callable[[Policy], int] = lambda policy: policy.body_bytes
    """How many bytes there may be, decompressed."""


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer that an operation may give."""

    status: int
    about: str
    type: Any = None
    """What msgspec makes the schema from; None where the answer is no JSON."""
    example: Any = None
    media: str | None = JSON
    """None where there is no body."""
    others: tuple[str, ...] = ()
    """Other media types, which a request may ask for."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request that is let in."""

    request: Request
    parameters: Parameters
    """Those of the URL that the operation describes."""
    limit: int
    seconds: float
    _key: Key | None = None
    noting: dict[str, Any] = field(default_factory=dict)
    """What the handler has the audit log say besides (`audited`)."""

    @property
    def key(self) -> Key:
        """Whose request it is, where the operation has a permission."""
        assert self._key is not None
        return self._key

    @property
    def id(self) -> str:
        """What `{id}` of the path stands for."""
        return str(self.request.path_params["id"])

    async def body(self) -> bytes:
        """Read the body; raises as `read_body`."""
        return await read_body(self.request, self.limit, self.seconds)


@dataclass(frozen=True, slots=True)
class Operation(Generic[S_contra]):
    """A path and a method."""

    method: str
    path: str
    summary: str
    handle: Callable[[S_contra, Call], Awaitable[Response]]
    tag: str
    answers: tuple[Answered, ...]
    permission: Permission | None = None
    """What a key needs; None where none is asked for."""
    parameters: tuple[Parameter, ...] = ()
    body: Body | None = None
    refusals: Mapping[int, str] = field(default_factory=dict)
    """When it is refused, besides what goes for all operations with a key or a body."""
    scheme: Scheme = BEARER
    about: str = ""

    def route(self, server: S_contra) -> DescribedRoute:
        """Return the route that a server answers by."""
        known = tuple(each.name for each in self.parameters)
        secret, permission = self.scheme.secret, self.permission
        limit = 0 if self.body is None else self.body.limit(server.policy)
        seconds = server.policy.body_seconds
        audited = AUDITED.get(f"{self.method} {self.path}")

        async def answered(request: Request) -> Response:
            key, headers = None, dict[str, str]()
            if permission is not None:
                key, headers = server.key(request, secret(request), permission)
            asked = request.query_params if known and request.scope["query_string"] else {}
            parameters = {name: asked[name] for name in known if name in asked}
            call = Call(request, parameters, limit, seconds, key)
            response = await self.handle(server, call)
            if audited is not None and key is not None and response.status_code < 400:
                await asyncio.to_thread(server.note, key, audited, call, response)
            response.raw_headers += [(name.encode(), value.encode()) for name, value in headers.items()]
            return response

        return DescribedRoute(self, answered)

    @property
    def refused(self) -> dict[int, str]:
        """When a request is refused, by status; what is among `answers` is not here."""
        found = dict[int, str]()
        if self.permission is not None:
            found |= {401: "no valid key", 403: f"the key lacks the permission `{self.permission}`"}
            found |= {429: "too many requests with this key", 503: "not now"}
        if self.parameters:
            found |= {400: "a parameter that cannot be read"}
        if self.body is not None:
            most = self.body.limit(Policy())
            found |= {400: "a body that cannot be read", 408: "a body that comes too slowly"}
            found |= {413: f"a body of more than {most:,} bytes", 415: "a content encoding other than gzip"}
        found |= self.refusals
        given = {each.status for each in self.answers}
        return {status: found[status] for status in sorted(found) if status not in given}

    @property
    def name(self) -> str:
        """A name for clients that are generated."""
        words = self.path.replace("{", "").replace("}", "").replace("-", "_").replace(".", "_").split("/")
        return "_".join([self.method.lower(), *filter(None, words)])


class DescribedRoute(Route):
    """The route of an operation."""

    def __init__(self, operation: Operation[Any], endpoint: Callable[[Request], Awaitable[Response]]) -> None:
        super().__init__(operation.path, endpoint, methods=[operation.method], name=operation.name)
        self.operation = operation
        self.answered = endpoint
        self.others: frozenset[str] = frozenset()
        """Paths of other operations that this one's would match as well, its parameters being any text."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match as a route does, but leave the wrong methods of other operations to them.

        A slash that was sent as `%2F` is part of an id, and none of the path.
        """
        if scope["type"] != "http":
            return super().matches(scope)
        if b"%2F" not in (raw := scope.get("raw_path", b"").upper()) or b"%00" in raw:
            return (Match.NONE, {}) if scope["path"] in self.others else super().matches(scope)
        path = "/".join(unquote(part).replace("/", "\0") for part in scope["raw_path"].decode("latin-1").split("/"))
        found, child = super().matches({**scope, "path": path})
        texts = {name: value.replace("\0", "/") for name, value in child.get("path_params", {}).items()}
        return found, {**child, "path_params": texts} if child else child


def keep_apart(routes: Sequence[DescribedRoute]) -> None:
    """Let the routes of one server know of each other, see `DescribedRoute.others`."""
    for route in routes:
        route.others = frozenset(other.path for other in routes if other.path != route.path)


class PerServer(Generic[S, T]):
    """What operations keep for each server: made when it is first asked for, gone with the server."""

    def __init__(self, make: Callable[[S], T]) -> None:
        """Take what makes it for a server; it must not hold on to the server itself."""
        self._make = make
        self._made: WeakKeyDictionary[S, T] = WeakKeyDictionary()

    def of(self, server: S) -> T:
        """Return what is kept for a server."""
        if server not in self._made:
            self._made[server] = self._make(server)
        return self._made[server]
