"""Verifying a whole log: every checksum, every seal, every body, and that no segment is missing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from afterword.log.faults import LogDamagedError, LogError
from afterword.log.frames import Kind
from afterword.log.scanning import BadPlaceError, is_complete, open_up, walk_segment, was_durable
from afterword.log.segments import SEAL_BYTES, Tally, first_position, segment_paths


@dataclass(frozen=True, slots=True)
class BadPlace:
    """Where a log stops being believable.

    Attributes:
        path: the segment.
        position: the position that should be there.
        offset: where in the file, in bytes.
        reason: what is wrong.
        torn: a crash may have left it at the end of the unfinished last segment; opening the log cuts it.

    """

    path: Path
    position: int
    offset: int
    reason: str
    torn: bool


@dataclass(frozen=True, slots=True)
class SegmentReport:
    """What one segment holds, as far as it is good.

    Attributes:
        path: the file.
        first: position of its first frame.
        end: position behind its last good frame.
        frames: how many good frames, erased ones included.
        erased: how many of them are erased.
        size: bytes up to the end of the last good frame, or of the seal.
        sealed: whether a good seal ends it.
        bad: its first bad place, None if it is good.

    """

    path: Path
    first: int
    end: int
    frames: int
    erased: int
    size: int
    sealed: bool
    bad: BadPlace | None


@dataclass(frozen=True, slots=True)
class Report:
    """What a log holds.

    Attributes:
        segments: each segment, in order.
        bad: the first bad place of all, a missing segment included; None if the log is good.

    """

    segments: tuple[SegmentReport, ...]
    bad: BadPlace | None

    @property
    def frames(self) -> int:
        """How many good frames, erased ones included."""
        return sum(segment.frames for segment in self.segments)

    @property
    def erased(self) -> int:
        """How many frames are erased."""
        return sum(segment.erased for segment in self.segments)

    @property
    def size(self) -> int:
        """How many good bytes."""
        return sum(segment.size for segment in self.segments)

    @property
    def first(self) -> int:
        """The first position of the log."""
        return self.segments[0].first

    @property
    def end(self) -> int:
        """The position behind the last good frame."""
        return self.segments[-1].end


def verify(directory: Path | str, up_to: int | None = None) -> Report:
    """Read a whole log and report what it holds and its first bad place. Nothing is changed.

    Args:
        directory: the log.
        up_to: while a writer is at work: how far the last segment can be believed, `Writer.durable`.

    Raises:
        LogError: there is no log here, or a later version wrote it.

    """
    directory = Path(directory)
    paths = segment_paths(directory) if directory.is_dir() else []
    if not paths:
        raise LogError(f"there is no log in {directory}: is this the right directory?")
    segments = tuple(_verify_segment(path, up_to) for path in paths)
    bad = [segment.bad for segment in segments if segment.bad]
    gaps = [
        BadPlace(there.path, here.end, 0, f"position {here.end} should follow, it begins at {there.first}", torn=False)
        for here, there in pairwise(segments)
        if here.bad is None and here.end != there.first
    ]
    return Report(segments, min([*bad, *gaps], key=lambda place: place.position, default=None))


def _verify_segment(path: Path, up_to: int | None) -> SegmentReport:
    tally, kinds = Tally(), Counter[int]()
    complete = is_complete(path)
    bad = None
    try:
        with path.open("rb") as file:
            for found in walk_segment(file, path, tally, None if complete else up_to):
                open_up(found)
                kinds[found.header.kind] += 1
        if complete and not kinds[Kind.SEAL]:
            raise BadPlaceError(first_position(path) + tally.frames, tally.size, "the file ends without a seal")
    except BadPlaceError as place:
        torn = not complete and not was_durable(path, place.position, place.offset)
        bad = BadPlace(path, place.position, place.offset, place.reason, torn)
    except LogDamagedError as damage:
        bad = BadPlace(path, damage.position, damage.offset, damage.reason, torn=False)
    sealed = kinds[Kind.SEAL] > 0
    return SegmentReport(
        path=path,
        first=first_position(path),
        end=first_position(path) + tally.frames,
        frames=tally.frames,
        erased=kinds[Kind.ERASED],
        size=tally.size + SEAL_BYTES * sealed,
        sealed=sealed and bad is None,
        bad=bad,
    )
