"""The house is built as docs/decisions and DESIGN say: imports point one way, and each thing has one place."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "afterword"

ROOMS = ("intake", "log", "store", "attribution", "reports", "selection", "workspace", "demo", "interfaces")
"""The way the data goes; a room imports only rooms to its left. `demo` stands before its only user."""

FOUNDATIONS = ("model", "errors", "settings", "versions", "money", "durations", "precedence", "store.sql")
"""Importable from everywhere; they import only each other. All but `precedence` are pure."""

PURE = "stats"
"""Mathematics on counts and sums: imports foundations, is imported from everywhere."""

LONGEST_FILE = 400
CLOCKS = {
    "datetime": {"now", "utcnow", "today"},
    "date": {"today"},
    "time": {"time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "localtime", "gmtime"},
}
CHANCE_MODULES = {"random", "secrets"}
VAGUE_NAMES = {"utils", "common", "helpers", "misc", "util", "helper"}


@dataclass(frozen=True)
class Import:
    importer: str
    imported: str
    line: int
    at_run_time: bool


@dataclass(frozen=True)
class Module:
    name: str
    path: Path
    tree: ast.Module


def module_name(path: Path, source: Path) -> str:
    parts = ["afterword", *path.relative_to(source).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def read_modules(source: Path) -> dict[str, Module]:
    paths = sorted(source.rglob("*.py"))
    return {name: Module(name, p, ast.parse(p.read_text("utf-8"))) for p in paths if (name := module_name(p, source))}


def type_checking_nodes(tree: ast.Module) -> set[ast.AST]:
    blocks = (n for n in ast.walk(tree) if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING")
    return {inner for block in blocks for statement in block.body for inner in ast.walk(statement)}


def imports_of(module: Module, known: set[str]) -> Iterator[Import]:
    only_types = type_checking_nodes(module.tree)
    package = module.name if module.path.name == "__init__.py" else module.name.rpartition(".")[0]
    for node in ast.walk(module.tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parents, base] if base else parents)
            full = [f"{base}.{alias.name}" for alias in node.names]
            names = [name if name in known or name == "afterword.__version__" else base for name in full]
        for name in names:
            if name.split(".")[0] == "afterword":
                assert isinstance(node, ast.Import | ast.ImportFrom)
                yield Import(module.name, name, node.lineno, node not in only_types)


def all_imports(modules: dict[str, Module]) -> list[Import]:
    return [found for module in modules.values() for found in imports_of(module, set(modules))]


def room_of(name: str) -> str:
    inside = name.removeprefix("afterword").removeprefix(".")
    return inside if inside in FOUNDATIONS else inside.split(".")[0]


def allowed(importer: str, imported: str) -> bool:
    if imported == "afterword.__version__":
        return True
    here, there = room_of(importer), room_of(imported)
    if here in ("", "__main__"):  # the map of the house and its door
        return True
    if there in FOUNDATIONS:
        return True
    if here in FOUNDATIONS or here == PURE:
        return here == there == PURE
    if there == PURE:
        return True
    if there == "demo" and here != "demo":
        return here == "interfaces"
    return here in ROOMS and there in ROOMS and ROOMS.index(there) <= ROOMS.index(here)


def cycle_in(edges: dict[str, set[str]]) -> list[str]:
    done: set[str] = set()

    def walk(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        for following in sorted(edges.get(name, ())):
            if found := walk(following, [*path, name]):
                return found
        done.add(name)
        return []

    for name in sorted(edges):
        if found := walk(name, []):
            return found
    return []


@cache
def modules() -> dict[str, Module]:
    """Read them when a test asks: each process of the tests imports this file."""
    return read_modules(SOURCE)


def calls(tree: ast.AST) -> Iterator[tuple[str, str, ast.Call]]:
    """All calls of `owner.name(...)`, also through longer paths such as `dt.datetime.now()`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield ast.unparse(node.func.value).split(".")[-1], node.func.attr, node


def test_every_room_stands_in_the_plan() -> None:
    rooms = {room_of(name) for name in modules()} - {"", "__main__"}
    assert rooms <= {*ROOMS, *FOUNDATIONS, PURE}


def test_imports_point_to_the_left() -> None:
    found = all_imports(modules())
    wrong = [f"{i.importer}:{i.line} imports {i.imported}" for i in found if not allowed(i.importer, i.imported)]
    assert wrong == []


def test_no_module_is_imported_in_a_circle() -> None:
    edges: dict[str, set[str]] = {}
    for found in all_imports(modules()):
        if found.at_run_time and found.imported != "afterword.__version__":
            edges.setdefault(found.importer, set()).add(found.imported)
    assert cycle_in(edges) == []


