"""Waiting in a loop for what a thread ends."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future

import pytest

from afterword.interfaces.api.together import Together


def ended_in_a_thread(futures: list[Future[int]], failing: int | None = None) -> None:
    for number, future in enumerate(futures):
        if number == failing:
            future.set_exception(OSError("a fault of the test"))
        else:
            future.set_result(number)


def test_each_gets_its_own_result_or_exception_and_the_loop_is_woken_less_often_than_that() -> None:
    async def waiting() -> tuple[list[int | BaseException], int]:
        loop, wakes = asyncio.get_running_loop(), 0
        wake = loop.call_soon_threadsafe

        def counted(*arguments: object) -> object:
            nonlocal wakes
            wakes += 1
            return wake(*arguments)  # type: ignore[arg-type]

        futures: list[Future[int]] = [Future() for _ in range(2_000)]
        together = Together[int]()
        waits = [together.wait(future) for future in futures]
        loop.call_soon_threadsafe = counted  # type: ignore[method-assign, assignment]
        thread = threading.Thread(target=ended_in_a_thread, args=(futures, 7))
        thread.start()
        found = await asyncio.gather(*waits, return_exceptions=True)
        thread.join()
        return list(found), wakes

    found, wakes = asyncio.run(waiting())
    assert isinstance(found[7], OSError)
    assert found[:7] + found[8:] == [number for number in range(2_000) if number != 7]
    assert 1 <= wakes < 2_000


def test_ended_by_many_threads_at_once_none_is_forgotten() -> None:
    async def waiting() -> list[int]:
        together = Together[int]()
        futures: list[list[Future[int]]] = [[Future() for _ in range(500)] for _ in range(8)]
        waits = [together.wait(future) for some in futures for future in some]
        threads = [threading.Thread(target=ended_in_a_thread, args=(some,)) for some in futures]
        for thread in threads:
            thread.start()
        found = await asyncio.wait_for(asyncio.gather(*waits), 30)
        for thread in threads:
            thread.join()
        return found

    assert asyncio.run(waiting()) == [*range(500)] * 8


def test_what_has_ended_before_is_there_and_who_went_away_is_not_told() -> None:
    async def waiting() -> int:
        together = Together[int]()
        gone, future, done = Future[int](), Future[int](), Future[int]()
        done.set_result(1)
        forgotten, wanted = together.wait(gone), together.wait(future)
        forgotten.cancel()
        gone.set_result(2)
        future.set_result(3)
        return await together.wait(done) + await wanted

    assert asyncio.run(waiting()) == 4


def test_ending_after_the_loop_is_closed_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def begin(future: Future[int]) -> None:
        Together[int]().wait(future)

    future: Future[int] = Future()
    asyncio.run(begin(future))
    future.set_result(1)
    assert not caplog.records
