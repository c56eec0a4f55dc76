"""docs/segment.md: its example is read as the page says, and no call is missing."""

from __future__ import annotations

import re
from pathlib import Path

from afterword.intake.segment import Call, read_batch
from tests.intake.segment_world import NOW

PAGE = (Path(__file__).parents[2] / "docs" / "segment.md").read_text(encoding="utf-8")


def test_the_example_is_what_the_page_says() -> None:
    example = re.search(r"^```json\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert example is not None
    accepted = read_batch(example[1].encode(), NOW).accepted
    assert accepted.rejected == []
    assert [found.user_id for found in accepted.attributes] == ["ann"]
    assert [(event.kind, event.event_id) for event in accepted.events] == [
        ("custom", "m-1"),
        ("purchase", "o-1#mug#1"),
        ("purchase", "o-1#tea#1"),
    ]


def test_every_call_is_on_the_page() -> None:
    assert [call for call in Call if f"| `{call}`" not in PAGE and f", `{call}` |" not in PAGE] == []
    assert [call for call in Call if f"`/v1/{call}`" not in PAGE] == []
