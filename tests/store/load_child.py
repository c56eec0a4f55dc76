"""The process that `test_exactly_once` kills: it loads one request per transaction and says so on stdout.

python -m tests.store.load_child DIRECTORY END
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from afterword.store.loader import Loader
from tests.store.world import KEY, opened


def main(directory: Path, end: int) -> None:
    loader = Loader(opened(directory), directory / "log", tombstone_key=KEY, batch_bytes=1)
    for loaded in loader.batches(end):
        os.write(1, b"%d\n" % loaded.position)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
