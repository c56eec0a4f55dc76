"""When to search for garbage in cycles: seldom, since all threads stand still while every object is looked at.

What a server keeps, answers about two hundred campaigns say, are some hundred thousand objects, and a search through
them takes a third of a second in which no page is answered. Python searches all of them whenever a quarter more are
there, and finds next to nothing: almost all garbage is in no cycle, and goes at once.
"""

from __future__ import annotations

import atexit
import gc
import threading
import time

YOUNG, MIDDLE = 50_000, 20
"""New objects between two searches among the youngest, and of these between two among those that stayed once."""
EVERY_SECONDS = 600.0
"""Between two searches among all."""
_NEVER = 1_000_000


def search_seldom(young: int = YOUNG, every_seconds: float = EVERY_SECONDS) -> None:
    """Let Python search among the young only, and a thread among all that came since now."""
    gc.collect()
    gc.freeze()
    atexit.register(gc.unfreeze)  # DuckDB looks at the end whether all is released, and complains of what was put aside
    gc.set_threshold(young, MIDDLE, _NEVER)
    threading.Thread(target=_search, args=(every_seconds,), name="afterword-garbage", daemon=True).start()


def _search(every_seconds: float) -> None:
    while True:
        time.sleep(every_seconds)
        gc.collect()
