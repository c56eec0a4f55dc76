import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def names(file: str) -> set[str]:
    return set(re.findall(r"^([a-z0-9-]+)(?:\[[a-z]+\])?[=>]=", (ROOT / file).read_text(), re.MULTILINE))


def test_what_is_installed_fits_together_but_for_the_pins_that_the_lock_raises() -> None:
    raised = names(".ci/overrides.txt")
    check = subprocess.run([sys.executable, "-m", "pip", "check"], capture_output=True, text=True, check=False)
    complaints = [
        line
        for line in check.stdout.splitlines()
        if " has requirement " in line and line.split(" has requirement ")[1].partition("<")[0] not in raised
    ]
    assert complaints == []
    assert "which is not installed" not in check.stdout


def test_what_afterword_needs_is_locked_as_in_the_lock_for_working_on_it() -> None:
    pin = re.compile(r"^[a-z0-9-]+(?:\[[a-z]+\])?==\S+", re.MULTILINE)
    needed, developing = (
        set(pin.findall((ROOT / file).read_text())) for file in ("requirements.txt", "requirements-dev.txt")
    )
    assert needed
    assert needed <= developing


def test_the_extras_are_locked_for_the_image() -> None:
    assert {"authlib", "psycopg"} <= names("requirements.txt")


def test_the_locks_name_no_place_that_packages_come_from() -> None:
    for file in ("requirements.txt", "requirements-dev.txt", ".ci/overrides.txt"):
        assert not re.search(r"https?://|--(extra-)?index-url|--find-links", (ROOT / file).read_text()), file
