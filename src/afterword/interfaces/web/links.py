"""Addresses of pages. Names and ids go into parameters, where any character may stand."""

from __future__ import annotations

from urllib.parse import quote, urlencode


def link(path: str, **parameters: str | None) -> str:
    """Return an address; a parameter that is None or empty is left out."""
    given = {name: value for name, value in parameters.items() if value}
    return path + (f"?{urlencode(given, quote_via=quote)}" if given else "")


def own(address: str, otherwise: str = "/") -> str:
    """Return an address if it is one of ours, so that nobody is sent elsewhere by a link."""
    ours = address.startswith("/") and not address.startswith(("//", "/\\")) and address.isprintable()
    return address if ours and "\\" not in address else otherwise
