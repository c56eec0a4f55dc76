"""Processes of a server born with all modules loaded: to import them costs several times what a start does.

A *nursery* is a process that has imported everything, opened nothing, and forks when it is asked to. What is born gets
arguments, environment, directory and standard streams as if it had been executed, and becomes a child of who asked: of
the tests, for the process that takes facts in; of that one, which has a nursery of its own, for the process that
answers. So both are signalled, killed and waited for as any child. That the command itself starts from nothing is
tested with the command (`test_serve_starting`, `test_packaging`, `test_demo_serving`).
"""

from __future__ import annotations

import asyncio
import atexit
import ctypes
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
MODULE = "tests.interfaces.nursery_child"
FRONT, ANSWERING = "tests.interfaces.serving_child", "tests.interfaces.answering_child"
NAME = b"nursery"
"""As which one is seen in `/proc/.../comm`."""
SET_NAME, SET_SUBREAPER = 15, 36  # prctl(2)
LARGEST = 1 << 18
LIBC = ctypes.CDLL(None)


class Born:
    """A child of this process, as `subprocess.Popen` is one."""

    def __init__(self, pid: int) -> None:
        """Take the id of a child that nobody waits for."""
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return the exit code, or minus the signal that ended it; None while it runs."""
        if self.returncode is None:
            ended, status = os.waitpid(self.pid, os.WNOHANG)
            self.returncode = os.waitstatus_to_exitcode(status) if ended else None
        return self.returncode

    def wait(self, seconds: float | None = None) -> int:
        """Wait for the end; return the exit code."""
        if self.poll() is None:
            end = os.pidfd_open(self.pid)
            select.select([end], [], [], seconds)
            os.close(end)
        if (code := self.poll()) is None:
            raise subprocess.TimeoutExpired(MODULE, seconds or 0.0)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it is known to have ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it without a warning."""
        self.send_signal(signal.SIGKILL)


class Input:
    """The pipe to a child, for little."""

    def __init__(self, fd: int) -> None:
        """Own the descriptor."""
        self._pipe = open(fd, "wb", buffering=0)  # noqa: SIM115

    def write(self, data: bytes) -> None:
        """Write less than a pipe holds."""
        with suppress(BrokenPipeError):
            self._pipe.write(data)

    def close(self) -> None:
        """Let it read the end."""
        self._pipe.close()


class Output:
    """The pipe from a child, for little."""

    def __init__(self, fd: int) -> None:
        """Own the descriptor."""
        self._fd = fd

    async def read(self) -> bytes:
        """Return what a child said that has ended."""
        with open(self._fd, "rb") as pipe:
            return pipe.read()


class BornAnswering:
    """A child as `asyncio.create_subprocess_exec` returns it."""

    def __init__(self, pid: int, stdin: int, stdout: int) -> None:
        """Take a child's id, and our ends of its pipes."""
        self._born = Born(pid)
        self.stdin, self.stdout = Input(stdin), Output(stdout)
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._fd = os.pidfd_open(pid)
        asyncio.get_running_loop().add_reader(self._fd, self._end)

    @property
    def returncode(self) -> int | None:
        """The exit code; None until its end was noticed."""
        return self._ended.result() if self._ended.done() else None

    async def wait(self) -> int:
        """Wait for the end; return the exit code."""
        return await asyncio.shield(self._ended)

    def kill(self) -> None:
        """End it without a warning."""
        self._born.kill()

    def _end(self) -> None:
        asyncio.get_running_loop().remove_reader(self._fd)
        os.close(self._fd)
        self._ended.set_result(self._born.wait())


class Nursery:
    """Has children born; safe for threads."""

    def __init__(self, link: socket.socket) -> None:
        """Ask over a connection whose other end `tend` has, in a descendant of this process."""
        self._link = link
        self._lock = threading.Lock()

    def birth(self, arguments: Sequence[str], environment: Mapping[str, str], streams: Sequence[int]) -> int:
        """Return the id of a new child of this process.

        Args:
            arguments: the module that it is to be, and that one's own arguments.
            environment: its environment.
            streams: input, output and errors.

        """
        told = {"arguments": arguments, "environment": dict(environment), "parent": os.getpid()}
        with self._lock:
            # Processes that lose their parent become children of this one, and only for this moment.
            LIBC.prctl(SET_SUBREAPER, 1, 0, 0, 0)
            try:
                socket.send_fds(self._link, [json.dumps(told).encode()], list(streams))
                return int(self._link.recv(64))
            finally:
                LIBC.prctl(SET_SUBREAPER, 0, 0, 0, 0)


def tend(link: socket.socket) -> None:
    """Fork whenever that is asked for; return in each that is born, and end when nobody is there to ask."""
    LIBC.prctl(SET_NAME, NAME, 0, 0, 0)
    gc.collect()
    gc.freeze()
    while True:
        asked, streams = b"", list[int]()
        with suppress(ConnectionError, KeyboardInterrupt):
            asked, streams, _, _ = socket.recv_fds(link, LARGEST, 3)
        if not asked:
            os._exit(0)
        if (between := os.fork()) == 0:
            if os.fork() == 0:
                _be(link, json.loads(asked), streams)
                return
            os._exit(0)
        os.waitpid(between, 0)
        for fd in streams:
            os.close(fd)


def _be(link: socket.socket, told: dict[str, Any], streams: Sequence[int]) -> None:
    """Take on all that an executed program is given."""
    gc.unfreeze()
    LIBC.prctl(SET_NAME, b"python", 0, 0, 0)
    for number, fd in enumerate(streams):
        os.dup2(fd, number)
        os.close(fd)
    os.environ.clear()
    os.environ.update(told["environment"])
    sys.argv[:] = told["arguments"]
    while os.getppid() != told["parent"]:
        time.sleep(0.0005)
    with link:
        link.send(str(os.getpid()).encode())


@cache
def nursery_of_tests() -> Nursery:
    """Start the nursery of this process, or return it; it ends with this process."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    command = [sys.executable, "-m", MODULE, str(theirs.fileno())]
    with theirs:
        kept = [theirs.fileno()]
        _KEPT.append(
            subprocess.Popen(
                command, stdin=subprocess.DEVNULL, pass_fds=kept, cwd=ROOT, env={**os.environ, "PYTHONPATH": path}
            )
        )
    return Nursery(ours)


_KEPT: list[subprocess.Popen[bytes]] = []
"""Who is forgotten while it runs is warned of."""


def divide() -> None:
    """Fork a nursery of this process, before there are threads; return here, and in each that is born there."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        ours.close()
        tend(theirs)
        return
    theirs.close()
    nursery, execute = Nursery(ours), asyncio.create_subprocess_exec

    async def begin(*command: str, stdin: int, stdout: int) -> BornAnswering | asyncio.subprocess.Process:
        if command[:3] != (sys.executable, "-m", ANSWERING):
            return await execute(*command, stdin=stdin, stdout=stdout)
        (its_input, write), (read, its_output) = os.pipe(), os.pipe()
        try:
            return BornAnswering(nursery.birth(command[2:], os.environ, (its_input, its_output, 2)), write, read)
        finally:
            os.close(its_input)
            os.close(its_output)

    vars(asyncio)["create_subprocess_exec"] = begin


def end(code: int) -> None:
    """End as an interpreter does, threads and what is registered for the end included, but leave memory as it is.

    To free every object of every module takes longer than the start and the stop of a server.
    """
    vars(threading)["_shutdown"]()
    vars(atexit)["_run_exitfuncs"]()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def is_nursery(process: int) -> bool:
    """Return whether a process of this id only waits for others to be born."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{process}/comm").read_bytes().strip() == NAME
    return False
