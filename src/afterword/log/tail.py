"""The one segment that still grows: groups of frames are added and synced, then it is sealed and the next begins."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from afterword.log.disk import open_fd, put_in_place, sync_data, write_whole
from afterword.log.frames import Encoded
from afterword.log.segments import UNFINISHED, SegmentHeader, Tally, segment_path

Sync = Callable[[int], None]
"""Waits until a file's data is on the disk, or raises `OSError`."""


class Tail:
    """The last segment, open for writing.

    Attributes:
        path: its file.
        position: the position of the next frame.
        tally: what stands in it, all of it durable.

    """

    def __init__(self, path: Path, position: int, tally: Tally, sync: Sync = sync_data) -> None:
        self.path = path
        self.position = position
        self.tally = tally
        self._sync = sync
        self._fd = os.open(path, os.O_RDWR)

    @classmethod
    def begin(cls, directory: Path, position: int, sync: Sync = sync_data) -> Tail:
        """Create the segment that begins at a position, durably.

        It gets its name when its header is on the disk, so no crash leaves a segment without one.

        Raises:
            OSError: the disk is full or failed.

        """
        path = segment_path(directory, position)
        unfinished = path.with_name(path.name + UNFINISHED)
        header = SegmentHeader(first=position, generation=0).to_bytes()
        with open_fd(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) as fd:
            write_whole(fd, header, 0)
            sync(fd)
        put_in_place(unfinished, path)
        tally = Tally()
        tally.add(header)
        return cls(path, position, tally, sync)

    def append(self, group: Sequence[Encoded]) -> int:
        """Add frames with one write and one sync; return the position of the first.

        Raises:
            OSError: none of them can be counted on, and nothing may be appended any more.

        """
        first = self.position
        data = b"".join(encoded.at(first + i, i) for i, encoded in enumerate(group))
        write_whole(self._fd, data, self.tally.size)
        self._sync(self._fd)
        self.tally.add(data)
        for encoded in group:
            self.tally.count(encoded.received_at)
        self.position += len(group)
        return first

    def seal(self) -> Tail:
        """Close the segment with a seal and begin the next one, which is returned.

        Raises:
            OSError: as `append`; what stood in the segment is safe.

        """
        data = self.tally.seal().encoded().at(self.position)
        write_whole(self._fd, data, self.tally.size)
        self._sync(self._fd)
        self.tally.add(data)  # from here on `abandon` must leave the seal, since the next segment may exist
        following = Tail.begin(self.path.parent, self.position, self._sync)
        self.close()
        return following

    def abandon(self) -> None:
        """Take back what a failed write may have left, as well as can be, and close."""
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, self.tally.size)
        self.close()

    def close(self) -> None:
        """Close the file; everything in it is durable already."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
