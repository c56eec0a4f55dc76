"""Answers in JSON, in the form of each dialect."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import Any

import msgspec
from starlette.responses import Response

from afterword.interfaces.api.faults import Refused

JSON = "application/json"
INVALID = "invalid_request"


class Form(Enum):
    """Whose manners an answer has."""

    OURS = auto()
    SEGMENT = auto()


def form_of(path: str) -> Form:
    """Return the form of answers at a path."""
    return Form.SEGMENT if path.startswith("/v1/") else Form.OURS


def answer(status: int, content: Any, headers: Mapping[str, str] | None = None) -> Response:
    """Return an answer in JSON."""
    return Response(msgspec.json.encode(content), status, dict(headers or {}), JSON)


def answer_refused(form: Form, refused: Refused) -> Response:
    """Return the answer to a request that is not served."""
    if form is Form.SEGMENT:
        content = {"success": False, "code": INVALID if refused.status < 500 else "unavailable"}
        return answer(refused.status, {**content, "message": refused.message}, refused.headers)
    return answer(refused.status, {"message": refused.message}, refused.headers)
