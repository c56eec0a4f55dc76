"""The log of a running server: a writer that failed is replaced by a new one as soon as the disk lets it."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path

from afterword.log import Cut, Frame, LogFailedError, Rewritten, Writer
from afterword.log.rewriting import Change


class ReopenedLog:
    """A `Writer`, and after its failure the next one.

    A writer ends with its first failure, since nobody can tell what a disk that failed has kept. Opening the log again
    finds that out: it cuts what nobody was told is there and goes on behind what is durable.
    """

    def __init__(self, directory: Path) -> None:
        """Open the log; raises what `Writer` does."""
        self._directory = directory
        self._writer = Writer(directory)

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
        self._writer = Writer(self._directory)
        return True

    def seal(self) -> None:
        """Complete the last segment; raises as `append`."""
        self._writer.seal().result()

    def rewrite(self, change: Change) -> Rewritten:
        """Complete the last segment, then replace or erase frames; raises as `Writer.rewrite`."""
        self.seal()
        return self._writer.rewrite(change)

    def close(self) -> None:
        """Write what was handed in, and let others write."""
        self._writer.close()
