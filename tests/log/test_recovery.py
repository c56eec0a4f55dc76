"""After a crash: the torn tail is cut and reported, all before it is there, appending goes on; damage is refused."""

from __future__ import annotations

import shutil
import zlib
from pathlib import Path

import pytest

from afterword.log import Frame, LogDamagedError, LogError, Writer, read, verify
from afterword.log.frames import HEADER_BYTES, encode
from afterword.log.segments import SEAL_BYTES, SEGMENT_HEADER_BYTES
from tests.log.world import append_all, append_each, bodies, built, entries, flip, frame, frames, segments


def ends_of_frames(path: Path) -> list[int]:
    """Say at which byte of a log of one segment each frame ends."""
    sizes = [encode(entry.frame).size for entry in read(path.parent, 0)]
    return [SEGMENT_HEADER_BYTES + sum(sizes[:count]) for count in range(len(sizes) + 1)]


def test_the_file_cut_at_every_byte_keeps_all_whole_frames_and_nothing_else(memory_path: Path) -> None:
    appended = [*frames(4), frame(4, size=0)]
    whole = segments(built(memory_path / "whole", unsealed=appended))[0]
    ends, data = ends_of_frames(whole), whole.read_bytes()
    assert ends[-1] == len(data)
    for length in range(SEGMENT_HEADER_BYTES, len(data) + 1):
        log = memory_path / "cut"
        shutil.rmtree(log, ignore_errors=True)
        log.mkdir()
        (log / whole.name).write_bytes(data[:length])
        kept = sum(end <= length for end in ends) - 1
        assert bodies(log) == appended[:kept]
        with Writer(log, gather_seconds=0) as writer:
            assert writer.durable == kept
            assert (writer.cut is None) == (length in ends)
            if writer.cut is not None:
                assert (writer.cut.position, writer.cut.offset) == (kept, ends[kept])
                assert writer.cut.size == length - ends[kept]
            assert append_all(writer, [frame(99)]) == [kept]
        assert [entry.position for entry in entries(log)] == list(range(kept + 1))
        assert bodies(log) == [*appended[:kept], frame(99)]
        assert verify(log).bad is None


def test_zeros_behind_the_last_frame_are_cut(tmp_path: Path) -> None:
    path = segments(built(tmp_path / "log", unsealed=frames(3)))[0]
    path.write_bytes(path.read_bytes() + bytes(5000))
    with Writer(tmp_path / "log") as writer:
        assert writer.cut is not None
        assert (writer.cut.size, writer.cut.position) == (5000, 3)
        assert "no frame begins here" in writer.cut.reason
    assert bodies(tmp_path / "log") == frames(3)


def test_a_group_torn_in_its_middle_is_cut_there(tmp_path: Path) -> None:
    """The pages of one write reach the disk in any order."""
    with Writer(tmp_path / "log", gather_seconds=0.2) as writer:
        append_each(writer, frames(2))
        append_all(writer, frames(5, start=2))  # one group
    path = segments(tmp_path / "log")[0]
    flip(path, ends_of_frames(path)[4] + HEADER_BYTES)
    report = verify(tmp_path / "log")
    assert report.bad is not None
    assert report.bad.torn is True
    with Writer(tmp_path / "log") as writer:
        assert writer.cut is not None
        assert writer.cut.position == 4
    assert bodies(tmp_path / "log") == frames(4)


def test_damage_before_durable_frames_is_refused_and_cut_only_on_request(tmp_path: Path) -> None:
    path = segments(built(tmp_path / "log", unsealed=frames(5)))[0]
    offset = ends_of_frames(path)[2]
    flip(path, offset + HEADER_BYTES)
    report = verify(tmp_path / "log")
    assert report.bad is not None
    assert (report.bad.torn, report.bad.position) == (False, 2)
    with pytest.raises(LogDamagedError, match=r"seg is damaged at byte \d+, position 2 .*cut_damage=True") as caught:
        Writer(tmp_path / "log")
    assert (caught.value.path, caught.value.position, caught.value.offset) == (path, 2, offset)
    assert len(path.read_bytes()) > offset
    with Writer(tmp_path / "log", cut_damage=True) as writer:
        assert writer.cut is not None
        assert writer.cut.position == 2
    assert bodies(tmp_path / "log") == frames(2)


