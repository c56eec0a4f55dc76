"""Servers in processes of their own: one that many tests share, and new ones for tests that need their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.interfaces.serving import Client, Served, campaign, exposures, purchase

Serving = Callable[..., Served]


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    served = Served(tmp_path_factory.mktemp("shared"))
    try:
        warm_up(served.start())
        yield served
    finally:
        served.close()


def warm_up(client: Client) -> None:
    """Have the sweep compiled once, which may take a minute on a busy machine; later servers find it in the cache."""
    client.launch(campaign("warm"))
    client.post("/api/exposures", exposures(["warm"], of="warm"))
    client.post("/api/events", purchase("warm"))
    client.loaded(300)


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
def serving(tmp_path: Path, shared: Served) -> Iterator[Serving]:
    """Make servers that end with the test, when `shared` has warmed up."""
    made: list[Served] = []

    def make(directory: Path | None = None, upkeep: Mapping[str, Any] | None = None, **policy: Any) -> Served:
        made.append(Served(directory or tmp_path / f"served-{len(made)}", policy, upkeep or {}))
        return made[-1]

    yield make
    for served in made:
        served.close()
