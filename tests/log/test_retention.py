"""Retention: oldest first, whole sealed segments, never what is not loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from afterword.log import Frame, LogLockedError, Removed, Writer, verify
from afterword.log.disk import upkeep
from tests.log.world import EPOCH, append_all, append_each, bodies, built, frame, frames, segments

FOREVER = EPOCH * 2


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Segments that begin at 0, 3, 6 and 9; the last is not sealed."""
    return built(tmp_path / "log", frames(3), frames(3, start=3), frames(3, start=6), unsealed=frames(3, start=9))


@pytest.mark.parametrize(
    ("loaded_up_to", "received_before", "first"),
    [
        pytest.param(12, FOREVER, 9, id="the-unsealed-one-stays"),
        pytest.param(9, FOREVER, 9, id="all-loaded"),
        pytest.param(8, FOREVER, 6, id="one-frame-not-loaded"),
        pytest.param(2, FOREVER, 0, id="not-loaded"),
        pytest.param(0, FOREVER, 0, id="nothing-loaded"),
        pytest.param(12, EPOCH + 6, 6, id="by-age"),
        pytest.param(12, EPOCH + 5, 3, id="its-last-frame-is-not-old-enough"),
        pytest.param(12, None, 0, id="no-limit"),
    ],
)
def test_by_age(log: Path, loaded_up_to: int, received_before: int | None, first: int) -> None:
    sizes = [path.stat().st_size for path in segments(log)]
    with Writer(log) as writer:
        removed = writer.retain(loaded_up_to=loaded_up_to, received_before=received_before)
        assert removed == Removed(first // 3, sum(sizes[: first // 3]), first)
        append_each(writer, [frame(12)])
    assert bodies(log, from_position=first) == frames(13 - first, start=first)
    assert verify(log).bad is None


@pytest.mark.parametrize("kept", range(5))
def test_by_size(log: Path, kept: int) -> None:
    sizes = [path.stat().st_size for path in segments(log)]
    with Writer(log) as writer:
        assert writer.retain(loaded_up_to=12, keep_bytes=sum(sizes[4 - kept :])).segments == min(4 - kept, 3)


def test_oldest_first_even_if_a_clock_stepped_back(tmp_path: Path) -> None:
    late, early = Frame(EPOCH + 100, "d", "k", b""), Frame(EPOCH, "d", "k", b"")
    log = built(tmp_path / "log", [late], [early])
    with Writer(log) as writer:
        assert writer.retain(loaded_up_to=2, received_before=EPOCH + 50).segments == 0
        assert writer.retain(loaded_up_to=2, received_before=EPOCH + 101).segments == 2


def test_positions_go_on_when_everything_was_removed(tmp_path: Path) -> None:
    with Writer(tmp_path / "log") as writer:
        append_all(writer, frames(5))
        writer.seal().result(30)
        assert writer.retain(loaded_up_to=5, keep_bytes=0).first == 5
    with Writer(tmp_path / "log") as writer:
        assert append_all(writer, [frame(5)]) == [5]


def test_retention_stops_where_a_file_cannot_be_trusted(log: Path) -> None:
    with Writer(log) as writer:
        path = segments(log)[1]
        path.write_bytes(path.read_bytes()[:-1])
        assert writer.retain(loaded_up_to=12, keep_bytes=0).first == 3


def test_not_while_another_process_is_at_the_segments(log: Path) -> None:
    with Writer(log) as writer:
        with upkeep(log):
            with pytest.raises(LogLockedError):
                writer.retain(loaded_up_to=12, received_before=FOREVER)
            with pytest.raises(LogLockedError):
                writer.rewrite(lambda _position, frame: frame)
            append_each(writer, [frame(12)])
        assert writer.retain(loaded_up_to=12, received_before=FOREVER).segments == 3
