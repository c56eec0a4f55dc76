"""Holds every answer that tests get against what the API says about itself."""

from __future__ import annotations

from typing import Any

import httpx
import msgspec
from starlette.routing import Match

from afterword.interfaces.api.answers import JSON, Form, form_of
from afterword.interfaces.api.app import DESCRIBED
from afterword.interfaces.api.braze_types import Refusal
from afterword.interfaces.api.operations import Answered, DescribedRoute, Operation, keep_apart
from afterword.interfaces.api.segment_types import SegmentRefusal

OPERATIONS = DESCRIBED


async def _nothing(_request: Any) -> Any:
    raise AssertionError("this route only finds its operation")


ROUTES = tuple(DescribedRoute(each, _nothing) for each in OPERATIONS)
keep_apart(ROUTES)
FAULT = 500
"""Not described: it is never meant to happen, but where a test asks for a fault."""


def operation_of(method: str, path: str, raw_path: bytes = b"") -> Operation[Any] | None:
    """Return the operation that answers; None if nothing does."""
    scope = {"type": "http", "method": method, "path": path, "raw_path": raw_path, "root_path": ""}
    found = next((route.operation for route in ROUTES if route.matches(scope)[0] is Match.FULL), None)
    return None if found is None or found.method != method else found  # HEAD has no body to look at


def check(response: httpx.Response) -> None:
    """Fail for an answer that is not described: its status, its type, or a field that is missing or too much."""
    request = response.request
    operation = operation_of(request.method, request.url.path, request.url.raw_path.partition(b"?")[0])
    if operation is None:
        return
    response.read()
    answered = answered_of(operation, response.status_code)
    where = f"{request.method} {operation.path} {response.status_code}"
    assert answered is not None, f"{where} is not described: {response.text[:200]}"
    assert response.headers.get("content-type") in (answered.media, *answered.others), where
    if answered.type is not None:
        assert_conforms(msgspec.json.decode(response.content), answered.type, where)


def answered_of(operation: Operation[Any], status: int) -> Answered | None:
    """Return what is said about an answer with this status."""
    for each in operation.answers:
        if each.status == status:
            return each
    if status not in operation.refused and status != FAULT:
        return None
    segment = form_of(operation.path) is Form.SEGMENT
    return Answered(status, "", SegmentRefusal if segment else Refusal, media=JSON)


def assert_conforms(content: Any, kind: Any, where: str) -> None:
    """Fail for content that is not of a type, or has fields that the type does not name."""
    found = msgspec.to_builtins(msgspec.convert(content, kind))
    # What the type does not name is left out by reading.
    assert found == content, f"{where} has more fields than are described"