@pytest.mark.parametrize(
    ("importer", "imported", "expected"),
    [
        pytest.param("afterword.reports.tables", "afterword.attribution.sweep", True, id="to-the-left"),
        pytest.param("afterword.attribution.sweep", "afterword.reports.tables", False, id="to-the-right"),
        pytest.param("afterword.intake.files", "afterword.store.sql", True, id="quoting-is-a-foundation"),
        pytest.param("afterword.intake.files", "afterword.store.connection", False, id="intake-opens-nothing"),
        pytest.param("afterword.stats.rates", "afterword.reports.tables", False, id="stats-see-no-rows"),
        pytest.param("afterword.attribution.sweep", "afterword.stats.rates", True, id="stats-from-everywhere"),
        pytest.param("afterword.model", "afterword.intake.files", False, id="foundations-stand-alone"),
        pytest.param("afterword.model", "afterword.errors", True, id="foundations-know-each-other"),
        pytest.param("afterword.workspace.run", "afterword.demo", False, id="only-interfaces-use-the-demo"),
        pytest.param("afterword.interfaces.cli", "afterword.demo", True, id="interfaces-use-the-demo"),
        pytest.param("afterword.demo.show", "afterword.interfaces.cli", False, id="the-demo-is-below-interfaces"),
    ],
)
def test_the_rule_itself(importer: str, imported: str, expected: bool) -> None:
    assert allowed(importer, imported) is expected


def test_a_circle_would_be_found() -> None:
    assert cycle_in({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]


def test_relative_and_deferred_imports_are_seen(tmp_path: Path) -> None:
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "__init__.py").write_text("")
    (tmp_path / "reports" / "a.py").write_text("def f():\n    from . import b\n    from ..store import sql\n")
    (tmp_path / "reports" / "b.py").write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import afterword.log\n"
    )
    found = {(i.imported, i.at_run_time) for i in all_imports(read_modules(tmp_path))}
    assert found == {("afterword.reports.b", True), ("afterword.store", True), ("afterword.log", False)}


def test_who_takes_facts_in_loads_nothing_of_what_reads_them() -> None:
    told = "import sys, afterword.interfaces.serve; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True).stdout.split()
    reading = ("attribution", "reports", "stats", "demo", "workspace.answering", "workspace.live", "interfaces.api.app")
    heavy = ("numba", "llvmlite", "scipy", "duckdb", "jinja2", "alembic", *(f"afterword.{each}" for each in reading))
    assert [name for name in loaded if f"{name}.".startswith(tuple(f"{each}." for each in heavy))] == []


def test_only_the_store_opens_duckdb() -> None:
    outside = [m for m in modules().values() if room_of(m.name) not in ("store", "store.sql")]
    wrong = [
        f"{module.name}:{call.lineno} calls duckdb.{name}"
        for module in outside
        for owner, name, call in calls(module.tree)
        if owner == "duckdb" and name[0].islower()
    ]
    named = [
        f"{module.name}:{node.lineno} imports {alias.name}"
        for module in outside
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ImportFrom) and node.module == "duckdb"
        for alias in node.names
        if alias.name[0].islower()
    ]
    assert wrong + named == []


def test_only_interfaces_look_at_the_clock() -> None:
    below = [m for m in modules().values() if room_of(m.name) not in ("interfaces", "__main__")]
    wrong = [
        f"{module.name}:{call.lineno} calls {owner}.{name}"
        for module in below
        for owner, name, call in calls(module.tree)
        if name in CLOCKS.get(owner, ())
    ]
    named = [
        f"{module.name}:{node.lineno} imports {alias.name}"
        for module in below
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ImportFrom) and node.module == "time"
        for alias in node.names
        if alias.name in CLOCKS["time"]
    ]
    assert wrong + named == []


def test_chance_is_a_seeded_generator() -> None:
    wrong = []
    for module in modules().values():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Import) and {alias.name for alias in node.names} & CHANCE_MODULES:
                wrong.append(f"{module.name}:{node.lineno} imports a module of unseeded chance")
        for owner, name, call in calls(module.tree):
            unseeded = name == "default_rng" and not (call.args or call.keywords)
            if unseeded or (owner == "uuid" and name in ("uuid1", "uuid4")):
                wrong.append(f"{module.name}:{call.lineno} calls {owner}.{name} without a seed")
    assert wrong == []


def test_queries_know_neither_clock_nor_chance() -> None:
    forbidden = re.compile(r"\b(?:now|today|random|uuid|gen_random_uuid|get_current_time)\s*\(|\bcurrent_(?:date|time)")
    wrong = [str(p.relative_to(ROOT)) for p in SOURCE.rglob("*.sql") if forbidden.search(p.read_text("utf-8").lower())]
    assert wrong == []


def test_no_file_is_long() -> None:
    files = [p for folder in ("src", "tests", "benchmarks") for p in sorted((ROOT / folder).rglob("*.py"))]
    lengths = {str(p.relative_to(ROOT)): len(p.read_text("utf-8").splitlines()) for p in files}
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_FILE} == {}


def test_file_names_say_what_is_inside() -> None:
    assert [str(p) for p in SOURCE.rglob("*.py") if p.stem in VAGUE_NAMES] == []


def test_what_is_public_says_what_it_is() -> None:
    silent = []
    for module in modules().values():
        if ast.get_docstring(module.tree) is None:
            silent.append(module.name)
        holders: list[ast.Module | ast.ClassDef] = [module.tree]
        for holder in holders:
            for node in holder.body:
                if not isinstance(node, ast.FunctionDef | ast.ClassDef) or node.name.startswith("_"):
                    continue
                if ast.get_docstring(node) is None and not _is_overload(node):
                    silent.append(f"{module.name}:{node.lineno} {node.name}")
                if isinstance(node, ast.ClassDef):
                    holders.append(node)
    assert silent == []


def _is_overload(node: ast.FunctionDef | ast.ClassDef) -> bool:
    return any(ast.unparse(decorator).endswith("overload") for decorator in node.decorator_list)
