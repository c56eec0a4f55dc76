from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from afterword import __version__
from afterword.interfaces.cli import main
from afterword.interfaces.reference import reference

HEAVY = ("numba", "duckdb", "pyarrow", "scipy", "numpy", "jinja2", "rich", "sqlalchemy", "alembic")
PAGE = Path(__file__).parents[2] / "docs" / "cli.md"
COMMANDS = ("demo", "run", "report", "explain", "users", "doctor", "verify", "apply", "key")


def loaded_after(code: str) -> list[str]:
    """Which of the heavy libraries a fresh Python has loaded after `code`."""
    ending = f"\nimport sys; sys.stderr.write(' '.join(m for m in {HEAVY!r} if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code + ending], capture_output=True, text=True, check=True)
    return done.stderr.split()


def test_help_loads_nothing_heavy() -> None:
    assert loaded_after("from afterword.interfaces.cli import main; assert main(['--help']) == 0") == []


def test_help_of_a_command_loads_nothing_heavy() -> None:
    assert loaded_after("from afterword.interfaces.cli import main; assert main(['run', '--help']) == 0") == []


def test_asking_a_running_server_loads_nothing_heavy() -> None:
    assert loaded_after("import afterword.interfaces.directory, afterword.interfaces.data_results") == []


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert loaded_after("import afterword; afterword.Campaign") == []


def test_asking_for_the_engine_loads_it() -> None:
    assert "duckdb" in loaded_after("import afterword; afterword.run")


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    printed = capsys.readouterr().out
    assert [word for word in COMMANDS if f"\n  {word} " not in printed] == []


def test_without_arguments_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    printed = capsys.readouterr()
    assert "Usage: afterword" in printed.out + printed.err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"afterword {__version__}\n"


def test_the_page_about_the_command_line_is_what_the_commands_say() -> None:
    assert PAGE.read_text("utf-8") == reference(), "run `make docs`"
