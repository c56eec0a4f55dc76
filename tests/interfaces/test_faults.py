from __future__ import annotations

import errno
import io

import pytest

from afterword.errors import DefinitionError, UserError
from afterword.interfaces import cli
from afterword.interfaces.faults import fault_of
from afterword.interfaces.progress import Meter


class InterruptException(Exception):
    """Named as DuckDB's, which is not imported to be recognised."""


class OutOfMemoryException(Exception):
    """Named as DuckDB's."""


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        pytest.param(UserError("deadline is 31 days, must be at most 30 days"), 2, "deadline is 31 days", id="user"),
        pytest.param(DefinitionError("c.yaml", ["a", "b"]), 2, "c.yaml: 2 problems\n  a\n  b", id="definitions"),
        pytest.param(OSError(errno.ENOSPC, "No space left on device", "x"), 2, "x: No space left", id="full-disk"),
        pytest.param(PermissionError(errno.EACCES, "Permission denied", "x"), 2, "x: Permission denied", id="denied"),
        pytest.param(OutOfMemoryException("failed to allocate"), 2, "--memory", id="memory"),
        pytest.param(InterruptException("x"), 130, "Interrupted.", id="interrupted-inside-duckdb"),
        pytest.param(RuntimeError("Query interrupted"), 130, "Interrupted.", id="interrupted-while-fetching"),
        pytest.param(KeyError("x"), 1, "fault of ours", id="ours"),
        pytest.param(OSError(errno.EBADF, "Bad file descriptor"), 1, "fault of ours", id="our-file-descriptor"),
    ],
)
def test_what_escapes_becomes_a_sentence_and_a_code(error: Exception, code: int, words: str) -> None:
    fault = fault_of(error)
    assert fault.exit_code == code
    assert words in fault.message


def test_an_unknown_command_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["rum"]) == 2
    assert "Did you mean 'run'" in capsys.readouterr().err


def test_a_missing_definition_file_says_where_it_goes(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["run", "--exposures", "x.csv", "campaigns.yaml"]) == 2
    assert "name the definition file first" in capsys.readouterr().err


def test_two_states_cannot_be_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["users", "c", "--pending", "--not"]) == 2
    assert "only one of" in capsys.readouterr().err


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_shown_to_people_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("afterword.interfaces.progress.QUIET_SECONDS", 0.0)
    monkeypatch.setenv("TERM", "xterm")
    terminal, pipe = Terminal(), io.StringIO()
    for stream in (terminal, pipe):
        with Meter(stream) as meter:
            meter("reading events", 0.5)
    assert "reading events" in terminal.getvalue()
    assert pipe.getvalue() == ""


def test_quick_work_shows_no_progress() -> None:
    terminal = Terminal()
    with Meter(terminal) as meter:
        meter("reading events", 0.5)
    assert terminal.getvalue() == ""
