"""report.html in a real browser: it loads whole, asks nobody for anything, fits a phone; and the README's picture."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import afterword
from afterword.demo import write_demo

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PICTURE = Path(__file__).parents[2] / "docs" / "images" / "report-light.png"
QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium (Debian: apt-get install chromium)")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's page."""
    directory = tmp_path_factory.mktemp("browser")
    demo = write_demo(directory / "facts")
    afterword.run(
        demo.definitions,
        exposures=demo.exposures,
        events=demo.events,
        step_messages=demo.step_messages,
        out=directory / "results",
    )
    return directory / "results" / "report.html"


def browse(page: Path, scratch: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Open the page in a new browser and return what it printed."""
    assert CHROMIUM is not None
    command = [CHROMIUM, *QUIET, f"--user-data-dir={scratch / 'profile'}", *options, page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)


def test_page_is_whole_without_script_or_network(page: Path, tmp_path: Path) -> None:
    dom = browse(page, tmp_path, "--dump-dom", "--enable-logging=stderr", "--v=0")
    for shown in ("Men's or women's merchandise", "21,307", "30,311.69", "+118.8", "Welcome", "is the winner"):
        assert shown in dom.stdout.replace("&#39;", "'")
    assert "<script" not in dom.stdout
    assert not re.findall(r"""(?:src|href)=["'](?:https?:)?//""", dom.stdout)
    assert "CONSOLE" not in dom.stderr


@pytest.mark.parametrize("unfolded", [False, True])
def test_page_fits_a_phone(page: Path, tmp_path: Path, unfolded: bool) -> None:
    probe = tmp_path / "phone.html"
    frame = f'<iframe id="f" src="{page.as_uri()}" width="375" height="800"></iframe>'
    measure = (
        "<script>f.onload = () => { const d = f.contentDocument.documentElement;"
        f"d.querySelectorAll('.verdict details').forEach(one => one.open = {str(unfolded).lower()});"
        "document.title = d.scrollWidth + ' of ' + d.clientWidth; }</script>"
    )
    probe.write_text(f"<!doctype html><title></title>{frame}{measure}", encoding="utf-8")
    dom = browse(probe, tmp_path, "--dump-dom", "--allow-file-access-from-files", "--virtual-time-budget=5000")
    title = re.search(r"<title>(\d+) of (\d+)</title>", dom.stdout)
    assert title is not None, dom.stdout[:500]
    assert int(title[1]) <= int(title[2])


def test_picture_of_the_readme_is_made(page: Path, tmp_path: Path) -> None:
    picture = tmp_path / "report.png"
    browse(page, tmp_path, f"--screenshot={picture}", "--window-size=1280,1100", "--force-device-scale-factor=1")
    assert picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert picture.stat().st_size > 50_000, "an empty page is smaller"
    if not PICTURE.exists():  # remove it to have it made again
        PICTURE.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(picture, PICTURE)
