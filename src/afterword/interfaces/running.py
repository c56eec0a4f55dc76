"""What a running server leaves in its data directory, so that commands find it: its address, its process, a key.

The key is made at each start, is valid as long as that server runs, and is stored nowhere else. The file is for the
user alone who runs the server: who may read it could read the facts themselves.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from afterword.errors import UserError

FILE_NAME = "running.json"
LOGGER = logging.getLogger("afterword")


@dataclass(frozen=True, slots=True)
class Running:
    """A server as its file tells of it."""

    address: str
    """Such as `http://127.0.0.1:8640`; commands reach it there from the same machine."""
    pid: int
    """Of the process that listens."""
    key: str = field(repr=False)
    """An admin key."""


@contextmanager
def announced(directory: Path, running: Running) -> Iterator[None]:
    """Have the file there inside. For who holds the directory: a file that is there is an ended server's.

    A disk that does not take it is no reason not to serve.
    """
    path = directory / FILE_NAME
    aside = path.with_suffix(".new")
    try:
        aside.unlink(missing_ok=True)  # with whatever permissions
        with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            json.dump(asdict(running), file)
        aside.replace(path)
    except OSError as error:
        LOGGER.warning("%s cannot be written (%s): commands will not find this server", path, error.strerror)
    try:
        yield
    finally:
        with suppress(OSError):
            path.unlink()


def read_running(directory: Path) -> Running | None:
    """Return what the file says; None where there is none or it says nothing.

    Raises:
        UserError: it may not be read.

    """
    path = directory / FILE_NAME
    try:
        told = json.loads(path.read_text("utf-8"))
        return Running(str(told["address"]), int(told["pid"]), str(told["key"]))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError:
        raise UserError(
            f"{path} cannot be read: a server runs, or ran, as another user; run the command as that user"
        ) from None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def is_alive(pid: int, kill: Callable[[int, int], None] = os.kill) -> bool:
    """Return whether there is a process of this id."""
    if pid <= 0:
        return False
    try:
        kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
