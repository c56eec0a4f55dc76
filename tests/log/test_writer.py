"""The writer: many hand in, one syncs; what is acknowledged is durable, what failed is refused for good."""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
import sys
import threading
from concurrent.futures import Future
from pathlib import Path

import pytest

from afterword.log import (
    Frame,
    FrameTooLargeError,
    LogBusyError,
    LogClosedError,
    LogFailedError,
    LogLockedError,
    Writer,
    verify,
)
from afterword.log import tail as tail_module
from afterword.log.disk import write_whole
from tests.log.world import append_all, append_each, bodies, built, entries, frame, frames, segments


class Disk:
    """A disk whose syncs can be held back, counted, and made to fail."""

    def __init__(self) -> None:
        self.syncs = 0
        self.fails = False
        self.free = threading.Event()
        self.free.set()

    def sync(self, fd: int) -> None:
        self.free.wait(30)
        self.syncs += 1
        if self.fails:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        os.fdatasync(fd)


def test_positions_count_up_and_survive_reopening(tmp_path: Path) -> None:
    for turn in range(3):
        with Writer(tmp_path / "log") as writer:
            assert writer.durable == 4 * turn
            assert append_all(writer, frames(4, start=4 * turn)) == list(range(4 * turn, 4 * turn + 4))
            assert writer.durable == 4 * turn + 4
        assert writer.pending == 0
    assert bodies(tmp_path / "log") == frames(12)


def test_a_log_may_start_anywhere(tmp_path: Path) -> None:
    with Writer(tmp_path / "log", start=1000) as writer:
        assert append_all(writer, frames(2)) == [1000, 1001]
    with Writer(tmp_path / "log", start=0) as writer:
        assert writer.durable == 1002


def test_nothing_is_acknowledged_before_its_sync(tmp_path: Path) -> None:
    disk = Disk()
    with Writer(tmp_path / "log", sync=disk.sync, gather_seconds=0) as writer:
        disk.free.clear()
        future = writer.append(frame(0))
        with pytest.raises(TimeoutError):
            future.result(0.05)
        assert writer.durable == 0
        disk.free.set()
        assert future.result(30) == 0
        assert writer.durable == 1


def test_what_comes_during_a_sync_shares_the_next_one(tmp_path: Path) -> None:
    disk = Disk()
    with Writer(tmp_path / "log", sync=disk.sync) as writer:
        before = disk.syncs
        disk.free.clear()
        futures = [writer.append(one) for one in frames(500)]
        disk.free.set()
        assert [future.result(30) for future in futures] == list(range(500))
        assert disk.syncs - before <= 3


