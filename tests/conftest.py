"""What all tests share: no setting of the person who runs them reaches the code under test."""

from __future__ import annotations

import gc
import os
import shutil
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import settings

FOR_TESTS = ("AFTERWORD_HISTORIES", "AFTERWORD_CRASH_ROUNDS")
WORKER = os.environ.get("PYTEST_XDIST_WORKER")
COMPILED = Path(__file__).parents[1] / ".pytest_cache" / "numba"


def newest(directory: Path) -> float:
    """When the last file of a directory was written; 0 where there is none."""
    return max((path.stat().st_mtime for path in directory.rglob("*") if path.is_file()), default=0.0)


if WORKER is not None:
    # Numba gives the files of its cache numbers without a lock: two processes that compile one function for two types
    # at once can take the same number, and one then loads the other's machine code. So each has a cache of its own,
    # which begins with what `make compiled` left, half a minute of compiling.
    shared, own = COMPILED / "shared", COMPILED / WORKER
    if newest(shared) > newest(own):
        shutil.rmtree(own, ignore_errors=True)
        shutil.copytree(shared, own)
    os.environ["NUMBA_CACHE_DIR"] = str(own)
    # On one core each, what a test and its server do does not wait for, or spin beside, threads of another test's.
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[int(WORKER.removeprefix("gw")) % len(cores)]})

# Before any test module is read: how long an example takes says something about the machine only.
settings.register_profile("afterword", deadline=None)
settings.load_profile("afterword")


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AFTERWORD_") and name not in FOR_TESTS]:
        monkeypatch.delenv(name)


@pytest.hookimpl(tryfirst=True)  # before those are left out that are slow
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave to `make test-all` all but every so many cases of a test that is `sampled`, or of all that are."""
    seen: Counter[str] = Counter()
    for item in items:
        if (sampled := item.get_closest_marker("sampled")) is not None:
            (one_in,) = sampled.args
            alike = sampled.kwargs.get("among", item.nodeid.partition("[")[0])
            if seen[alike] % one_in:
                item.add_marker("slow")
            seen[alike] += 1


def pytest_collection_finish() -> None:
    """Let searches for garbage pass by what was collected, hundreds of thousands of objects that stay to the end."""
    gc.freeze()


def pytest_unconfigure() -> None:
    """Let it go, so that libraries find nothing of theirs left at the end."""
    gc.unfreeze()
