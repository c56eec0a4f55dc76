"""Waiting in an event loop for what a thread does, woken once for all that ends together."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from functools import partial
from typing import Generic, TypeVar

T = TypeVar("T")
_Ended = tuple["asyncio.Future[T]", "Future[T]"]


class Together(Generic[T]):
    """Like `asyncio.wrap_future`, which wakes the loop for each future: a log ends many of them at once.

    For one loop at a time. What nobody waits for any more is forgotten; the future itself is never cancelled.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ended: list[_Ended[T]] = []

    def wait(self, future: Future[T]) -> asyncio.Future[T]:
        """Return what has the result of a future, or its exception, as soon as that has it."""
        loop = asyncio.get_running_loop()
        waiting: asyncio.Future[T] = loop.create_future()
        future.add_done_callback(partial(self._end, loop, waiting))
        return waiting

    def _end(self, loop: asyncio.AbstractEventLoop, waiting: asyncio.Future[T], future: Future[T]) -> None:
        with self._lock:
            self._ended.append((waiting, future))
            is_first = len(self._ended) == 1
        if is_first and not loop.is_closed():
            loop.call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        with self._lock:
            ended, self._ended = self._ended, []
        for waiting, future in ended:
            if waiting.done():
                continue  # who waited went away
            if (error := future.exception()) is not None:
                waiting.set_exception(error)
            else:
                waiting.set_result(future.result())
