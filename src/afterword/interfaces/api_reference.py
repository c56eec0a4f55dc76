"""`docs/api-reference.md`, written from the OpenAPI document: `python -m afterword.interfaces.api_reference`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from afterword.interfaces.api.app import DESCRIBED
from afterword.interfaces.api.openapi import document

_INTRODUCTION = """\
# Reference of the HTTP API

<!-- Written by `make docs` from the OpenAPI document; tests compare. -->

A server describes itself at `/api/openapi.json` (OpenAPI 3.1); this page says the same. [The HTTP API](api.md) is the
introduction.

A request with a key may also be answered 401 (no valid key), 403 (the key lacks the permission) or 429 (too many
requests with this key, with `Retry-After`). Unless something else is said an error is a
[Refusal](#refusal), in Segment's API a [SegmentRefusal](#segmentrefusal). 503 says `Retry-After`.
"""
_SAID_ABOVE = ("401", "403", "429")
_REFUSALS = ("Refusal", "SegmentRefusal")
Schema = Mapping[str, Any]


def reference() -> str:
    """Return the whole page."""
    described = document(DESCRIBED)
    parts = [_INTRODUCTION]
    for tag in described["tags"]:
        parts.append(f"## {tag['name']}\n\n{tag['description']}\n")
        parts += [
            _operation(method, path, one)
            for path, methods in described["paths"].items()
            for method, one in methods.items()
            if one["tags"] == [tag["name"]]
        ]
    parts.append("## Types\n")
    parts += [_type(name, schema) for name, schema in sorted(described["components"]["schemas"].items())]
    return "\n".join(parts)


def _operation(method: str, path: str, one: Mapping[str, Any]) -> str:
    lines = [f"### {method.upper()} {path}", "", f"{one['summary']}.", "", one["description"], ""]
    if parameters := one.get("parameters"):
        lines += ["| parameter | value | meaning |", "| --- | --- | --- |"]
        lines += [f"| `{each['name']}` | {_parameter(each)} | {_cell(each['description'])} |" for each in parameters]
        lines.append("")
    if (body := one.get("requestBody")) is not None:
        lines += _body(body["content"])
    lines += _answers(one["responses"])
    return "\n".join(lines)


def _parameter(each: Mapping[str, Any]) -> str:
    schema = each["schema"]
    told = [_value(schema)]
    if each["required"]:
        told.append("required")
    elif "default" in schema:
        told.append(f"default {json.dumps(schema['default'])}")
    return ", ".join(told)


def _body(content: Mapping[str, Mapping[str, Any]]) -> list[str]:
    first, *others = content
    more = f"; also {' and '.join(f'`{each}`' for each in others)}" if others else ""
    lines = [f"Body: {_value(content[first]['schema'])}, `{first}`{more}.", ""]
    if "example" in content[first]:
        lines += _example(content[first]["example"])
    return lines


def _answers(responses: Mapping[str, Mapping[str, Any]]) -> list[str]:
    lines = ["| answer | when | content |", "| --- | --- | --- |"]
    examples: list[str] = []
    for status, one in responses.items():
        if status in _SAID_ABOVE and _is_refusal(one):
            continue
        shown = "" if _is_refusal(one) else _content(one.get("content", {}))
        lines.append(f"| {status} | {_cell(one['description'])} | {shown} |")
        for given in one.get("content", {}).values():
            if "example" in given and not examples:
                examples = _example(given["example"])
    return [*lines, "", *examples]


def _is_refusal(one: Mapping[str, Any]) -> bool:
    schemas = [given["schema"] for given in one.get("content", {}).values()]
    return any(_name(schema) in _REFUSALS for schema in schemas)


def _content(content: Mapping[str, Mapping[str, Any]]) -> str:
    for media, given in content.items():
        return _value(given["schema"]) if media == "application/json" else f"`{media}`"
    return ""


def _example(example: Any) -> list[str]:
    if isinstance(example, str):
        return ["```text", example, "```", ""]
    return ["```json", json.dumps(example, indent=2, ensure_ascii=False), "```", ""]


def _type(name: str, schema: Schema) -> str:
    lines = [f"### {name}", "", schema.get("description", ""), ""]
    if "properties" not in schema:
        return "\n".join([*lines, f"{_value(schema)}.", ""])
    required = schema.get("required", ())
    lines += ["| field | value | meaning |", "| --- | --- | --- |"]
    for field, of in _ordered(schema, required):
        optional = "" if field in required else ", optional"
        lines.append(f"| `{field}` | {_value(of)}{optional} | {_cell(of.get('description', ''))} |")
    return "\n".join([*lines, ""])


def _ordered(schema: Schema, required: Any) -> Iterator[tuple[str, Schema]]:
    """What has to be there comes first."""
    fields = schema["properties"].items()
    yield from (each for each in fields if each[0] in required)
    yield from (each for each in fields if each[0] not in required)


def _name(schema: Schema) -> str | None:
    return str(schema["$ref"]).rpartition("/")[2] if "$ref" in schema else None


def _value(schema: Schema) -> str:
    """Say in words what a schema allows."""
    if (name := _name(schema)) is not None:
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(_value(each) for each in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"`{json.dumps(each).strip(chr(34))}`" for each in schema["enum"])
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    kind = schema.get("type")
    if kind == "array":
        return f"list of {_value(schema['items'])}{_bounds(schema, 'Items', 'items')}"
    if kind == "object":
        inner = schema.get("additionalProperties")
        return f"object of {_value(inner)}" if isinstance(inner, Mapping) and inner else "object"
    words = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false", None: "any"}
    told = words.get(kind, str(kind))
    if kind == "string":
        pattern = f" like `{_cell(schema['pattern'])}`" if "pattern" in schema else ""
        return told + _bounds(schema, "Length", "characters") + pattern
    return told + (_range(schema) if kind in ("integer", "number") else "")


def _bounds(schema: Schema, of: str, unit: str) -> str:
    least, most = schema.get(f"min{of}"), schema.get(f"max{of}")
    if least is not None and most is not None:
        return f" of {least} to {most} {unit}" if least != most else f" of {least} {unit}"
    if most is not None:
        return f" of at most {most} {unit}"
    return ""


def _range(schema: Schema) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    return "" if least is None or most is None else f" from {least} to {most:,}"


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|")


if __name__ == "__main__":
    print(reference(), end="")
