"""Segment's client for Node, unmodified: installed once from the npm registry, where `make clean` removes it."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

VERSION = "3.1.0"
PACKAGE = "@segment/analytics-node"
MODULES = Path(__file__).parents[1] / ".pytest_cache" / "node" / VERSION / "node_modules"
SECONDS = 60


def run_node(program: str, *arguments: str) -> None:
    """Run a program that may require the client; skip the test where it cannot be had."""
    if (missing := _why_not()) is not None:
        pytest.skip(missing)
    environment = {**os.environ, "NODE_PATH": str(MODULES)}
    ended = subprocess.run(
        ["node", "-e", program, *arguments], capture_output=True, text=True, env=environment, timeout=60, check=False
    )
    assert ended.returncode == 0, ended.stderr or ended.stdout


@cache
def _why_not() -> str | None:
    for command in ("node", "npm"):
        if shutil.which(command) is None:
            return f"needs {command} (Debian: apt-get install nodejs npm)"
    place = MODULES.parent
    place.mkdir(parents=True, exist_ok=True)
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two processes run the tests
        if (MODULES / PACKAGE / "package.json").exists():
            return None
        options = [
            "--no-save",
            "--no-package-lock",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--fetch-retries=0",  # a registry that is out of reach is known at once, not after a minute
            "--prefix",
            str(place),
        ]
        try:
            done = subprocess.run(
                ["npm", "install", *options, f"{PACKAGE}@{VERSION}"],
                capture_output=True,
                text=True,
                cwd=place,
                timeout=SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"npm could not install {PACKAGE}@{VERSION} within {SECONDS} s"
        if done.returncode:
            return f"npm could not install {PACKAGE}@{VERSION}: is the registry reachable?"
    return None
