"""Reads YAML and JSON without losing what was written: `49.90`, `017` and `no` stay themselves."""

from __future__ import annotations

import json
import re
from collections.abc import Hashable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, ClassVar, NoReturn

import yaml

from afterword.errors import DefinitionError, UserError

SUFFIXES = (".yaml", ".yml", ".json")

_TAG = "tag:yaml.org,2002:"
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_NULL = re.compile(r"~|null|Null|NULL|")
_NUMBER = re.compile(r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
"""Decimal numbers only. With leading zeros (`017`) or underscores it is text, such as a product id."""
_UNQUOTED_OPERATOR = re.compile(r"\bop\s*:\s*[!>]")


@dataclass(frozen=True, slots=True)
class Written:
    """A number, `true` or `false` as the file wrote it: ids take the text, quantities the value."""

    text: str
    value: Decimal | bool


def read_data(path: str | Path) -> tuple[object, list[str]]:
    """Return the data of a definition file and its duplicate keys, as problems with their lines.

    Raises `UserError` if there is no such file and `DefinitionError` if it cannot be parsed.
    """
    file = Path(path)
    suffix = file.suffix.lower()
    if suffix not in SUFFIXES:
        raise UserError(f"{path}: definitions are read from .yaml, .yml or .json, not from {_kind_of(suffix)}")
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DefinitionError(str(path), [f"is not UTF-8 (byte {error.start})"]) from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from None
    try:
        return _read_json(text) if suffix == ".json" else _read_yaml(text)
    except RecursionError:
        raise DefinitionError(str(path), ["is nested too deeply"]) from None
    except _Unreadable as error:
        raise DefinitionError(str(path), [str(error)]) from None


class _Unreadable(Exception):
    """The text is no YAML or JSON; the message says where."""


def _kind_of(suffix: str) -> str:
    return f'"{suffix}"' if suffix else "a file without a suffix"


def _written_number(text: str) -> Written:
    try:
        return Written(text, Decimal(text))
    except InvalidOperation:  # an exponent of more than 18 digits
        return Written(text, Decimal("NaN"))


# --- JSON -------------------------------------------------------------------------------------------


def _read_json(text: str) -> tuple[object, list[str]]:
    duplicates: list[str] = []

    def mapping(pairs: list[tuple[str, object]]) -> dict[str, object]:
        result: dict[str, object] = {}
        for key, value in pairs:
            if key in result:
                duplicates.append(f'duplicate key "{key}"')
            result[key] = value
        return result

    def constant(name: str) -> NoReturn:
        raise _Unreadable(f"{name} is no JSON number")

    try:
        data = json.loads(
            text,
            parse_int=_written_number,
            parse_float=_written_number,
            parse_constant=constant,
            object_pairs_hook=mapping,
        )
    except json.JSONDecodeError as error:
        raise _Unreadable(f"line {error.lineno}, column {error.colno}: {error.msg}") from None
    return data, duplicates


# --- YAML -------------------------------------------------------------------------------------------


class _Loader(yaml.SafeLoader):
    """The safe loader with the scalars of YAML 1.2: `no`, `on`, `12:30` and `2024-01-01` are text."""

    # Own tables: the inherited ones are YAML 1.1's, where `no` is false and `017` is fifteen.
    yaml_implicit_resolvers: ClassVar[dict[str, list[tuple[str, re.Pattern[str]]]]] = {}  # type: ignore[misc]
    yaml_constructors: ClassVar[dict[Any, Any]] = {}

    duplicates: list[str]

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Build a mapping with keys as they are written, noting keys that come twice."""
        self._note_duplicates(node)
        self.flatten_mapping(node)
        return {self._key(key): self.construct_object(value, deep=True) for key, value in node.value}

    def _note_duplicates(self, node: yaml.MappingNode) -> None:
        seen: set[str] = set()
        for key_node, _ in node.value:
            key = self._key(key_node)
            if key in seen:
                self.duplicates.append(f'line {key_node.start_mark.line + 1}: duplicate key "{key}"')
            seen.add(key)

    def _key(self, node: yaml.Node) -> str:
        if isinstance(node, yaml.ScalarNode):
            return str(node.value)
        raise yaml.constructor.ConstructorError(None, None, "a key must be text", node.start_mark)


def _construct_map(loader: _Loader, node: yaml.MappingNode) -> dict[Hashable, Any]:
    return loader.construct_mapping(node)


def _construct_list(loader: _Loader, node: yaml.SequenceNode) -> list[Any]:
    return [loader.construct_object(item, deep=True) for item in node.value]


def _construct_scalar(loader: _Loader, node: yaml.ScalarNode) -> object:
    text = str(node.value)
    kind = node.tag.removeprefix(_TAG)
    if kind == "str":
        return text
    if kind == "null":
        return None
    if kind == "bool" and _BOOL.fullmatch(text):
        return Written(text, text.lower() == "true")
    if kind in ("int", "float") and _NUMBER.fullmatch(text):
        return _written_number(text)
    raise yaml.constructor.ConstructorError(None, None, f'"{text}" is no {kind}', node.start_mark)


def _refuse_tag(loader: _Loader, node: yaml.Node) -> NoReturn:
    raise yaml.constructor.ConstructorError(None, None, f'the tag "{node.tag}" has no meaning here', node.start_mark)


_Loader.add_constructor(f"{_TAG}map", _construct_map)
_Loader.add_constructor(f"{_TAG}seq", _construct_list)
for _name in ("str", "null", "bool", "int", "float"):
    _Loader.add_constructor(f"{_TAG}{_name}", _construct_scalar)
_Loader.add_constructor(None, _refuse_tag)
_Loader.add_implicit_resolver(f"{_TAG}bool", re.compile(f"^(?:{_BOOL.pattern})$"), list("tTfF"))
_Loader.add_implicit_resolver(f"{_TAG}null", re.compile(f"^(?:{_NULL.pattern})$"), ["~", "n", "N", ""])
_Loader.add_implicit_resolver(f"{_TAG}float", re.compile(f"^(?:{_NUMBER.pattern})$"), list("-+.0123456789"))
_Loader.add_implicit_resolver(f"{_TAG}merge", re.compile("^<<$"), ["<"])


def _with_libyaml() -> type[_Loader]:
    """The same loader on libyaml, which reads ten times faster, where PyYAML was built with it."""
    if not yaml.__with_libyaml__:
        return _Loader
    own = ("construct_mapping", "_note_duplicates", "_key", "yaml_implicit_resolvers", "yaml_constructors")
    return type("_FastLoader", (yaml.CSafeLoader,), {name: getattr(_Loader, name) for name in own})


def _read_yaml(text: str) -> tuple[object, list[str]]:
    try:
        return _load(_with_libyaml(), text)
    except (yaml.YAMLError, RecursionError):
        pass  # read again by Python's parser, whose messages say more
    try:
        return _load(_Loader, text)
    except yaml.YAMLError as error:
        raise _Unreadable(_yaml_message(error, text)) from None


def _load(kind: type[_Loader], text: str) -> tuple[object, list[str]]:
    loader = kind(text)  # finds characters that YAML does not allow
    loader.duplicates = []
    try:
        return loader.get_single_data(), loader.duplicates
    finally:
        loader.dispose()


def _yaml_message(error: yaml.YAMLError, text: str) -> str:
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return " ".join(str(error).split())
    mark = error.problem_mark
    said = " ".join(part for part in (error.context, error.problem) if part)
    message = f"line {mark.line + 1}, column {mark.column + 1}: {said}"
    lines = text.splitlines()
    if mark.line < len(lines) and _UNQUOTED_OPERATOR.search(lines[mark.line]):
        message += '; put the operator into quotes: op: ">="'
    return message
