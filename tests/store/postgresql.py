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

_END = 'cat > /dev/null; directory=$1; shift; "$@"; rm -rf -- "$directory"'


def missing() -> str | None:
    """Why no server can be started here, or None."""
    if not BINARIES:
        return "PostgreSQL is not installed (apt-get install postgresql)"
    if os.geteuid() == 0 and not shutil.which("runuser"):
        return "PostgreSQL does not run as root, and there is no runuser"
    return None


@contextmanager
def server(*, durable: bool = False) -> Iterator[str]:
    """Run a server and give the beginning and the end of its URLs, with `{}` for the database.

    Tests need nothing that outlives them, so by default the server does not wait for the disk.
    """
    bin_directory = BINARIES[-1].parent
    # Not pytest's directory: the server's user may not enter it, and a socket's path has to be short.
    directory = Path(tempfile.mkdtemp(prefix="afterword-pg-"))
    prefix: list[str] = []
    user = getpass.getuser()
    if os.geteuid() == 0:
        prefix, user = ["runuser", "-u", SERVER_USER, "--"], SERVER_USER
        shutil.chown(directory, SERVER_USER)

    def command(name: str, *words: str) -> list[str]:
        return [*prefix, str(bin_directory / name), "-D", str(directory / "data"), *words]

    def run(name: str, *words: str) -> None:
        subprocess.run(command(name, *words), check=True, cwd="/", capture_output=True, timeout=60)

    options = f"-c listen_addresses= -c unix_socket_directories={directory} -c fsync={'on' if durable else 'off'}"
    # Tests may be killed, and then end nothing. So another process, which no signal to them reaches, waits for the end
    # of a pipe that only they hold, and then ends the server and removes its directory.
    ending = [str(directory), *command("pg_ctl", "-w", "-m", "immediate", "stop")]
    with subprocess.Popen(
        ["sh", "-c", _END, "sh", *ending],
        cwd="/",
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ):
        run("initdb", "-A", "trust", "-U", user, "-N", "-E", "UTF8", "--locale=C")
        # The server keeps the descriptors that it starts with; its output goes to a file, so that nobody waits for it.
        run("pg_ctl", "-w", "-l", str(directory / "data" / "log"), "-o", options, "start")
        yield f"postgresql://{user}@/{{}}?host={directory}"
