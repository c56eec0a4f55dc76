"""Reading from a position on: a loader that follows the growing log, and replay."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from afterword.log.faults import LogDamagedError, LogError, LogPositionError
from afterword.log.frames import BadFrameError, Frame, Kind
from afterword.log.scanning import BadPlaceError, Found, is_complete, offset_of, open_up, walk
from afterword.log.segments import first_position, parse_seal, read_header, segment_path, segment_paths


@dataclass(frozen=True, slots=True)
class Entry:
    """A frame and its position."""

    position: int
    frame: Frame


@dataclass(frozen=True, slots=True)
class _Bookmark:
    """Where in which file a position was found, so that following does not search again."""

    path: Path
    generation: int
    position: int
    offset: int


class Reader:
    """Reads a log from a position on, again and again; between two calls it holds no file open.

    Attributes:
        position: the next position that will be read. A loader stores it in the transaction of what it has loaded.

    """

    def __init__(self, directory: Path | str, from_position: int) -> None:
        """Take a place in the log; nothing is read yet."""
        self.directory = Path(directory)
        self.position = from_position
        self._bookmark: _Bookmark | None = None
        self._generation = 0

    def read(self, up_to: int | None = None) -> Iterator[Entry]:
        """Yield the frames from `position` on; erased ones are passed over. Holds one frame in memory.

        `position` is behind a frame as soon as it was yielded. An iteration keeps the file open that it is in: one that
        was begun before `Writer.rewrite` may still see old content of that file.

        Args:
            up_to: read the frames before this position, all of which must be there: `Writer.durable`. Without it
                reading ends at the first frame of the unfinished last segment that is not whole, and what a live writer
                has written but not yet synced may be among the frames.

        Raises:
            LogPositionError: retention has removed the position, or the log has not reached it.
            LogDamagedError: a frame that must be good is not; the frames before it were yielded.
            LogError: there is no log here, or a later version wrote it.

        """
        again: Path | None = None
        while up_to is None or self.position < up_to:
            path = again or self._segment()
            try:
                yield from self._read_segment(path, up_to)
            except FileNotFoundError:
                again = None
                continue  # removed just now; the next turn says so
            except BadPlaceError as bad:
                if up_to is None and not is_complete(path):
                    return
                # Without `up_to` a writer may have completed frame and segment just after they were read.
                if up_to is not None or again is not None:
                    raise LogDamagedError(path, bad.position, bad.offset, bad.reason) from bad
                again = path
                continue
            again = None
            if (up_to is None or self.position < up_to) and not self._goes_on_after(path):
                break
        if up_to is not None and self.position < up_to:
            raise LogPositionError(self.directory, up_to, 0, self.position)

    def _segment(self) -> Path:
        """Return the segment that `position` is in, or will be."""
        paths = segment_paths(self.directory) if self.directory.is_dir() else []
        if not paths:
            raise LogError(f"there is no log in {self.directory}: is this the right directory?")
        if self.position < (first := first_position(paths[0])):
            raise LogPositionError(self.directory, self.position, first, first)
        return [path for path in paths if first_position(path) <= self.position][-1]

    def _goes_on_after(self, path: Path) -> bool:
        """Whether a segment follows the one whose seal was reached; it must begin at `position`."""
        following = [other for other in segment_paths(self.directory) if other > path]
        if following and first_position(following[0]) > self.position:
            missing = segment_path(self.directory, self.position)
            raise LogDamagedError(missing, self.position, 0, f"it is missing before {following[0].name}")
        return bool(following)

    def _read_segment(self, path: Path, up_to: int | None) -> Iterator[Entry]:
        """Yield what is left of a segment, to its seal or `up_to`; if neither comes, that is a bad place."""
        with path.open("rb") as file:
            offset = self._find(file, path)
            for found in walk(file, self.position, offset, up_to):
                if found.header.kind == Kind.SEAL:
                    _check_seal(found, path)
                    return
                frame = open_up(found)
                offset = found.end
                self.position += 1
                self._bookmark = _Bookmark(path, self._generation, self.position, offset)
                if frame is not None:
                    yield Entry(found.header.position, frame)
        if self.position != up_to:
            raise BadPlaceError(self.position, offset, "the file ends without a seal")

    def _find(self, file: BinaryIO, path: Path) -> int:
        """Return where `position` begins in a segment: the bookmark knows, unless the file was rewritten meanwhile."""
        header = read_header(file, path)
        self._generation = header.generation
        mark = self._bookmark
        if mark and (mark.path, mark.generation, mark.position) == (path, header.generation, self.position):
            return mark.offset
        reached, offset = offset_of(file, self.position, header.first)
        if reached < self.position:
            if any(first_position(other) > reached for other in segment_paths(self.directory)):
                missing = segment_path(self.directory, reached)
                raise LogDamagedError(missing, reached, 0, "it is missing, and others follow")
            raise LogPositionError(self.directory, self.position, 0, reached)
        return offset


def read(directory: Path | str, from_position: int, up_to: int | None = None) -> Iterator[Entry]:
    """Yield the frames of a log from a position on, which is also how it is replayed; see `Reader.read`."""
    return Reader(directory, from_position).read(up_to)


def _check_seal(found: Found, path: Path) -> None:
    """Compare what a seal says with where it was found; its checksum over all bytes is for `verify`."""
    position, offset = found.header.position, found.offset
    try:
        seal = parse_seal(found.header, found.payload)
    except BadFrameError as error:
        raise BadPlaceError(position, offset, str(error)) from error
    if (first_position(path) + seal.frames, seal.size) != (position, offset):
        raise BadPlaceError(position, offset, "the seal does not belong to what stands before it")
