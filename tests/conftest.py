"""What all tests share: no setting of the person who runs them reaches the code under test."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

FOR_TESTS = ("AFTERWORD_HISTORIES", "AFTERWORD_CRASH_ROUNDS")
WORKER = os.environ.get("PYTEST_XDIST_WORKER")
if WORKER is not None:
    # Numba gives the files of its cache numbers without a lock: two processes that compile one function for two types
    # at once can take the same number, and one then loads the other's machine code. So each has a cache of its own.
    os.environ["NUMBA_CACHE_DIR"] = str(Path(__file__).parents[1] / ".pytest_cache" / "numba" / WORKER)


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AFTERWORD_") and name not in FOR_TESTS]:
        monkeypatch.delenv(name)
