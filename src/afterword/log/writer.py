"""Appending: many threads hand in bodies, one thread writes what has come and syncs once for all of them."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from afterword.log.disk import Lock, sync_data, sync_directory, upkeep
from afterword.log.faults import LogBusyError, LogClosedError, LogError, LogFailedError
from afterword.log.frames import Encoded, Frame, encode
from afterword.log.recovery import open_tail
from afterword.log.retention import Removed, remove_segments
from afterword.log.rewriting import Change, Rewritten, rewrite_segments
from afterword.log.tail import Sync

SEGMENT_BYTES: Final = 64 * 2**20
GATHER_SECONDS: Final = 0.002
PENDING_BYTES: Final = 64 * 2**20
_GROUP_BYTES: Final = 8 * 2**20


@dataclass(frozen=True, slots=True)
class _Waiting:
    """What the writing thread is asked for: to append a frame, or to seal if there is none."""

    encoded: Encoded | None
    future: Future[int]


class Writer:
    """The one writer of a log; safe to use from all threads of its process.

    Opening cuts off what a crash left half written (`cut` says what) and takes the lock. A server with asyncio awaits
    `asyncio.wrap_future(writer.append(frame))`. Callbacks of futures run in the writing thread and must be short.

    Attributes:
        directory: where the segments are.
        cut: what was cut off at opening, None if nothing.
        durable: every frame before this position is on the disk.
        failure: what ended the writer, None while it works.

    """

    def __init__(
        self,
        directory: Path | str,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        gather_seconds: float = GATHER_SECONDS,
        pending_bytes: int = PENDING_BYTES,
        start: int = 0,
        cut_damage: bool = False,
        sync: Sync = sync_data,
    ) -> None:
        """Open a log, made if it is not there.

        Args:
            directory: the log's own directory.
            segment_bytes: a segment is sealed by the first group that brings it to this size.
            gather_seconds: how long the first frame of a group waits for others.
            pending_bytes: how much may wait for the disk before `append` refuses, after compression.
            start: the position of the first frame of a log that has none yet.
            cut_damage: give up what stands behind a damaged frame in the last segment, even if it was durable.
            sync: how to wait for the disk; tests put a failing one here.

        Raises:
            LogLockedError: another writer has this log open.
            LogDamagedError: what was durable is damaged.
            LogFailedError: the disk is full or failed.

        """
        self.directory = Path(directory)
        self.failure: LogFailedError | None = None
        self._segment_bytes = segment_bytes
        self._gather_seconds = gather_seconds
        self._pending_limit = pending_bytes
        self._changed = threading.Condition()
        self._waiting: deque[_Waiting] = deque()
        self._group: list[_Waiting] = []
        self._seals = 0
        self._pending = 0
        self._closing = False
        self._upkeep = threading.Lock()
        try:
            self._lock = _lock(self.directory)
            with self._released_on_error():
                self._tail, self.cut = open_tail(self.directory, start, cut_damage, sync)
        except OSError as error:
            raise LogFailedError(self.directory, start, error) from error
        self.durable = self._tail.position
        self._thread = threading.Thread(target=self._run, name="afterword-log", daemon=True)
        self._thread.start()

    def append(self, frame: Frame) -> Future[int]:
        """Hand in a frame; the future has its position as soon as it is on the disk.

        Compresses in the calling thread (about 30 µs for 10 KB), then returns at once. The future cannot be cancelled.

        Raises:
            FrameTooLargeError: the frame is over a limit.
            LogBusyError: too much is waiting for the disk.
            LogFailedError: a write or sync failed before; also what the future raises if it fails now.
            LogClosedError: the writer was closed.

        """
        return self._hand_in(encode(frame))

    def seal(self) -> Future[int]:
        """Complete the current segment after all that was handed in before; the future has the next one's position.

        Does nothing if the segment is empty. Raises as `append`.
        """
        return self._hand_in(None)

    def rewrite(self, change: Change, concerns: Callable[[int, int], bool] = lambda _first, _end: True) -> Rewritten:
        """Replace or erase frames in all sealed segments; see `rewriting.rewrite_segments`. `seal` first for the rest.

        Raises:
            LogDamagedError: a sealed segment is bad; it was left alone.
            LogLockedError: another process is at the sealed segments.
            LogClosedError: the writer was closed, and so another may write.
            OSError: the disk is full or failed; segments before it are done, the others untouched, try again.

        """
        with self._upkeep, upkeep(self.directory):
            self._refuse_if_closed()
            return rewrite_segments(self.directory, change, concerns)

    def retain(
        self, *, loaded_up_to: int, received_before: int | None = None, keep_bytes: int | None = None
    ) -> Removed:
        """Remove sealed segments that are old, or too many; see `retention.remove_segments`.

        Works after a failure, too: removing segments may be what makes room.

        Raises:
            LogLockedError: another process is at the sealed segments: later.

        """
        with self._upkeep, upkeep(self.directory):
            self._refuse_if_closed()
            return remove_segments(self.directory, loaded_up_to, received_before, keep_bytes)

    @property
    def pending(self) -> int:
        """How many bytes are waiting for the disk."""
        return self._pending

    def close(self) -> None:
        """Write what was handed in, then stop and let others write. Closing twice does nothing more."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()
        with self._upkeep:
            self._tail.close()
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _hand_in(self, encoded: Encoded | None) -> Future[int]:
        future: Future[int] = Future()
        future.set_running_or_notify_cancel()  # what is on its way to the disk cannot be called back
        size = encoded.size if encoded is not None else 0
        with self._changed:
            if (refusal := self._refusal()) is not None:
                raise refusal
            if self._pending and self._pending + size > self._pending_limit:
                raise LogBusyError(self.directory, self._pending, self._pending_limit)
            self._waiting.append(_Waiting(encoded, future))
            self._pending += size
            self._seals += encoded is None
            # Waking the writing thread costs more than appending, so only where it changes what that thread does.
            if len(self._waiting) == 1 or encoded is None or self._pending >= _GROUP_BYTES:
                self._changed.notify()
        return future

    def _refuse_if_closed(self) -> None:
        if self._closing:
            raise LogClosedError(self.directory)

    def _refusal(self) -> LogError | None:
        if self.failure is not None:
            return _again(self.failure)
        return LogClosedError(self.directory) if self._closing else None

    def _run(self) -> None:
        try:
            while group := self._next_group():
                self._commit(group)
        except BaseException as error:  # whatever it was, nobody may wait for ever
            self._fail(error)

    def _next_group(self) -> list[_Waiting]:
        """Wait for work and return it: frames that go together, or one request to seal. Empty at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            self._changed.wait_for(self._gathered, self._gather_seconds)
            size = 0
            while self._waiting and size < _GROUP_BYTES:
                if self._waiting[0].encoded is None and self._group:
                    break
                waiting = self._waiting.popleft()
                self._group.append(waiting)
                if waiting.encoded is None:
                    self._seals -= 1
                    break
                size += waiting.encoded.size
            return self._group

    def _gathered(self) -> bool:
        return self._closing or self._seals > 0 or self._pending >= _GROUP_BYTES

    def _commit(self, group: list[_Waiting]) -> None:
        frames = [waiting.encoded for waiting in group if waiting.encoded is not None]
        if frames:
            first = self._tail.append(frames)
            self.durable = self._tail.position
        else:
            first = self._seal()
        for number, waiting in enumerate(group):
            waiting.future.set_result(first + number)
        with self._changed:
            self._group = []
            self._pending -= sum(encoded.size for encoded in frames)
        if self._tail.tally.size >= self._segment_bytes:
            self._seal()

    def _seal(self) -> int:
        if self._tail.tally.frames:
            self._tail = self._tail.seal()
        return self._tail.position

    def _fail(self, error: BaseException) -> None:
        """Refuse everything from now on, and tell all who wait.

        Nothing is tried again: after a failed sync the system forgets what it could not write, and the next sync
        succeeds without it.
        """
        failure = LogFailedError(self._tail.path, self._tail.position, error)
        failure.__cause__ = error
        with self._changed:
            self.failure = failure
            lost = [*self._group, *self._waiting]
            self._group = []
            self._waiting.clear()
            self._pending = 0
        self._tail.abandon()
        for waiting in lost:
            if not waiting.future.done():
                waiting.future.set_exception(_again(failure))

    @contextlib.contextmanager
    def _released_on_error(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self._lock.release()
            raise


def _lock(directory: Path) -> Lock:
    if not directory.exists():
        directory.mkdir(mode=0o700, parents=True)
        sync_directory(directory.parent)
    return Lock(directory)


def _again(failure: LogFailedError) -> LogFailedError:
    """Return an equal error: one object raised in many threads would collect the tracebacks of all."""
    cause = failure.__cause__ or failure
    copy = LogFailedError(failure.path, failure.position, cause)
    copy.__cause__ = cause
    return copy
