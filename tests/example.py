"""The README's first example, taken from the README, so that what it shows is what runs."""

from __future__ import annotations

import re
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def blocks(language: str) -> list[str]:
    """The README's code blocks in a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def write_example(directory: Path) -> None:
    """Write the three files of the example."""
    exposures, events = blocks("csv")
    (definitions,) = blocks("yaml")
    for name, text in (("campaigns.yaml", definitions), ("exposures.csv", exposures), ("events.csv", events)):
        (directory / name).write_text(text, encoding="utf-8")
