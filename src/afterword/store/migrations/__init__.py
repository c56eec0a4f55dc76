"""The way of the metadata's schema from version to version, run when metadata is opened.

Each step is a module of `versions`, numbered from 0001; a step that was released is never changed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alembic.config import Config

KNOWN = ("0001", "0002", "0003", "0004", "0005", "0006", "0007")
"""All revisions, oldest first. Written down so that opening an up-to-date database needs no Alembic."""

HEAD = KNOWN[-1]


def configuration() -> Config:
    """Return what Alembic needs to know; the caller adds `attributes["connection"]`."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config


__all__ = ["HEAD", "KNOWN", "configuration"]
