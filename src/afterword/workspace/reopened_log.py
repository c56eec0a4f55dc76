"""The log of a running server: a writer that failed is replaced by a new one as soon as the disk lets it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

from afterword.log import Cut, Frame, LogFailedError, Removed, Rewritten, Writer
from afterword.log.rewriting import Change
from afterword.log.writer import SEGMENT_BYTES


class ReopenedLog:
    """A `Writer`, and after its failure the next one.

    A writer ends with its first failure, since nobody can tell what a disk that failed has kept. Opening the log again
    finds that out: it cuts what nobody was told is there and goes on behind what is durable.
    """

    def __init__(self, directory: Path, segment_bytes: int = SEGMENT_BYTES) -> None:
        """Open the log; raises what `Writer` does."""
        self.directory = directory
        self._segment_bytes = segment_bytes
        self._writer = Writer(directory, segment_bytes=segment_bytes)

    @property
    def cut(self) -> Cut | None:
        """What the last opening had to cut off."""
        return self._writer.cut

    @property
    def durable(self) -> int:
        """Every frame before this position is on the disk."""
        return self._writer.durable

    @property
    def pending(self) -> int:
        """How many bytes are waiting for the disk."""
        return self._writer.pending

    @property
    def failure(self) -> LogFailedError | None:
        """Why nothing can be appended now."""
        return self._writer.failure

    def append(self, frame: Frame) -> Future[int]:
        """Hand in a frame; see `Writer.append`."""
        return self._writer.append(frame)

    def mend(self) -> bool:
        """Open the log again if it has failed; return whether it was. For one thread.

        Raises:
            LogError: it cannot be opened yet, or must not be, because what was durable is damaged.

        """
        if self._writer.failure is None:
            return False
        self._writer.close()  # gives the lock back; until there is a new one `append` goes on to say what failed
        self._writer = Writer(self.directory, segment_bytes=self._segment_bytes)
        return True

    def seal(self) -> int:
        """Complete the last segment and return the position of the next one; raises as `append`."""
        return self._writer.seal().result()

    def rewrite(self, change: Change, concerns: Callable[[int, int], bool]) -> Rewritten:
        """Complete the last segment, then replace or erase frames; raises as `Writer.rewrite`."""
        self.seal()
        return self._writer.rewrite(change, concerns)

    def retain(self, loaded_up_to: int, received_before: int | None, keep_bytes: int | None) -> Removed:
        """Remove sealed segments; raises as `Writer.retain`."""
        return self._writer.retain(loaded_up_to=loaded_up_to, received_before=received_before, keep_bytes=keep_bytes)

    def close(self) -> None:
        """Write what was handed in, and let others write."""
        self._writer.close()
