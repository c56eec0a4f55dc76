"""Who asks: the key of a request, from the header that its dialect uses."""

from __future__ import annotations

import base64
import binascii

from starlette.requests import Request

from afterword.interfaces.api.headers import header


def bearer(request: Request) -> str | None:
    """Return the key of `Authorization: Bearer KEY`."""
    scheme, _, secret = (header(request.scope, b"authorization") or "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" and secret.strip() else None


def basic(request: Request) -> str | None:
    """Return the write key of `Authorization: Basic`, where it is the user's name and the password is empty."""
    scheme, _, coded = (header(request.scope, b"authorization") or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, _, _ = base64.b64decode(coded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return name or None


def shown(secret: str | None) -> str:
    """Return as much of a key as an answer or a log may show: enough to tell which, not enough to use."""
    if not secret:
        return "(none)"
    return f"{secret[:6]}…" if len(secret) > 12 else "…"
