"""What a server does with its log besides writing it: segments are completed, and removed when they are old."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from afterword.durations import parse_duration
from afterword.errors import UserError
from afterword.interfaces.api.metrics import Metrics
from afterword.log import LogError, Removed
from afterword.log.segments import first_position, segment_paths
from afterword.log.writer import SEGMENT_BYTES
from afterword.settings import ERASE_WITHIN, KEEP_LOG_BYTES, size_bytes
from afterword.workspace.backlog import Backlog
from afterword.workspace.data_directory import DAY
from afterword.workspace.reopened_log import ReopenedLog

LOGGER = logging.getLogger("afterword")
LEAST_SEGMENT_BYTES = 1 << 20
PARTS = 8
"""The log is kept in so many segments at least, so that what is removed at once is a small part of it."""


@dataclass(frozen=True)
class Upkeep:
    """How long things are kept; times are in microseconds."""

    erase_within: int = DAY
    """How long erased persons may still stand in the log and in old blocks."""
    keep_log: int | None = None
    keep_log_bytes: int | None = None
    look_seconds: float = 60.0

    @property
    def segment_bytes(self) -> int:
        """How large a segment becomes."""
        if self.keep_log_bytes is None:
            return SEGMENT_BYTES
        return min(SEGMENT_BYTES, max(LEAST_SEGMENT_BYTES, self.keep_log_bytes // PARTS))

    @property
    def segment_age(self) -> int | None:
        """After which time a segment is complete, however small: only then it can be removed."""
        return None if self.keep_log is None else min(DAY, self.keep_log // PARTS)


def read_upkeep(erase_within: str, keep_log_days: int | None, keep_log_bytes: str | None) -> Upkeep:
    """Read the settings of this name."""
    try:
        seconds = parse_duration(erase_within)
    except UserError as error:
        raise UserError(f"{ERASE_WITHIN.option}: {error}") from None
    if keep_log_days is not None and keep_log_days < 1:
        raise UserError(f"keep-log-days is {keep_log_days}, must be at least 1; leave it out to keep everything")
    size = None if keep_log_bytes is None else size_bytes(KEEP_LOG_BYTES.name, keep_log_bytes, 8 * LEAST_SEGMENT_BYTES)
    days = None if keep_log_days is None else keep_log_days * DAY
    return Upkeep(seconds * 1_000_000, days, size)


class LogUpkeep:
    """Looks after the log of a running server."""

    def __init__(
        self, log: ReopenedLog, backlog: Backlog, upkeep: Upkeep, clock: Callable[[], int], metrics: Metrics
    ) -> None:
        """Prepare, and announce what is told to Prometheus.

        Args:
            log: the log.
            backlog: how far it is loaded, and whether it is being rewritten.
            upkeep: how long it is kept.
            clock: the time, in microseconds since 1970.
            metrics: told what was removed.

        """
        self._log = log
        self._backlog = backlog
        self._upkeep = upkeep
        self._clock = clock
        self._metrics = metrics
        self._sealed_at = clock()
        self._told = ""
        self._size, self._first = self._measured()
        metrics.gauge("afterword_log_bytes", "Size of the log.", lambda: self._size)
        metrics.gauge("afterword_log_first_position", "Where the log begins.", lambda: self._first)
        metrics.counter("afterword_log_removed_segments_total", "Segments that were old or too many.")
        metrics.counter("afterword_log_removed_bytes_total", "Their bytes.")
        metrics.add("afterword_log_removed_segments_total", 0)
        metrics.add("afterword_log_removed_bytes_total", 0)

    async def run(self) -> None:
        """Look after it again and again; what goes wrong is told once and tried again."""
        while True:
            try:
                await asyncio.to_thread(self.look)
                self._told = ""
            except (LogError, OSError) as error:
                if self._told != (told := str(error)):
                    self._told = told
                    LOGGER.error("old segments of the log cannot be removed yet: %s", error)
            await asyncio.sleep(self._upkeep.look_seconds)

    def look(self) -> None:
        """Complete a segment that is old, remove those that are too old or too many, and measure what is there."""
        keep, now = self._upkeep, self._clock()
        if keep.segment_age is not None and abs(now - self._sealed_at) >= keep.segment_age:
            self._sealed_at = now
            self._log.seal()
        if keep.keep_log is not None or keep.keep_log_bytes is not None:
            self._remove(now)
        self._size, self._first = self._measured()

    def _remove(self, now: int) -> None:
        backlog, keep = self._backlog, self._upkeep
        if not backlog.heard or backlog.at_the_log:  # nobody knows what is loaded; or they are being replaced
            return
        before = None if keep.keep_log is None else now - keep.keep_log
        removed = self._log.retain(min(backlog.loaded, backlog.attributed), before, keep.keep_log_bytes)
        if removed.segments:
            self._tell(removed)

    def _tell(self, removed: Removed) -> None:
        self._metrics.add("afterword_log_removed_segments_total", removed.segments)
        self._metrics.add("afterword_log_removed_bytes_total", removed.size)
        LOGGER.info("%d old segments of the log were removed; it begins at %d now", removed.segments, removed.first)

    def _measured(self) -> tuple[int, int]:
        paths = segment_paths(self._log.directory)
        return sum(path.stat().st_size for path in paths), first_position(paths[0])