def test_sixteen_threads(tmp_path: Path) -> None:
    each = 200
    got: dict[int, list[int]] = {}

    def work(writer: Writer, number: int) -> None:
        got[number] = append_each(writer, frames(each, start=number * each))

    with Writer(tmp_path / "log", segment_bytes=50_000, gather_seconds=0.0005) as writer:
        threads = [threading.Thread(target=work, args=(writer, number)) for number in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert sorted(position for positions in got.values() for position in positions) == list(range(16 * each))
    assert all(positions == sorted(positions) for positions in got.values())
    there = {entry.position: entry.frame for entry in entries(tmp_path / "log")}
    expected = {p: frame(n * each + i) for n, positions in got.items() for i, p in enumerate(positions)}
    assert there == expected
    report = verify(tmp_path / "log")
    assert report.bad is None
    assert len(report.segments) > 3


def test_asyncio_awaits_the_same_futures(tmp_path: Path) -> None:
    async def main() -> list[int]:
        with Writer(tmp_path / "log") as writer:
            return await asyncio.gather(*(asyncio.wrap_future(writer.append(one)) for one in frames(200)))

    assert asyncio.run(main()) == list(range(200))
    assert bodies(tmp_path / "log") == frames(200)


def test_a_client_that_goes_away_takes_nothing_back(tmp_path: Path) -> None:
    disk = Disk()

    async def main() -> None:
        with Writer(tmp_path / "log", sync=disk.sync, gather_seconds=0) as writer:
            disk.free.clear()
            gone = asyncio.wrap_future(writer.append(frame(0)))
            stays = asyncio.wrap_future(writer.append(frame(1)))
            await asyncio.sleep(0)
            gone.cancel()
            disk.free.set()
            assert await stays == 1

    asyncio.run(main())
    assert bodies(tmp_path / "log") == frames(2)


def test_a_failed_sync_fails_all_who_wait_and_ends_the_writer(tmp_path: Path) -> None:
    disk = Disk()
    writer = Writer(tmp_path / "log", sync=disk.sync, gather_seconds=0)
    append_each(writer, frames(3))
    disk.free.clear()
    lost = [writer.append(one) for one in frames(5, start=3)]
    lost.append(writer.seal())
    disk.fails = True
    disk.free.set()
    path = segments(tmp_path / "log")[0]
    message = f"{path} could not be written from position 3 on .*Input/output error.*: look at the disk, then open"
    errors = []
    for future in lost:
        with pytest.raises(LogFailedError, match=message) as caught:
            future.result(30)
        errors.append(caught.value)
    assert len({id(error) for error in errors}) == len(errors)
    assert not errors[0].full
    syncs = disk.syncs
    disk.fails = False
    with pytest.raises(LogFailedError, match=message):
        writer.append(frame(9))
    assert writer.failure is not None
    with pytest.raises(LogLockedError):
        Writer(tmp_path / "log")
    writer.close()
    assert disk.syncs == syncs
    with pytest.raises(LogFailedError):
        writer.append(frame(9))
    with Writer(tmp_path / "log") as writer:
        assert writer.durable == 3
        assert append_all(writer, [frame(10)]) == [3]
    assert bodies(tmp_path / "log") == [*frames(3), frame(10)]


def test_reopening_writes_the_good_part_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What reads well after a failed sync need not be on the disk."""
    path = segments(built(tmp_path / "log", unsealed=frames(3)))[0]
    written: list[tuple[int, bytes]] = []
    real = os.pwrite

    def spy(fd: int, data: bytes, offset: int) -> int:
        if os.fstat(fd).st_ino == path.stat().st_ino:
            written.append((offset, bytes(data)))
        return real(fd, data, offset)

    monkeypatch.setattr(os, "pwrite", spy)
    Writer(tmp_path / "log").close()
    assert written == [(0, path.read_bytes())]


def test_a_write_that_fails_in_its_middle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = Writer(tmp_path / "log")
    append_all(writer, frames(3))

    def half(fd: int, data: bytes, offset: int) -> None:
        write_whole(fd, data[: len(data) // 2], offset)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(tail_module, "write_whole", half)
        with pytest.raises(LogFailedError, match=r"No space left on device.*: free some space") as caught:
            writer.append(frame(3)).result(30)
    assert caught.value.full
    writer.close()
    assert verify(tmp_path / "log").bad is None
    assert bodies(tmp_path / "log") == frames(3)


def test_a_disk_that_writes_a_little_at_a_time_gets_it_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, offset: real(fd, data[:7], offset))
    built(tmp_path / "log", frames(3), unsealed=frames(2, start=3))
    assert bodies(tmp_path / "log") == frames(5)


@pytest.mark.parametrize("fails_at", [1, 2])
def test_a_seal_that_fails_loses_nothing(tmp_path: Path, fails_at: int) -> None:
    """The sync of the seal, then that of the next segment's header."""
    syncs = 0

    def sync(fd: int) -> None:
        nonlocal syncs
        syncs += 1
        if syncs == 3 + fails_at:  # one made the first segment, two appended
            raise OSError(errno.EIO, "broken")

    writer = Writer(tmp_path / "log", sync=sync, gather_seconds=0)
    append_each(writer, frames(2))
    with pytest.raises(LogFailedError):
        writer.seal().result(30)
    writer.close()
    with Writer(tmp_path / "log") as writer:
        assert append_all(writer, [frame(2)]) == [2]
    assert bodies(tmp_path / "log") == frames(3)
    assert verify(tmp_path / "log").bad is None


def test_a_next_segment_whose_name_is_not_durable_keeps_the_seal_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = Writer(tmp_path / "log", gather_seconds=0)
    append_each(writer, frames(2))

    def named_only(unfinished: Path, path: Path) -> None:
        unfinished.replace(path)
        raise OSError(errno.EIO, "broken")

    with monkeypatch.context() as patch:
        patch.setattr(tail_module, "put_in_place", named_only)
        with pytest.raises(LogFailedError):
            writer.seal().result(30)
    writer.close()
    with Writer(tmp_path / "log") as writer:
        assert append_all(writer, [frame(2)]) == [2]
    assert bodies(tmp_path / "log") == frames(3)


def test_a_fault_of_ours_in_the_writing_thread_leaves_nobody_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = Writer(tmp_path / "log")

    def broken(*_: object) -> None:
        raise ZeroDivisionError("ours")

    monkeypatch.setattr(tail_module, "write_whole", broken)
    with pytest.raises(LogFailedError, match="ZeroDivisionError: ours"):
        writer.append(frame(0)).result(30)
    writer.close()


def test_two_writers_of_one_process(tmp_path: Path) -> None:
    with Writer(tmp_path / "log"):
        with pytest.raises(LogLockedError, match=rf"log/lock is held by process {os.getpid()}, .*stop it first"):
            Writer(tmp_path / "log")
        assert segments(tmp_path / "log")
    Writer(tmp_path / "log").close()


def test_two_writers_of_two_processes(tmp_path: Path) -> None:
    code = "import sys; from afterword.log import Writer; Writer(sys.argv[1])"
    command = [sys.executable, "-c", code, str(tmp_path / "log")]
    with Writer(tmp_path / "log"):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"LogLockedError: {tmp_path}/log/lock is held by process {os.getpid()}" in done.stderr
    assert subprocess.run(command, check=False).returncode == 0


def test_too_much_waiting_is_refused_until_it_is_written(tmp_path: Path) -> None:
    disk = Disk()
    with Writer(tmp_path / "log", sync=disk.sync, pending_bytes=1000) as writer:
        disk.free.clear()
        futures: list[Future[int]] = []
        with pytest.raises(LogBusyError, match=r"bytes are waiting .* at most 1000 may: try again later"):
            futures.extend(map(writer.append, frames(100)))
        assert 0 < writer.pending <= 1000
        disk.free.set()
        assert [future.result(30) for future in futures] == list(range(len(futures)))
        writer.seal().result(30)  # by then the group is no longer counted as waiting
        assert append_all(writer, [frame(50)]) == [len(futures)]
    assert bodies(tmp_path / "log") == [*frames(len(futures)), frame(50)]


def test_a_frame_larger_than_all_that_may_wait_passes_alone(tmp_path: Path) -> None:
    with Writer(tmp_path / "log", pending_bytes=10) as writer:
        for number in range(3):
            assert append_each(writer, [frame(number)]) == [number]
            writer.seal().result(30)


def test_a_closed_writer_has_written_everything_and_takes_no_more(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "log", gather_seconds=5)
    futures = [writer.append(one) for one in frames(10)]
    writer.close()
    writer.close()
    assert [future.result(0) for future in futures] == list(range(10))
    with pytest.raises(LogClosedError, match="was closed: open it again"):
        writer.append(frame(10))
    for late in (
        writer.seal,
        lambda: writer.retain(loaded_up_to=10),
        lambda: writer.rewrite(lambda position, frame: None),
    ):
        with pytest.raises(LogClosedError):
            late()


def test_too_large_a_body_disturbs_nobody(tmp_path: Path) -> None:
    with Writer(tmp_path / "log") as writer:
        with pytest.raises(FrameTooLargeError):
            writer.append(Frame(1, "d", "k", bytes(2**24)))
        assert append_all(writer, frames(2)) == [0, 1]


def test_segments_are_sealed_at_their_size_and_on_request(tmp_path: Path) -> None:
    with Writer(tmp_path / "log", segment_bytes=300, gather_seconds=0) as writer:
        append_each(writer, frames(12))
        for _ in range(2):
            assert writer.seal().result(30) == 12
        append_each(writer, frames(1, start=12))
    report = verify(tmp_path / "log")
    assert [segment.sealed for segment in report.segments] == [True] * (len(report.segments) - 1) + [False]
    assert len(report.segments) >= 5
    assert report.segments[-1].first == 12
    assert bodies(tmp_path / "log") == frames(13)


def test_requests_to_seal_keep_their_place_among_frames(tmp_path: Path) -> None:
    with Writer(tmp_path / "log", gather_seconds=5) as writer:  # a request to seal does not wait for others
        futures = [writer.append(frame(0)), writer.seal(), writer.append(frame(1)), writer.seal(), writer.seal()]
        assert [future.result(30) for future in futures] == [0, 1, 1, 2, 2]
    assert [segment.first for segment in verify(tmp_path / "log").segments] == [0, 1, 2]


def test_a_directory_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LogFailedError, match=r"file/log could not be written .*Not a directory"):
        Writer(tmp_path / "file" / "log")


def test_only_the_owner_may_read_the_files(tmp_path: Path) -> None:
    log = built(tmp_path / "log", frames(1))
    assert {path.stat().st_mode & 0o077 for path in [log, *log.iterdir()]} == {0}
