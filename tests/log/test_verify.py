"""`verify` finds whatever was changed, and says where."""

from __future__ import annotations

from pathlib import Path

import pytest

from afterword.log import LogDamagedError, LogError, Writer, verify
from afterword.log.frames import encode
from afterword.log.segments import SEAL_BYTES, SEGMENT_HEADER_BYTES
from tests.log.world import append_each, built, entries, flip, frame, frames, segments


def test_report_of_a_good_log(tmp_path: Path) -> None:
    log = built(tmp_path / "log", frames(3), frames(2, start=3), unsealed=frames(4, start=5))
    report = verify(log)
    assert report.bad is None
    assert (report.frames, report.erased, report.first, report.end) == (9, 0, 0, 9)
    assert [(s.first, s.end, s.frames, s.sealed) for s in report.segments] == [
        (0, 3, 3, True),
        (3, 5, 2, True),
        (5, 9, 4, False),
    ]
    assert [s.size for s in report.segments] == [path.stat().st_size for path in segments(log)]
    assert report.size == sum(path.stat().st_size for path in segments(log))


def test_every_flipped_bit_of_a_sealed_segment_is_found(memory_path: Path) -> None:
    log = built(memory_path / "log", [frame(0), frame(1, size=200)], unsealed=[frame(2)])
    path = segments(log)[0]
    good = path.read_bytes()
    for place in range(len(good)):
        flip(path, place, bit=place % 8)
        report = verify(log)
        assert report.bad is not None, place
        assert report.bad.path == path
        assert report.bad.torn is False
        assert report.segments[0].bad == report.bad
        assert not report.segments[0].sealed
        path.write_bytes(good)
    assert verify(log).bad is None


def test_no_flipped_bit_of_a_sealed_segment_is_read(memory_path: Path) -> None:
    """Reading stops loudly."""
    log = built(memory_path / "log", [frame(0), frame(1, size=200)], unsealed=[frame(2)])
    path = segments(log)[0]
    good = path.read_bytes()
    for place in range(len(good)):
        flip(path, place, bit=place % 8)
        with pytest.raises(LogDamagedError, match=path.name):
            entries(log)
        path.write_bytes(good)


def test_a_good_frame_in_the_wrong_place_is_not_read(tmp_path: Path) -> None:
    """As after a block of the disk was written twice: every checksum but the seal's over the whole is right."""
    log = built(tmp_path / "log", frames(3), unsealed=frames(1, start=3))
    path = segments(log)[0]
    data, size = path.read_bytes(), encode(frame(0)).size
    begin = SEGMENT_HEADER_BYTES
    path.write_bytes(data[:begin] + data[begin + size : begin + 2 * size] + data[begin + size :])
    with pytest.raises(LogDamagedError, match="a frame of position 1 stands here"):
        entries(log)
    with pytest.raises(LogDamagedError, match="a frame of position 1 stands here"):
        entries(log, from_position=2)
    report = verify(log)
    assert report.bad is not None
    assert (report.bad.position, report.bad.offset) == (0, begin)


def test_a_segment_sealed_last_is_sealed_too(memory_path: Path) -> None:
    log = built(memory_path / "log", frames(3))
    segments(log)[1].unlink()
    path = segments(log)[0]
    good = path.read_bytes()
    for place in range(len(good) - SEAL_BYTES):
        flip(path, place)
        report = verify(log)
        assert report.bad is not None
        assert report.bad.torn is False
        with pytest.raises(LogDamagedError):
            entries(log)
        path.write_bytes(good)


def test_a_torn_tail_is_called_torn(tmp_path: Path) -> None:
    log = built(tmp_path / "log", frames(3), unsealed=frames(2, start=3))
    path = segments(log)[1]
    path.write_bytes(path.read_bytes()[:-1])
    report = verify(log)
    assert report.bad is not None
    assert (report.bad.torn, report.bad.position, report.frames) == (True, 4, 4)
    assert "ends inside a frame" in report.bad.reason


def test_while_a_writer_is_at_work_the_durable_part_is_verified(tmp_path: Path) -> None:
    with Writer(tmp_path / "log", gather_seconds=0) as writer:
        append_each(writer, frames(3))
        path = segments(tmp_path / "log")[0]
        with path.open("ab") as file:
            file.write(b"AWFR half a frame")
        report = verify(tmp_path / "log", up_to=writer.durable)
    assert (report.bad, report.frames) == (None, 3)


def test_no_log_is_an_error(tmp_path: Path) -> None:
    for directory in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(LogError, match="there is no log in"):
            verify(directory)
        with pytest.raises(LogError, match="there is no log in"):
            entries(directory)
