"""Headers of a request, found without reading all of them every time."""

from __future__ import annotations

from starlette.types import Scope

_KEPT = "afterword.headers"


def header(scope: Scope, name: bytes) -> str | None:
    """Return a header of a request, the first of this name; None if there is none.

    Args:
        scope: the request's; what is found out is kept there.
        name: in lower case, as servers hand headers on.

    """
    known: dict[bytes, bytes] | None = scope.get(_KEPT)
    if known is None:
        known = scope[_KEPT] = dict(reversed(scope["headers"]))
    value = known.get(name)
    return None if value is None else value.decode("latin-1")
