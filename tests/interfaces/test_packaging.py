"""The systemd unit, checked by systemd's own tools, and the Dockerfile, whose steps are done without an engine."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.interfaces.conftest import Serving
from tests.interfaces.nursery import ROOT
from tests.interfaces.serving import purchase, wait_for

UNIT = ROOT / "packaging" / "afterword.service"
MOST_EXPOSED = 20
"""Of 100, as `systemd-analyze security` counts; a unit without any protection has 96."""

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="needs systemd-analyze (Debian: apt-get install systemd)"
)


@needs_systemd
def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/opt/afterword/bin/afterword", "/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    assert [line for line in done.stderr.splitlines() if UNIT.name in line] == []
    assert done.returncode == 0, done.stderr
    unit.write_text(unit.read_text().replace("Restart=on-failure", "Restart=sometimes"))
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    assert "sometimes" in done.stderr


@needs_systemd
def test_the_unit_may_do_little() -> None:
    command = ["systemd-analyze", "security", "--offline=yes", f"--threshold={MOST_EXPOSED}", str(UNIT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def instructions() -> list[tuple[str, str]]:
    """Return the Dockerfile's instructions, each on one line."""
    text = re.sub(r"\\\n", " ", (ROOT / "Dockerfile").read_text())
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(line.partition(" ")[0], line.partition(" ")[2].strip()) for line in lines]


def all_of(name: str) -> list[str]:
    return [rest for instruction, rest in instructions() if instruction == name]


def test_only_what_is_copied_reaches_the_builder() -> None:
    copied = {one.split()[0] for one in all_of("COPY")}
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert copied == let_in
    assert all((ROOT / name).exists() for name in copied)


def test_the_image_runs_as_nobody_special_with_locked_packages() -> None:
    order = [name for name, _ in instructions()]
    assert all_of("USER") == ["afterword"]
    assert order.index("USER") < order.index("ENTRYPOINT")
    (install,) = [run for run in all_of("RUN") if "pip" in run]
    assert "--require-hashes" in install
    assert "--index-url" not in install
    assert all_of("VOLUME") == ["/data"]


@pytest.mark.slow
def test_what_the_image_holds_serves_is_healthy_and_ends_by_sigterm(serving: Serving, tmp_path: Path) -> None:
    """With this Python and its packages, in a directory with what is copied and nothing else."""
    served, image = serving(), tmp_path / "image"
    for copy in all_of("COPY"):
        source, target = copy.split()
        whole = shutil.copytree if (ROOT / source).is_dir() else shutil.copy
        place = image / target
        place = place / source if target.endswith("/") else place
        place.parent.mkdir(parents=True, exist_ok=True)
        whole(ROOT / source, place)
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    for name, value in (word.split("=", 1) for env in all_of("ENV") for word in shlex.split(env)):
        environment[name] = value.replace("/opt/afterword", str(image)).replace("/home/afterword", str(tmp_path))
    environment |= {"AFTERWORD_DATA": str(served.data), "AFTERWORD_PORT": str(served.port)}
    assert environment["AFTERWORD_HOST"] == "0.0.0.0"
    environment["AFTERWORD_HOST"] = "127.0.0.1"  # a test listens on loopback only
    environment["NUMBA_CACHE_DIR"] = os.environ.get("NUMBA_CACHE_DIR", environment["NUMBA_CACHE_DIR"])
    command = python_of([*json.loads(all_of("ENTRYPOINT")[0]), *json.loads(all_of("CMD")[0])])
    (health,) = all_of("HEALTHCHECK")
    healthcheck = python_of(json.loads(health[health.index("[") :]))
    with served.out.open("w") as out, served.err.open("w") as err:
        process = subprocess.Popen(command, stdout=out, stderr=err, cwd=image, env=environment)
    try:
        wait_for(lambda: ends_well(healthcheck, environment), 60)
        found = re.search(r"An admin key, shown this once: (\S+)", served.out.read_text())
        assert found is not None
        client = served.client(found[1])
        assert client.post("/api/events", purchase("u")).status_code == 201
        client.loaded()
        process.terminate()
        assert process.wait(60) == 0, served.err.read_text()
    finally:
        process.kill()
        process.wait()
    assert not ends_well(healthcheck, environment)


def ends_well(command: list[str], environment: dict[str, str]) -> bool:
    return subprocess.run(command, env=environment, capture_output=True, check=False).returncode == 0


def python_of(command: list[str]) -> list[str]:
    assert command[0] == "python"
    return [sys.executable, *command[1:]]
