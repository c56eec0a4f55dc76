"""A full disk, a real one: a small tmpfs, where mounting is permitted."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from afterword.log import LogFailedError, Writer, verify
from tests.log.world import append_each, bodies, frame, frames


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)]
    try:
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("mounting a tmpfs is not permitted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.parametrize("segment_bytes", [2**26, 40_000], ids=["one-segment", "several-segments"])
def test_a_full_disk_is_said_clearly_and_loses_nothing(small_disk: Path, segment_bytes: int) -> None:
    log = small_disk / "log"
    writer = Writer(log, gather_seconds=0, segment_bytes=segment_bytes)
    with pytest.raises(LogFailedError, match=r"No space left on device.*: free some space, then open the log") as full:
        append_each(writer, frames(1000, size=3000))
    assert full.value.full
    with pytest.raises(LogFailedError):
        writer.append(frame(0))
    writer.close()
    count = writer.durable
    assert count > 20
    assert bodies(log)[:count] == frames(count, size=3000)
    if segment_bytes == 2**26:
        Writer(log).close()  # needs no space
    subprocess.run(["mount", "-o", "remount,size=1m", str(small_disk)], check=True)
    with Writer(log) as writer:
        assert writer.durable == count
        append_each(writer, [frame(count, size=3000)])
    assert bodies(log) == frames(count + 1, size=3000)
    assert verify(log).bad is None


def test_removing_old_segments_makes_room_even_after_the_failure(small_disk: Path) -> None:
    log = small_disk / "log"
    writer = Writer(log, gather_seconds=0, segment_bytes=40_000)
    with pytest.raises(LogFailedError):
        append_each(writer, frames(1000, size=3000))
    removed = writer.retain(loaded_up_to=writer.durable, keep_bytes=100_000)
    assert removed.segments > 0
    writer.close()
    with Writer(log, gather_seconds=0) as writer:
        assert append_each(writer, [frame(0, size=3000)]) == [writer.durable - 1]
    assert verify(log).bad is None


def test_a_disk_full_from_the_beginning(small_disk: Path) -> None:
    filler = small_disk / "filler"
    with pytest.raises(OSError, match="No space"):
        filler.write_bytes(bytes(2**20))
    with pytest.raises(LogFailedError, match="No space left on device"):
        Writer(small_disk / "log")
    filler.unlink()
    with Writer(small_disk / "log") as writer:
        append_each(writer, frames(1))
    assert bodies(small_disk / "log") == frames(1)
