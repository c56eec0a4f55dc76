"""kill -9 of a real process under load, and what a power cut does to bytes that were never synced."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from afterword.log import Writer, verify
from afterword.log.scanning import offset_of
from tests.log.crash_child import ERASED, body
from tests.log.world import append_each, entries, frame, segments

ROOT = Path(__file__).parents[2]
THREADS = 6

Acknowledged = dict[int, tuple[int, int, int]]
"""Position -> round, thread, number."""


def run_and_kill(log: Path, turn: int, seconds: float) -> Acknowledged:
    command = [sys.executable, "-m", "tests.log.crash_child", str(log), str(turn), str(THREADS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as child:
        assert child.stdout is not None
        try:
            assert child.stdout.readline() == b"ready\n"
            killer = threading.Timer(seconds, child.send_signal, [signal.SIGKILL])
            killer.start()
            output = child.stdout.read()  # until it is dead
            killer.join()
        finally:
            child.kill()
    assert child.returncode == -signal.SIGKILL
    acknowledged: Acknowledged = {}
    for line in output.decode().splitlines():
        turn_said, thread, number, position = (int(word) for word in line.split())
        assert position not in acknowledged
        acknowledged[position] = (turn_said, thread, number)
    return acknowledged


def cut_the_power(log: Path, acknowledged: Acknowledged, chance: random.Random) -> str:
    """Do to the bytes behind the last acknowledged frame what a power cut may do to what was never synced."""
    path = segments(log)[-1]
    first, end = int(path.stem), max(acknowledged, default=-1) + 1
    with path.open("rb") as file:
        reached, safe = offset_of(file, max(first, end), first)
    data = path.read_bytes()
    if reached < end or safe >= len(data):
        return "nothing unsynced"
    place = chance.randrange(safe, len(data))
    kind = chance.choice(["kept", "cut", "zeros", "noise"])
    if kind == "cut":
        path.write_bytes(data[:place])
    elif kind != "kept":
        length = min(chance.randrange(1, 5000), len(data) - place)
        filler = bytes(length) if kind == "zeros" else chance.randbytes(length)
        path.write_bytes(data[:place] + filler + data[place + length :])
    return kind


def check(log: Path, acknowledged: Acknowledged) -> int:
    """Every acknowledged frame is there once, in order, unless erasing it was asked for; return how many are there."""
    there = {entry.position: entry.frame.body for entry in entries(log)}
    for position, names in acknowledged.items():
        if position in there:
            assert there[position] == body(*names)
        else:
            assert ERASED in body(*names), f"position {position} is lost"
    assert len(set(there.values())) == len(there)
    last: dict[tuple[int, int], int] = {}
    for content in there.values():
        turn, thread, number = (int(word) for word in content.split()[:3])
        assert last.get((turn, thread), -1) < number
        last[turn, thread] = number
    return len(there)


def crash(tmp_path: Path, rounds: int, seed: int) -> None:
    log, chance = tmp_path / "log", random.Random(seed)
    acknowledged: Acknowledged = {}
    for turn in range(rounds):
        new = run_and_kill(log, turn, chance.uniform(0.05, 0.6))
        assert not new.keys() & acknowledged.keys()
        acknowledged |= new
        what = cut_the_power(log, acknowledged, chance)
        assert check(log, acknowledged) > 0, what
    assert len(acknowledged) > 20 * rounds
    with Writer(log) as writer:
        assert writer.durable > max(acknowledged)
        append_each(writer, [frame(0)])
        writer.seal().result(30)
        writer.rewrite(lambda position, frame: None if ERASED in frame.body else frame)
    assert verify(log).bad is None
    assert not any(ERASED in entry.frame.body for entry in entries(log))


def test_acknowledged_frames_survive_kill_9(tmp_path: Path) -> None:
    crash(tmp_path, rounds=4, seed=1)


@pytest.mark.slow
def test_acknowledged_frames_survive_kill_9_many_times(tmp_path: Path) -> None:
    crash(tmp_path, rounds=40, seed=2)
