"""Files of others that are in this repository are what their manifest says."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MANIFESTS = [sorted((ROOT / part).rglob("vendored.json")) for part in ("src", "tests")]
ENTRIES = [(file, entry) for files in MANIFESTS for file in files for entry in json.loads(file.read_text())]


@pytest.mark.parametrize(("manifest", "entry"), ENTRIES, ids=[entry["name"] for _, entry in ENTRIES])
def test_it_is_what_was_published(manifest: Path, entry: dict[str, str]) -> None:
    content = (manifest.parent / entry["file"]).read_bytes()
    assert hashlib.sha256(content).hexdigest() == entry["sha256"]
    assert entry["version"]
    assert entry["licence"] in ("0BSD", "Apache-2.0", "MPL-2.0")


def test_nothing_vendored_is_missing_from_its_manifest() -> None:
    listed = {manifest.parent / entry["file"] for manifest, entry in ENTRIES}
    assert {*ROOT.glob("src/**/*.min.js"), *ROOT.glob("tests/**/*.min.js")} == listed
