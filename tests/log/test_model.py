"""Any order of appending, sealing, closing, crashing, erasing and removing against a list."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from afterword.log import Frame, LogPositionError, Reader, Writer, read, verify
from tests.log.world import segments


class LogMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        shared = Path("/dev/shm")
        self.place = tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None)
        self.log = Path(self.place.name) / "log"
        self.frames: list[Frame | None] = []
        self.first = 0
        self.writer = self.opened()
        self.follower = Reader(self.log, 0)
        self.followed = 0

    def opened(self) -> Writer:
        return Writer(self.log, gather_seconds=0, segment_bytes=600)

    def teardown(self) -> None:
        self.writer.close()
        self.place.cleanup()

    def expected(self, start: int) -> list[tuple[int, Frame]]:
        there = enumerate(self.frames)
        return [(position, frame) for position, frame in there if frame is not None and position >= start]

    @rule(bodies=st.lists(st.binary(max_size=200), min_size=1, max_size=8))
    def append(self, bodies: list[bytes]) -> None:
        new = [Frame(len(self.frames) + number, "d", "k", body) for number, body in enumerate(bodies)]
        futures = [self.writer.append(frame) for frame in new]
        assert [f.result(30) for f in futures] == list(range(len(self.frames), len(self.frames) + len(new)))
        self.frames += new

    @rule()
    def seal(self) -> None:
        assert self.writer.seal().result(30) == len(self.frames)

    @rule()
    def reopen(self) -> None:
        self.writer.close()
        self.writer = self.opened()
        assert self.writer.cut is None

    @rule(noise=st.binary(min_size=1, max_size=100))
    def crash(self, noise: bytes) -> None:
        """The bytes of a group that was never synced stand behind the last frame."""
        self.writer.close()
        last = segments(self.log)[-1]
        last.write_bytes(last.read_bytes() + noise)
        self.writer = self.opened()
        assert self.writer.cut is not None
        assert self.writer.cut.size == len(noise)

    @rule(every=st.integers(1, 5), other=st.booleans())
    def rewrite(self, every: int, other: bool) -> None:
        self.writer.seal().result(30)

        def change(position: int, frame: Frame) -> Frame | None:
            if position % every:
                return frame
            return Frame(frame.received_at, "other", "k", b"other") if other else None

        for position, frame in list(enumerate(self.frames)):
            if frame is not None and position >= self.first:
                self.frames[position] = change(position, frame)
        self.writer.rewrite(change)

    @precondition(lambda self: self.frames)
    @rule(data=st.data())
    def retain(self, data: st.DataObject) -> None:
        loaded = data.draw(st.integers(0, self.followed))
        removed = self.writer.retain(loaded_up_to=loaded, keep_bytes=data.draw(st.integers(0, 3000)))
        assert self.first <= removed.first <= max(loaded, self.first)
        self.first = removed.first

    @rule()
    def follow(self) -> None:
        seen = [(entry.position, entry.frame) for entry in self.follower.read(up_to=self.writer.durable)]
        assert seen == self.expected(self.followed)
        self.followed = self.follower.position
        assert self.followed == len(self.frames)

    @rule(data=st.data())
    def read_from_anywhere(self, data: st.DataObject) -> None:
        start = data.draw(st.integers(0, len(self.frames) + 2))
        if self.first <= start <= len(self.frames):
            assert [(entry.position, entry.frame) for entry in read(self.log, start)] == self.expected(start)
        else:
            with pytest.raises(LogPositionError):
                list(read(self.log, start))

    @invariant()
    def the_log_is_good(self) -> None:
        report = verify(self.log, up_to=self.writer.durable)
        assert (report.bad, report.first, report.end) == (None, self.first, len(self.frames))
        assert self.writer.durable == len(self.frames)


TestLog = LogMachine.TestCase
TestLog.settings = settings(max_examples=40, stateful_step_count=25)
