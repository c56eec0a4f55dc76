"""A directory in which a command can go wrong, and what is looked at afterwards."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from afterword.interfaces.cli import main
from tests.example import write_example

RUN = ("run", "campaigns.yaml", "--exposures", "exposures.csv", "--events", "events.csv")
OUT = "afterword-results"


@dataclass(frozen=True)
class World:
    """The README's example in `home`, with temporary files in `temporary`."""

    home: Path
    temporary: Path
    capsys: pytest.CaptureFixture[str]

    def refused(self, *words: str) -> str:
        """Run a command that must be refused; return the sentence. Nothing may be left behind."""
        before = self.everything()
        self.capsys.readouterr()
        code = main(words)
        printed = self.capsys.readouterr()
        assert (code, printed.out) == (2, ""), printed
        assert "Traceback" not in printed.err
        assert self.everything() == before
        assert list(self.temporary.iterdir()) == []
        return printed.err.strip()

    def done(self, *words: str) -> str:
        """Run a command that must work; return what it prints."""
        self.capsys.readouterr()
        code = main(words)
        printed = self.capsys.readouterr()
        assert code == 0, printed.err
        return printed.out

    def everything(self) -> dict[str, tuple[int, int]]:
        """Every file and directory of `home` with its size and when it was written."""
        found = {}
        for path in sorted(self.home.rglob("*")):
            status = path.stat()
            found[str(path.relative_to(self.home))] = (status.st_size, status.st_mtime_ns) if path.is_file() else (0, 0)
        return found

    def replace(self, name: str, old: str, new: str) -> None:
        """Change a text file of the example."""
        path = self.home / name
        text = path.read_text("utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    def append(self, name: str, line: str) -> None:
        """Add a line to a text file."""
        with (self.home / name).open("a", encoding="utf-8") as file:
            file.write(line + "\n")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> World:
    home, temporary = tmp_path / "home", tmp_path / "temporary"
    home.mkdir()
    temporary.mkdir()
    write_example(home)
    monkeypatch.chdir(home)
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    return World(home, temporary, capsys)


@contextmanager
def small_disk(directory: Path, kilobytes: int) -> Iterator[Path]:
    """Mount a disk in memory that is soon full; skips where that is not allowed."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    directory.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(directory)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a small disk is not possible here")
    try:
        yield directory
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)
