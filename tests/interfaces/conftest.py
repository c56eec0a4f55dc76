"""Servers in processes of their own: one that many tests share, and new ones for tests that need their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.interfaces.serving import Client, Served

Serving = Callable[..., Served]


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    served = Served(tmp_path_factory.mktemp("shared"))
    try:
        served.start()
        yield served
    finally:
        served.close()


@pytest.fixture
def client(shared: Served) -> Client:
    shared.clients[0].http.cookies.clear()
    return shared.clients[0]


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with small limits on bodies."""
    limits = {"body_bytes": 20_000, "batch_bytes": 20_000, "body_seconds": 1.0}
    served = Served(tmp_path_factory.mktemp("limited"), limits)
    try:
        served.start()
        yield served
    finally:
        served.close()


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Serving]:
    """Make servers that end with the test; the first lives in `tmp_path`."""
    made: list[Served] = []

    def make(directory: Path | None = None, **policy: Any) -> Served:
        made.append(Served(directory or tmp_path / f"served-{len(made)}", policy))
        return made[-1]

    yield make
    for served in made:
        served.close()