def test_a_missing_segment_is_refused(tmp_path: Path) -> None:
    log = built(tmp_path / "log", frames(3), frames(2, start=3), unsealed=frames(1, start=5))
    segments(log)[1].unlink()
    with pytest.raises(LogDamagedError, match=r"00000000000000000003\.seg .*missing between"):
        Writer(log)
    with pytest.raises(LogDamagedError, match=r"00000000000000000003\.seg .*missing before"):
        entries(log)
    with pytest.raises(LogDamagedError, match="missing"):
        entries(log, from_position=4)
    report = verify(log)
    assert report.bad is not None
    assert (report.bad.position, report.bad.torn) == (3, False)


def test_a_segment_in_the_middle_without_its_seal_is_refused(tmp_path: Path) -> None:
    log = built(tmp_path / "log", frames(3), unsealed=frames(1, start=3))
    first = segments(log)[0]
    first.write_bytes(first.read_bytes()[:-SEAL_BYTES])
    with pytest.raises(LogDamagedError, match="its seal is missing"):
        Writer(log)
    with pytest.raises(LogDamagedError, match="without a seal"):
        entries(log)
    assert verify(log).bad is not None


def test_a_crash_between_the_seal_and_the_next_segment(tmp_path: Path) -> None:
    log = built(tmp_path / "log", frames(3))
    segments(log)[1].unlink()
    assert bodies(log) == frames(3)
    assert entries(log, from_position=3) == []
    with Writer(log) as writer:
        assert writer.cut is None
        assert append_all(writer, [frame(3)]) == [3]
    assert bodies(log) == frames(4)


def test_a_seal_torn_at_every_byte_is_cut(memory_path: Path) -> None:
    whole = built(memory_path / "whole", frames(3))
    data = segments(whole)[0].read_bytes()
    for length in range(len(data) - SEAL_BYTES, len(data)):
        log = memory_path / f"cut-{length}"
        log.mkdir()
        (log / segments(whole)[0].name).write_bytes(data[:length])
        with Writer(log) as writer:
            assert append_all(writer, [frame(3)]) == [3]
        assert bodies(log) == frames(4)


def test_bytes_behind_a_seal_are_cut_with_it(tmp_path: Path) -> None:
    log = built(tmp_path / "log", frames(3))
    segments(log)[1].unlink()
    path = segments(log)[0]
    path.write_bytes(path.read_bytes() + b"x")
    with Writer(log) as writer:
        assert writer.cut is not None
        assert writer.cut.size == SEAL_BYTES + 1
        append_all(writer, [frame(3)])
    assert bodies(log) == frames(4)


def test_what_was_left_half_written_aside_is_removed(tmp_path: Path) -> None:
    log = built(tmp_path / "log", unsealed=frames(2))
    left = log / "00000000000000000002.seg.new"
    left.write_bytes(b"half")
    assert bodies(log) == frames(2)
    Writer(log).close()
    assert not left.exists()


@pytest.mark.parametrize("place", range(SEGMENT_HEADER_BYTES))
def test_a_damaged_header_of_the_last_segment_is_refused(memory_path: Path, place: int) -> None:
    log = built(memory_path / "log", unsealed=frames(2))
    flip(segments(log)[0], place)
    with pytest.raises(LogDamagedError, match="damaged at byte 0"):
        Writer(log)


def test_a_later_format_is_refused(tmp_path: Path) -> None:
    log = built(tmp_path / "log", unsealed=frames(2))
    path = segments(log)[0]
    data = bytearray(path.read_bytes())
    data[8] = 2
    data[28:32] = zlib.crc32(data[:28]).to_bytes(4, "little")
    path.write_bytes(data)
    for look in (lambda: Writer(log), lambda: verify(log), lambda: entries(log)):
        with pytest.raises(LogError, match="has format 2, this version of Afterword reads 1: install a later one"):
            look()


def test_a_renamed_segment_is_refused(tmp_path: Path) -> None:
    log = built(tmp_path / "log", unsealed=frames(2))
    segments(log)[0].rename(log / "00000000000000000007.seg")
    with pytest.raises(LogDamagedError, match="says that it begins at 0"):
        Writer(log)


def test_bodies_that_contain_frames_do_no_harm(tmp_path: Path) -> None:
    """A torn frame may hold bytes that look like another frame."""
    inner = encode(frame(1)).at(0)
    sly = Frame(1, "d", "k", inner)
    path = segments(built(tmp_path / "log", unsealed=[frame(0), sly]))[0]
    path.write_bytes(path.read_bytes()[:-1])
    with Writer(tmp_path / "log") as writer:
        assert writer.cut is not None
    assert bodies(tmp_path / "log") == [frame(0)]
