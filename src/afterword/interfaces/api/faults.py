"""What an answer says when a request cannot be served: one sentence, and the status that says whose fault it is."""

from __future__ import annotations

from collections.abc import Mapping


class Refused(Exception):
    """A request that is not served; each dialect puts status and sentence into its own form."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = dict(headers or {})


def bad_request(message: str) -> Refused:
    """Return the refusal of a request that is wrong as a whole."""
    return Refused(400, message)
