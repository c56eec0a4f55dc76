"""Docs that run: pages are worked through block by block, and the rulebook's page is complete.

A block ```` ```csv exposures.csv ```` is a file that the reader types; `console` blocks are commands with what they
print (a line `...` stands for any lines, within a line for anything; how wide gaps are does not matter); `pycon`
blocks are doctests.
"""

from __future__ import annotations

import doctest
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from afterword.interfaces.cli import main

REPOSITORY = Path(__file__).parent.parent
DOCS = REPOSITORY / "docs"
RULES = (DOCS / "rules.md").read_text(encoding="utf-8")
SCENARIOS = sorted((REPOSITORY / "tests" / "scenarios").glob("*.yaml"))
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE

# What only the server or the assignment of people can show.
NOT_YET = {29, 30, 32}

BLOCK = re.compile(r"^```(?P<language>\w+)(?: (?P<argument>\S+))?\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
ENTRY = re.compile(r"^### (\d+)\. (.+?)\n(.*?)(?=^##|\Z)", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Command:
    """A line after `$` and the output shown under it."""

    line: str
    shown: str


def commands(text: str) -> list[Command]:
    parts = re.split(r"^\$ (.+)\n", text, flags=re.MULTILINE)
    return [Command(line, shown) for line, shown in zip(parts[1::2], parts[2::2], strict=True)]


def shows(shown: str, printed: str) -> bool:
    lines = (line if line == "..." else re.escape(line).replace(re.escape("..."), ".*") for line in _lines(shown))
    pattern = "".join("(?:.*\\n)*" if line == "..." else f"{line}\\n" for line in lines)
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in _lines(printed))) is not None


def _lines(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def printed_by(line: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    program, *arguments = shlex.split(line)
    assert program == "afterword"
    capsys.readouterr()
    code = main(arguments)
    output = capsys.readouterr()
    return code, output.out + output.err


@pytest.fixture
def empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    return tmp_path


def test_tutorial_works_as_it_is_written(empty_directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = (DOCS / "tutorial.md").read_text(encoding="utf-8")
    names: dict[str, object] = {}
    ran = 0
    for block in BLOCK.finditer(page):
        language, argument, text = block["language"], block["argument"], block["text"]
        if language == "console":
            expected = int(argument.removeprefix("exit-")) if argument else 0
            for command in commands(text):
                code, output = printed_by(command.line, capsys)
                assert code == expected, output
                assert command.shown.strip(), f"the page shows nothing under {command.line}"
                assert shows(command.shown, output), f"{command.line} printed\n{output}"
                ran += 1
        elif language == "pycon":
            example = doctest.DocTestParser().get_doctest(text, names, "tutorial.md", None, None)
            assert doctest.DocTestRunner(optionflags=FLAGS).run(example, clear_globs=False).failed == 0
            names = example.globs
            ran += len(example.examples)
        else:
            assert argument, f"a {language} block of the page has no file name"
            (empty_directory / argument).write_text(text, encoding="utf-8")
    assert ran >= 10


def entries() -> dict[int, str]:
    return {int(number): body for number, _, body in ENTRY.findall(RULES)}


@pytest.mark.parametrize(
    ("shown", "printed", "expected"),
    [
        pytest.param("a  b\n...\nc\n", "a b\nc\n", True, id="dots-may-stand-for-nothing"),
        pytest.param("a\n...\nc\n", "a\n\nb\nb\nc\n", True, id="dots-stand-for-lines"),
        pytest.param("a ... (c)\n", "a b (c)\n", True, id="dots-in-a-line"),
        pytest.param("a\n", "a\nb\n", False, id="more-was-printed"),
        pytest.param("a\nb\n", "a\n", False, id="less-was-printed"),
        pytest.param("a.c\n", "abc\n", False, id="a-dot-is-a-dot"),
    ],
)
def test_what_a_page_shows_is_compared_line_by_line(shown: str, printed: str, expected: bool) -> None:
    assert shows(shown, printed) is expected


def test_every_rule_has_an_entry_in_order() -> None:
    assert list(entries()) == list(range(1, 41))


@pytest.mark.parametrize("number", range(1, 41))
def test_entry_quotes_its_rule_and_gives_an_example(number: int) -> None:
    body = entries()[number]
    quoted = "".join(line for line in body.splitlines() if line.startswith("> "))
    # Each sentence ends with where it is from; rule 5 says so per kind.
    assert re.search(r"\((doc|field|ours)\b[^()]*\)$", quoted)
    assert re.search(r"^\*Example\.\* .{20,}", body, re.MULTILINE)


@pytest.mark.parametrize("number", range(1, 41))
def test_entry_says_where_the_rule_is_tested_and_that_is_there(number: int) -> None:
    tested = re.findall(r"^\*Tested:\* (.+)$", entries()[number], re.MULTILINE)
    assert len(tested) == 1
    if number in NOT_YET:
        assert tested == ["not yet"]
        return
    places = re.findall(r"`([^`]+)`", tested[0])
    assert places
    assert [place for place in places if not list(REPOSITORY.glob(place))] == []


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_scenario_quotes_its_rule_from_the_page(path: Path) -> None:
    scenario = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert _plain(scenario["quote"]) in _plain(entries()[scenario["rule"]])


def _plain(text: str) -> str:
    return " ".join(text.replace("\n>", "\n").replace("*", "").split())
