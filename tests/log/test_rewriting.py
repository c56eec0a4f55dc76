"""Rewriting: erased content is gone from every file, and everything else stays where it was (rule 36)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from afterword.log import Frame, LogDamagedError, Reader, Rewritten, Writer, read, verify
from afterword.log import rewriting as rewriting_module
from afterword.log.frames import HEADER_BYTES, MAGIC, decode, header_of
from tests.log.world import append_all, append_each, bodies, built, entries, flip, frame, frames, segments

SECRET = b"ann.lee@example.com"


def of_ann(number: int, compressed: bool) -> Frame:
    return Frame(number, "native.events", "k", b'{"user_id": "' + SECRET + b'"}' * (50 if compressed else 1))


def contains(directory: Path, wanted: bytes) -> bool:
    """Search all files, and whatever can be decompressed at any byte of them that looks like a frame."""
    for path in directory.iterdir():
        data = path.read_bytes()
        if wanted in data:
            return True
        at = data.find(MAGIC)
        while at >= 0:
            header = header_of(data[at : at + HEADER_BYTES])
            payload = data[at + HEADER_BYTES : at + HEADER_BYTES + header.stored]
            if header.kind == 1:
                found = decode(header, payload)
                if wanted in found.body + found.extra + found.dialect.encode() + found.key_id.encode():
                    return True
            at = data.find(MAGIC, at + 1)
    return False


def without_ann(position: int, frame: Frame) -> Frame | None:
    return None if SECRET in frame.body else frame


@pytest.mark.parametrize("compressed", [False, True])
def test_no_byte_of_what_was_erased_is_left(tmp_path: Path, compressed: bool) -> None:
    ann = of_ann(4, compressed)
    log = built(tmp_path / "log", frames(3), [frame(3), ann, frame(5)], unsealed=[frame(6), ann])
    assert contains(log, SECRET)
    assert any(SECRET in path.read_bytes() for path in segments(log)) or compressed
    with Writer(log) as writer:
        writer.seal().result(30)
        untouched = segments(log)[0].stat()
        done = writer.rewrite(without_ann)
        assert (done.segments, done.erased, done.changed) == (2, 2, 0)
        assert 0 < done.after < done.before
        now = segments(log)[0].stat()
        assert (now.st_ino, now.st_mtime_ns) == (untouched.st_ino, untouched.st_mtime_ns)
        assert not contains(log, SECRET)
        assert not contains(log, ann.body[-30:])
        assert [(e.position, e.frame) for e in entries(log)] == [(p, frame(p)) for p in (0, 1, 2, 3, 5, 6)]
        report = verify(log)
        assert (report.bad, report.frames, report.erased) == (None, 8, 2)
        assert append_all(writer, [frame(8)]) == [8]
        assert writer.rewrite(without_ann) == Rewritten()
    assert [entry.position for entry in entries(log)] == [0, 1, 2, 3, 5, 6, 8]


@pytest.mark.parametrize("start", range(9))
def test_reading_from_any_position_passes_over_erased_frames(tmp_path: Path, start: int) -> None:
    log = built(tmp_path / "log", frames(4), frames(4, start=4))
    with Writer(log) as writer:
        writer.rewrite(lambda position, frame: None if position in (0, 3, 4, 7) else frame)
    reader = Reader(log, start)
    assert [entry.position for entry in reader.read(up_to=8)] == [p for p in (1, 2, 5, 6) if p >= start]
    assert reader.position == 8


def test_a_frame_may_get_another_body_of_any_length(tmp_path: Path) -> None:
    log = built(tmp_path / "log", frames(5))

    def change(position: int, frame: Frame) -> Frame:
        sizes = {1: b"", 3: b"x" * 10_000}
        return Frame(frame.received_at, "other", frame.key_id, sizes[position]) if position in sizes else frame

    with Writer(log) as writer:
        done = writer.rewrite(change)
    assert (done.segments, done.changed, done.erased) == (1, 2, 0)
    assert bodies(log) == [change(position, frame(position)) for position in range(5)]
    assert verify(log).bad is None


def test_the_last_segment_is_left_alone_until_it_is_sealed(tmp_path: Path) -> None:
    log = built(tmp_path / "log", unsealed=[of_ann(0, False)])
    with Writer(log) as writer:
        assert writer.rewrite(without_ann) == Rewritten()
        append_each(writer, [frame(1)])
        writer.seal().result(30)
        assert writer.rewrite(without_ann).erased == 1
    assert bodies(log) == [frame(1)]


def test_a_damaged_segment_is_not_replaced(tmp_path: Path) -> None:
    log = built(tmp_path / "log", [frame(0), of_ann(1, False), frame(2)])
    with Writer(log) as writer:
        path = segments(log)[0]
        flip(path, path.stat().st_size - 100)
        before = path.read_bytes()
        with pytest.raises(LogDamagedError, match="position 2"):
            writer.rewrite(without_ann)
    assert path.read_bytes() == before
    assert list(log.glob("*.new")) == []


def test_a_segment_that_lost_its_seal_is_not_silently_left(tmp_path: Path) -> None:
    log = built(tmp_path / "log", [of_ann(0, False)])
    with Writer(log) as writer:
        path = segments(log)[0]
        flip(path, path.stat().st_size - 1)
        with pytest.raises(LogDamagedError, match="its seal is missing"):
            writer.rewrite(without_ann)


def failing(*_: object) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("broken", ["write_whole", "sync_data", "put_in_place"])
def test_a_rewrite_that_fails_leaves_the_old_file_and_can_be_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    log = built(tmp_path / "log", [frame(0), of_ann(1, False)], [of_ann(2, True)])
    before = [path.read_bytes() for path in segments(log)]
    with Writer(log) as writer:
        with monkeypatch.context() as patch:
            patch.setattr(rewriting_module, broken, failing)
            with pytest.raises(OSError, match="No space"):
                writer.rewrite(without_ann)
        assert [path.read_bytes() for path in segments(log)] == before
        assert list(log.glob("*.new")) == []
        assert writer.rewrite(without_ann).erased == 2
        assert append_all(writer, [frame(3)]) == [3]
    assert not contains(log, SECRET)


def test_a_change_that_raises_leaves_everything(tmp_path: Path) -> None:
    log = built(tmp_path / "log", frames(3))
    asked: list[int] = []

    def change(position: int, frame: Frame) -> Frame | None:
        asked.append(position)
        if position == 2:
            raise KeyError("ours")
        return None

    before = segments(log)[0].read_bytes()
    with Writer(log) as writer, pytest.raises(KeyError):
        writer.rewrite(change)
    assert 2 in asked
    assert segments(log)[0].read_bytes() == before
    assert list(log.glob("*.new")) == []


def test_a_follower_finds_its_place_again_in_a_rewritten_segment(tmp_path: Path) -> None:
    log = built(tmp_path / "log", frames(8, size=100))
    reader = Reader(log, 0)
    reading = reader.read(up_to=8)
    assert [next(reading).position for _ in range(3)] == [0, 1, 2]
    with Writer(log) as writer:
        writer.rewrite(lambda position, frame: None if position in (1, 4) else frame)
    assert [(e.position, e.frame) for e in reader.read(up_to=8)] == [(p, frame(p, 100)) for p in (3, 5, 6, 7)]


def test_rewriting_and_retention_while_others_append_and_read(tmp_path: Path) -> None:
    log, count = tmp_path / "log", 1500
    seen: list[int] = []
    problems: list[BaseException] = []

    def guarded(work: Callable[[], None]) -> Callable[[], None]:
        def run() -> None:
            try:
                work()
            except BaseException as error:
                problems.append(error)

        return run

    with Writer(log, segment_bytes=4000, gather_seconds=0) as writer:

        def append() -> None:
            for start in range(0, count, 10):
                append_all(writer, frames(10, start=start))

        def follow() -> None:
            reader = Reader(log, 0)
            while reader.position < count and not problems:
                for entry in reader.read(up_to=writer.durable):
                    assert entry.frame == frame(entry.position)
                    seen.append(entry.position)
                writer.retain(loaded_up_to=max(0, reader.position - 500), keep_bytes=0)

        def erase() -> None:
            while writer.durable < count and not problems:
                writer.rewrite(lambda position, frame: None if position % 7 == 0 else frame)

        threads = [threading.Thread(target=guarded(work), daemon=True) for work in (append, follow, erase)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert problems == []
        writer.seal().result(30)
        writer.rewrite(lambda position, frame: None if position % 7 == 0 else frame)
    assert [position for position in seen if position % 7] == [p for p in range(count) if p % 7]
    assert sorted(set(seen)) == seen
    report = verify(log)
    assert report.bad is None
    assert 0 < report.first < count == report.end
    assert [e.position for e in read(log, report.first)] == [p for p in range(report.first, count) if p % 7]
