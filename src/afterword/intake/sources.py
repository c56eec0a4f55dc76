"""Where facts come from: files by path or glob, or a statement; what each file is, by its name."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from afterword.errors import UserError

Kind: TypeAlias = Literal["events", "exposures", "step_messages", "merges", "rates"]
Format: TypeAlias = Literal["csv", "json", "parquet", "sql"]
Compression: TypeAlias = Literal["none", "gzip", "zstd"]

_FORMATS: dict[str, Format] = {
    ".csv": "csv",
    ".ndjson": "json",
    ".jsonl": "json",
    ".json": "json",
    ".parquet": "parquet",
    ".pq": "parquet",
}
_COMPRESSIONS: dict[str, Compression] = {".gz": "gzip", ".zst": "zstd"}
_EXPECTED = ".csv, .ndjson, .jsonl, .json (each also with .gz or .zst) or .parquet"


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How to read files: `rename` maps their column names to ours, the rest says what times mean."""

    rename: Mapping[str, str] = field(default_factory=dict)
    time_unit: Literal["s", "ms", "us"] | None = None
    dates: Literal["start-of-day", "end-of-day"] | None = None


@dataclass(frozen=True, slots=True)
class InputFile:
    """One file of facts, or a statement that selects them (`format` is `sql`, `path` its name)."""

    path: str
    format: Format
    compression: Compression = "none"
    size: int = 0
    statement: str | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """Facts of one kind as the user named them: paths and globs, or a statement."""

    kind: Kind
    paths: tuple[str, ...] | None = None
    sql: str | None = None
    sql_name: str = ""
    """What the statement is called in messages: its file, for example."""

    def inputs(self) -> list[InputFile]:
        """Find the files; a statement is one input of its own."""
        if self.sql is not None:
            name = self.sql_name or f"{self.kind}-sql"
            return [InputFile(name, "sql", size=len(self.sql.encode()), statement=self.sql)]
        return find_files(self.kind, self.paths or ())


def find_files(kind: str, patterns: Iterable[str | os.PathLike[str]]) -> list[InputFile]:
    """Return the files that paths, globs and directories stand for, each once, in order per pattern."""
    found: dict[str, InputFile] = {}
    for pattern in patterns:
        for path in _matches(kind, os.fspath(pattern)):
            found.setdefault(os.path.realpath(path), describe_file(path))
    return list(found.values())


def _matches(kind: str, pattern: str) -> list[str]:
    path = Path(pattern)
    if path.is_dir():
        inside = sorted(str(p) for p in path.iterdir() if p.is_file() and format_of(p.name) is not None)
        if not inside:
            raise UserError(f"{kind}: the directory {pattern} has no files to read; expected {_EXPECTED}")
        return inside
    if path.exists():
        return [pattern]
    if not glob.has_magic(pattern):
        raise UserError(f"{kind}: there is no file {pattern}")
    matches = sorted(p for p in glob.glob(pattern, recursive=True) if Path(p).is_file())
    if not matches:
        raise UserError(f"{kind}: no file matches {pattern}")
    return matches


def format_of(name: str) -> tuple[Format, Compression] | None:
    """Return what a file is, by its name; None if that is unknown."""
    stem, suffix = os.path.splitext(name.lower())
    compression: Compression = _COMPRESSIONS.get(suffix, "none")
    if compression != "none":
        suffix = os.path.splitext(stem)[1]
    kind = _FORMATS.get(suffix)
    if kind is None or (kind == "parquet" and compression != "none"):
        return None
    return kind, compression


def describe_file(path: str) -> InputFile:
    """Return what is at a path, or refuse it with the endings that can be read."""
    known = format_of(Path(path).name)
    if known is None:
        raise UserError(f"{path}: cannot tell what this file is from its name; expected {_EXPECTED}")
    if not os.access(path, os.R_OK):
        raise UserError(f"{path}: no permission to read this file")
    return InputFile(path, known[0], known[1], os.stat(path).st_size)
