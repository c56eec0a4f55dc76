"""Facts that are loaded while results are brought up to date: not seen by that refresh, and not forgotten after it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from afterword.intake.accepted import DIALECT
from afterword.intake.definitions import parse_definitions
from afterword.log import Frame
from afterword.workspace import keeper as room
from afterword.workspace.answering import DataDirectory, open_data_directory
from afterword.workspace.live import Live, refreshing
from afterword.workspace.live.refreshing import Superseded

SECOND = 1_000_000
NOW = 1_790_000_000 * SECOND
CAMPAIGN = {
    "id": "c",
    "name": "c",
    "variants": [{"id": "v", "share": 100}],
    "conversion_events": [{"kind": "purchase", "deadline": "1 day"}],
}
EXPOSED = {
    "exposures": [
        {"item": number, "user_id": user, "campaign_id": "c", "variant_id": "v", "exposed_at": NOW - 60 * SECOND}
        for number, user in enumerate(("ann", "bob", "eve"))
    ]
}


def bought(user: str) -> dict[str, Any]:
    """A request with a purchase."""
    at = {"kind": "purchase", "occurred_at": NOW - 30 * SECOND, "price": "1", "currency": "EUR"}
    return {"events": [{"item": 0, "user_id": user, "event_id": f"of {user}", **at}]}


def append(data: DataDirectory, request: dict[str, Any]) -> None:
    """Make a request durable."""
    data.log.append(Frame(NOW, DIALECT, "k", msgspec.json.encode(request))).result()


@contextmanager
def opened(path: Path) -> Iterator[DataDirectory]:
    """A directory with a campaign that reached three users, whose clock goes."""
    began = time.monotonic_ns()

    def clock() -> int:
        return NOW + (time.monotonic_ns() - began) // 1000

    with open_data_directory(
        path, memory="500MB", threads=1, clock=clock, chance=os.urandom, tell=lambda said, _: pytest.fail(said)
    ) as data:
        (campaign,) = parse_definitions({"campaigns": [CAMPAIGN]}, "test").campaigns
        data.metadata.campaigns.create(campaign, NOW)
        data.metadata.campaigns.launch("c", NOW)
        append(data, EXPOSED)
        assert data.keeper.caught_up(60)
        yield data


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """What is loaded before and after each refresh in which a request comes in between (`coming`)."""
    refresh, found = Live.refresh, []
    monkeypatch.setattr(room, "PERIOD", 0.0)
    monkeypatch.setattr(room, "PATIENCE", 0.0)

    def watched(live: Live, *rest: Any, meanwhile: Callable[[], bool], **more: Any) -> Any:
        coming: Callable[[], None] | None = getattr(live, "coming", None)
        if coming is None:
            return refresh(live, *rest, meanwhile=meanwhile, **more)
        live.coming = None  # type: ignore[attr-defined]
        before = live.loaded()  # type: ignore[attr-defined]

        def between() -> bool:
            nonlocal coming
            if coming is not None:
                coming()
                coming = None
            return meanwhile()

        try:
            return refresh(live, *rest, meanwhile=between, **more)
        finally:
            found.append((before, live.loaded()))  # type: ignore[attr-defined]

    monkeypatch.setattr(Live, "refresh", watched)
    return found


def comes_in_between(data: DataDirectory, request: dict[str, Any]) -> None:
    """Let a request come in when the next refresh has begun."""
    data.live.loaded = lambda: data.keeper.loaded  # type: ignore[attr-defined]
    data.live.coming = lambda: append(data, request)  # type: ignore[attr-defined]


def converted(data: DataDirectory) -> int:
    """Return how many users the report says converted; the results must be those of all facts."""
    for _ in range(2):  # first up to what came in before, then up to what came in between
        assert data.keeper.caught_up(60)
        assert data.live.recompute(data.definitions()) == []
    (campaign,) = data.live.report(data.definitions(), NOW)["campaigns"]
    count: int = campaign["total"]["conversions"]["A"]["converted"]
    return count


def test_what_is_loaded_during_a_refresh_is_in_the_results_after_the_next(
    tmp_path: Path, seen: list[tuple[int, int]]
) -> None:
    with opened(tmp_path) as data:
        comes_in_between(data, bought("bob"))
        append(data, bought("ann"))
        assert converted(data) == 2
    ((before, after),) = seen
    assert after == before + 1


def test_nothing_is_loaded_while_persons_are_erased(tmp_path: Path, seen: list[tuple[int, int]]) -> None:
    with opened(tmp_path) as data:
        comes_in_between(data, bought("bob"))
        append(data, {"deletions": [{"item": 0, "user_id": "eve", "leave": "nothing"}]})
        assert converted(data) == 1
    ((before, after),) = seen
    assert after == before


def test_a_refresh_begins_again_with_all_of_a_burst_that_ended(
    tmp_path: Path, seen: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(tmp_path) as data:
        monkeypatch.setattr(room, "ENOUGH", 1)
        monkeypatch.setattr(room, "QUIET", 0.0)
        given_up: list[int] = []

        class Counted(Superseded):
            def __init__(self) -> None:
                given_up.append(data.keeper.loaded)

        monkeypatch.setattr(refreshing, "Superseded", Counted)
        comes_in_between(data, bought("bob"))
        append(data, bought("ann"))
        assert converted(data) == 2
        assert data.live.feed.state.last == 2  # told of once
    assert given_up == [3]
    assert seen == [(2, 3)]
