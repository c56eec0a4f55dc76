"""The OpenAPI document: written from the operations that the routes are made from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any

import msgspec
from starlette.responses import Response

from afterword import __version__
from afterword.interfaces.api.answers import JSON, Form, form_of
from afterword.interfaces.api.braze_types import Refusal
from afterword.interfaces.api.operations import Answered, Body, Call, Guarded, Operation, Scheme
from afterword.interfaces.api.segment_types import SegmentRefusal

PATH = "/api/openapi.json"
WATCHING = "Watching the server"
OURS = "Afterword's own"
BRAZE_WRITING = "Braze-compatible: users and what they do"
BRAZE_READING = "Braze-compatible: results"
SEGMENT = "Segment's tracking API"
TAGS = {
    OURS: "Facts, campaigns and results.",
    BRAZE_WRITING: "Paths, fields and answers of Braze's REST API.",
    BRAZE_READING: "Paths, fields and answers of Braze's REST API.",
    SEGMENT: "What Segment's libraries send.",
    WATCHING: "For who looks after the server.",
}
ABOUT = """\
Afterword measures conversion events: what did people do after they got a message. Facts go in, exact results come out
within seconds. Every path says which permission the key needs. Afterword is not affiliated with Braze, Inc. or with
Twilio Segment.
"""
RETRY = {"Retry-After": {"description": "seconds to wait", "schema": {"type": "string"}}}
TEXT = {"type": "string"}
_SCHEMAS = "#/components/schemas/{name}"


def described(others: Sequence[Operation[Any]]) -> Operation[Guarded]:
    """Return the operation that answers with the document of all others and of itself."""

    @cache
    def content() -> bytes:
        return msgspec.json.encode(document([*others, operation]))

    async def handle(_server: Guarded, _call: Call) -> Response:
        return Response(content(), media_type=JSON)

    answers = (Answered(200, "the document", dict[str, Any]),)
    operation: Operation[Guarded] = Operation("GET", PATH, "This description, as OpenAPI 3.1", handle, OURS, answers)
    return operation


def document(operations: Iterable[Operation[Any]]) -> dict[str, Any]:
    """Return the document."""
    operations = list(operations)
    schema_of, schemas = _schemas(operations)
    paths: dict[str, dict[str, Any]] = {}
    for each in operations:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each, schema_of)
    schemes: dict[str, Scheme] = {each.scheme.name: each.scheme for each in operations}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Afterword", "version": __version__, "description": ABOUT, "license": {"name": "Apache-2.0"}},
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": about} for name, about in TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {name: dict(scheme.about) for name, scheme in schemes.items()},
        },
    }


SchemaOf = Callable[[Any], dict[str, Any]]


def _schemas(operations: Sequence[Operation[Any]]) -> tuple[SchemaOf, dict[str, Any]]:
    types: list[Any] = [Refusal, SegmentRefusal]
    for each in operations:
        types += [given.type for given in each.answers if given.type is not None]
        types += [] if each.body is None else [each.body.type]
    found, components = msgspec.json.schema_components(types, ref_template=_SCHEMAS)

    def schema_of(wanted: Any) -> dict[str, Any]:
        return next(dict(schema) for known, schema in zip(types, found, strict=True) if known == wanted)

    return schema_of, components


def _operation(each: Operation[Any], schema_of: SchemaOf) -> dict[str, Any]:
    permission = each.permission
    needs = f"Needs the permission `{permission}`." if permission else "Needs no key."
    found: dict[str, Any] = {
        "operationId": each.name,
        "summary": each.summary,
        "description": f"{each.about}\n\n{needs}".strip(),
        "tags": [each.tag],
        # The roles of a scheme that is not OAuth: what the key must be allowed.
        "security": [{each.scheme.name: [str(permission)]}] if permission else [],
        "responses": _responses(each, schema_of),
    }
    if each.parameters:
        found["parameters"] = [
            {
                "name": one.name,
                "in": one.place,
                "required": one.required,
                "description": one.about,
                "schema": one.schema,
            }
            for one in each.parameters
        ]
    if each.body is not None:
        found["requestBody"] = {"required": True, "content": _content_of_body(each.body, schema_of)}
    return found


def _content_of_body(body: Body, schema_of: SchemaOf) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for media in body.media:
        content[media] = {"schema": schema_of(body.type) if media == JSON else TEXT}
    content[body.media[0]]["example"] = body.example
    return content


def _responses(each: Operation[Any], schema_of: SchemaOf) -> dict[str, Any]:
    refusal = schema_of(SegmentRefusal if form_of(each.path) is Form.SEGMENT else Refusal)
    found = {given.status: _response(given, schema_of) for given in each.answers}
    for status, about in each.refused.items():
        found[status] = {
            "description": about,
            "content": {JSON: {"schema": refusal}},
            **({"headers": RETRY} if status in (429, 503) else {}),
        }
    return {str(status): found[status] for status in sorted(found)}


def _response(given: Answered, schema_of: SchemaOf) -> dict[str, Any]:
    if given.media is None:
        return {"description": given.about}
    content: dict[str, Any] = {"schema": {"type": "string"} if given.type is None else schema_of(given.type)}
    if given.example is not None:
        content["example"] = given.example
    return {"description": given.about, "content": dict.fromkeys((given.media, *given.others), content)}
