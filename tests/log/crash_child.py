"""The process that `test_crash` kills: it appends from several threads, and says on stdout what was acknowledged.

    python -m tests.log.crash_child DIRECTORY ROUND THREADS

A line is `round thread number position`. Every tenth frame of a thread is erased again by a loop that rewrites.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

from afterword.log import Frame, Writer

ERASED = b"erase me"


def body(turn: int, thread: int, number: int) -> bytes:
    mark = ERASED if number % 10 == 0 else b"keep me"
    return b"%d %d %d %s %s" % (turn, thread, number, mark, b"." * (number * 37 % 900))


def append(writer: Writer, turn: int, thread: int) -> None:
    number = 0
    while True:
        numbers = range(number, number + 3)
        futures = [writer.append(Frame(n, "test", "k", body(turn, thread, n))) for n in numbers]
        lines = [f"{turn} {thread} {n} {f.result()}\n" for n, f in zip(numbers, futures, strict=True)]
        os.write(1, "".join(lines).encode())  # short enough to be written whole
        number += 3


def erase(writer: Writer) -> None:
    while True:
        writer.rewrite(lambda position, frame: None if ERASED in frame.body else frame)


def main(directory: Path, turn: int, threads: int) -> None:
    writer = Writer(directory, segment_bytes=30_000, gather_seconds=0.001)
    workers = [threading.Thread(target=append, args=(writer, turn, thread)) for thread in range(threads)]
    workers.append(threading.Thread(target=erase, args=(writer,)))
    os.write(1, b"ready\n")
    for worker in workers:
        worker.start()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
