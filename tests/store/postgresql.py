"""A PostgreSQL server for the tests: its own directory, its own socket, no port, nothing left behind."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
SERVER_USER = "postgres"


def missing() -> str | None:
    """Why no server can be started here, or None."""
    if not BINARIES:
        return "PostgreSQL is not installed (apt-get install postgresql)"
    if os.geteuid() == 0 and not shutil.which("runuser"):
        return "PostgreSQL does not run as root, and there is no runuser"
    return None


@contextmanager
def server() -> Iterator[str]:
    """Run a server and give the beginning and the end of its URLs, with `{}` for the database."""
    bin_directory = BINARIES[-1].parent
    # Not pytest's directory: the server's user may not enter it, and a socket's path has to be short.
    directory = Path(tempfile.mkdtemp(prefix="afterword-pg-"))
    prefix: list[str] = []
    user = getpass.getuser()
    if os.geteuid() == 0:
        prefix, user = ["runuser", "-u", SERVER_USER, "--"], SERVER_USER
        shutil.chown(directory, SERVER_USER)

    def run(*words: str) -> None:
        subprocess.run([*prefix, *words], check=True, cwd="/", capture_output=True, timeout=60)

    data, options = str(directory / "data"), f"-c listen_addresses= -c unix_socket_directories={directory} -c fsync=off"
    try:
        run(str(bin_directory / "initdb"), "-D", data, "-A", "trust", "-U", user, "-N", "-E", "UTF8", "--locale=C")
        # The server keeps the descriptors that it starts with; its output goes to a file, so that nobody waits for it.
        run(str(bin_directory / "pg_ctl"), "-D", data, "-w", "-l", f"{data}/log", "-o", options, "start")
        try:
            yield f"postgresql://{user}@/{{}}?host={directory}"
        finally:
            run(str(bin_directory / "pg_ctl"), "-D", data, "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(directory, ignore_errors=True)
