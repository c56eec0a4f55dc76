"""Garbage in cycles: searched for seldom, and found all the same."""

from __future__ import annotations

import subprocess
import sys

KEPT = """
import gc, time, weakref
from afterword.interfaces.garbage import search_seldom

class Thing: pass

def cycle():
    one = Thing()
    one.itself = one
    return weakref.ref(one)

search_seldom(young=1_000_000, every_seconds=0.2)
whole = []

def note(phase, told):
    if (phase, told["generation"]) == ("stop", 2):
        whole.append(time.monotonic())

gc.callbacks.append(note)
ref, kept, began = cycle(), [[] for _ in range(900_000)], time.monotonic()
searched = len(whole)
while ref() is not None and time.monotonic() < began + 20:
    time.sleep(0.01)
print(gc.get_freeze_count() > 1000, searched, ref() is None)
"""


AT_THE_END = """
import duckdb
from afterword.interfaces.garbage import search_seldom

search_seldom()
"""


def test_a_search_among_all_objects_comes_by_the_clock_and_not_by_their_number() -> None:
    done = subprocess.run([sys.executable, "-c", KEPT], capture_output=True, text=True, check=True)
    frozen, searched, is_gone = done.stdout.split()
    assert (frozen, is_gone) == ("True", "True")
    assert int(searched) <= 1  # by the clock, while the objects were made


def test_what_was_put_aside_is_let_go_at_the_end_so_that_duckdb_finds_nothing_to_complain_of() -> None:
    done = subprocess.run([sys.executable, "-c", AT_THE_END], capture_output=True, text=True, check=True)
    assert done.stderr == ""
