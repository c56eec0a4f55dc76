"""Removing whole segments that are old or too many, but never what has not been loaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from afterword.log.disk import sync_directory
from afterword.log.segments import Seal, first_position, seal_of, segment_paths


@dataclass(frozen=True, slots=True)
class Removed:
    """What retention removed.

    Attributes:
        segments: how many segments.
        size: how many bytes they had.
        first: the position at which the log begins now.

    """

    segments: int
    size: int
    first: int


def remove_segments(directory: Path, loaded_up_to: int, received_before: int | None, keep_bytes: int | None) -> Removed:
    """Remove sealed segments, oldest first, and stop at the first that must stay. The last segment always stays.

    A segment goes if all its frames stand before `loaded_up_to`, and either all were received before a time, or the
    log is too large. Each removal is on the disk before the next one, so a crash never leaves a gap.

    Args:
        directory: the log, locked by the caller.
        loaded_up_to: frames from this position on are still needed.
        received_before: epoch microseconds; None removes nothing by age.
        keep_bytes: how large all segments together may be; None removes nothing by size.

    Raises:
        OSError: a file could not be removed.

    """
    paths = segment_paths(directory)
    sizes = {path: path.stat().st_size for path in paths}
    left, removed = sum(sizes.values()), 0
    for path in paths[:-1]:
        seal = seal_of(path)
        too_large = keep_bytes is not None and left > keep_bytes
        if seal is None or first_position(path) + seal.frames > loaded_up_to:
            break
        if not (too_large or _is_old(seal, received_before)):
            break
        path.unlink()
        sync_directory(directory)
        left -= sizes[path]
        removed += 1
    return Removed(removed, sum(sizes.values()) - left, first_position(paths[removed]))


def _is_old(seal: Seal, received_before: int | None) -> bool:
    return received_before is not None and seal.latest < received_before
