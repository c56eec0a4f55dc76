"""Reading: from any position, behind a growing log, and never from what is not there."""

from __future__ import annotations

import threading
import tracemalloc
from pathlib import Path
from typing import BinaryIO

import pytest

from afterword.log import Frame, LogDamagedError, LogPositionError, Reader, Writer, read
from afterword.log import reading as reading_module
from afterword.log.scanning import offset_of
from tests.log.world import append_all, append_each, built, entries, frame, frames, segments


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return built(tmp_path / "log", frames(3), frames(4, start=3), unsealed=frames(2, start=7))


@pytest.mark.parametrize("start", range(10))
def test_from_any_position(log: Path, start: int) -> None:
    assert [(e.position, e.frame) for e in entries(log, start)] == [(p, frame(p)) for p in range(start, 9)]


@pytest.mark.parametrize("end", range(10))
def test_up_to_any_position(log: Path, end: int) -> None:
    assert [entry.position for entry in entries(log, 2, up_to=end)] == list(range(2, end))


def test_position_says_what_comes_next(log: Path) -> None:
    reader = Reader(log, 2)
    reading = reader.read()
    assert reader.position == 2
    assert [next(reading).position, next(reading).position] == [2, 3]
    assert reader.position == 4
    assert [entry.position for entry in reader.read(up_to=8)] == [4, 5, 6, 7]
    assert [entry.position for entry in reader.read()] == [8]
    assert list(reader.read()) == []
    assert reader.position == 9


def test_beyond_the_end_is_an_error(log: Path) -> None:
    with pytest.raises(LogPositionError, match=r"position 10 of the log in .* lies beyond its end at 9: is this"):
        entries(log, 10)
    with pytest.raises(LogPositionError, match="position 5000 "):
        entries(log, 5000)
    with pytest.raises(LogDamagedError, match=r"position 9 .*ends"):
        entries(log, 8, up_to=10)


def test_beyond_the_end_of_a_log_that_ends_with_a_seal_is_an_error(log: Path) -> None:
    segments(log)[2].unlink()
    assert [entry.position for entry in entries(log, 6)] == [6]
    with pytest.raises(LogPositionError, match="beyond its end at 7"):
        entries(log, 8)
    with pytest.raises(LogPositionError, match="beyond its end at 7"):
        entries(log, 6, up_to=8)


def test_before_the_beginning_is_an_error(log: Path) -> None:
    with Writer(log) as writer:
        writer.retain(loaded_up_to=9, keep_bytes=0)
    with pytest.raises(LogPositionError, match=r"position 6 .* was removed by retention: the log begins at 7"):
        entries(log, 6)
    assert [entry.position for entry in entries(log, 7)] == [7, 8]


def test_removed_while_reading_is_an_error(log: Path) -> None:
    reader = Reader(log, 0)
    next(reader.read())
    with Writer(log) as writer:
        writer.retain(loaded_up_to=9, keep_bytes=0)
    with pytest.raises(LogPositionError, match=r"position 1 .* was removed"):
        list(reader.read())


def test_a_torn_tail_ends_reading_quietly_unless_it_was_durable(log: Path) -> None:
    path = segments(log)[2]
    path.write_bytes(path.read_bytes()[:-1])
    assert [entry.position for entry in entries(log, 6)] == [6, 7]
    with pytest.raises(LogDamagedError, match=r"position 8 .*ends inside a frame"):
        entries(log, 6, up_to=9)


def test_a_follower_sees_everything_once_and_in_order(tmp_path: Path) -> None:
    count = 3000
    seen: list[int] = []
    with Writer(tmp_path / "log", segment_bytes=20_000, gather_seconds=0.0005) as writer:
        pause = threading.Event()

        def follow() -> None:
            reader = Reader(tmp_path / "log", 0)
            while len(seen) < count:
                for entry in reader.read(up_to=writer.durable):
                    assert entry.frame == frame(entry.position)
                    seen.append(entry.position)
                pause.wait(0.001)

        follower = threading.Thread(target=follow, daemon=True)
        follower.start()
        for start in range(0, count, 50):
            append_all(writer, frames(50, start=start))
        follower.join(60)
    assert seen == list(range(count))
    assert len(segments(tmp_path / "log")) > 5


def test_a_reader_without_a_bound_does_not_trip_over_a_live_writer(tmp_path: Path) -> None:
    count = 2000
    seen: list[int] = []
    with Writer(tmp_path / "log", segment_bytes=5_000, gather_seconds=0) as writer:

        def follow() -> None:
            reader = Reader(tmp_path / "log", 0)
            while len(seen) < count:
                seen.extend(entry.position for entry in reader.read())

        follower = threading.Thread(target=follow, daemon=True)
        follower.start()
        for start in range(0, count, 20):
            append_all(writer, frames(20, start=start))
        follower.join(60)
    assert seen == list(range(count))


def test_following_does_not_read_again_what_was_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    searches: list[int] = []

    def spy(file: BinaryIO, wanted: int, first: int) -> tuple[int, int]:
        searches.append(wanted)
        return offset_of(file, wanted, first)

    monkeypatch.setattr(reading_module, "offset_of", spy)
    with Writer(tmp_path / "log", gather_seconds=0) as writer:
        reader = Reader(tmp_path / "log", 0)
        for number in range(10):
            append_each(writer, [frame(number)])
            assert [entry.position for entry in reader.read(writer.durable)] == [number]
    assert searches == [0]


def test_memory_does_not_grow_with_the_log(tmp_path: Path) -> None:
    big = Frame(1, "d", "k", bytes(1_000_000))
    with Writer(tmp_path / "log") as writer:
        append_each(writer, [big] * 20)
    tracemalloc.start()
    count = sum(1 for _ in read(tmp_path / "log", 0))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 20
    assert peak < 6_000_000
