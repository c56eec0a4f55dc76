"""The durable log of accepted request bodies: append, sync, recover, read, verify, retain, rewrite.

- `frames`: one accepted body and its bytes on disk; `segments`: the files that frames stand in
- `scanning`: walks through a segment and believes nothing unverified
- `disk`: syncing, writing whole, the lock; `recovery`, `tail`: the one segment that still grows
- `writer`: many appends, one sync for all of them; `reading`: frames from a position on; `checking`: a typed report
- `retention`, `rewriting`: removing old segments, erasing bodies
- `faults`: what can go wrong

A position is the sequence number of a frame, from 0; `docs/log-format.md` has every byte.
"""

from __future__ import annotations

from afterword.log.checking import BadPlace, Report, SegmentReport, verify
from afterword.log.faults import (
    FrameTooLargeError,
    LogBusyError,
    LogClosedError,
    LogDamagedError,
    LogError,
    LogFailedError,
    LogLockedError,
    LogPositionError,
)
from afterword.log.frames import MAX_CONTENT_BYTES, Frame
from afterword.log.reading import Entry, Reader, read
from afterword.log.recovery import Cut
from afterword.log.retention import Removed
from afterword.log.rewriting import Rewritten
from afterword.log.segments import begins_at
from afterword.log.writer import Writer

__all__ = [
    "MAX_CONTENT_BYTES",
    "BadPlace",
    "Cut",
    "Entry",
    "Frame",
    "FrameTooLargeError",
    "LogBusyError",
    "LogClosedError",
    "LogDamagedError",
    "LogError",
    "LogFailedError",
    "LogLockedError",
    "LogPositionError",
    "Reader",
    "Removed",
    "Report",
    "Rewritten",
    "SegmentReport",
    "Writer",
    "begins_at",
    "read",
    "verify",
]
