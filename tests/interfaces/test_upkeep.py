from __future__ import annotations

import pytest

from afterword.errors import UserError
from afterword.interfaces.upkeep import read_upkeep
from afterword.log.writer import SEGMENT_BYTES
from afterword.workspace.data_directory import DAY


def test_settings_are_read() -> None:
    assert read_upkeep("24 hours", None, None).erase_within == DAY
    found = read_upkeep("0", 7, "80MiB")
    assert (found.erase_within, found.keep_log, found.keep_log_bytes) == (0, 7 * DAY, 80 << 20)
    assert (found.segment_bytes, found.segment_age) == (10 << 20, 7 * DAY // 8)
    assert read_upkeep("0", None, "1TB").segment_bytes == SEGMENT_BYTES
    assert read_upkeep("0", None, None).segment_age is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("soon", None, None), '--erase-within: "soon" is not a duration'),
        (("1 day", 0, None), "keep-log-days is 0, must be at least 1"),
        (("1 day", None, "little"), 'keep-log-bytes is "little", must be a number with a unit'),
        (("1 day", None, "1MB"), "keep-log-bytes is 1MB, must be at least 8MiB"),
    ],
)
def test_what_makes_no_sense_is_named(given: tuple[str, int | None, str | None], said: str) -> None:
    with pytest.raises(UserError, match=said):
        read_upkeep(*given)
