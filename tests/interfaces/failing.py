"""What tests of failures share: disks of their own, and what a server complains of."""

from __future__ import annotations

import subprocess
from pathlib import Path

import httpx

from tests.interfaces.serving import PLAIN, Served, wait_for


def is_up(served: Served) -> bool:
    try:
        return httpx.get(f"{served.address}/healthz", timeout=5.0, trust_env=False, verify=PLAIN).status_code == 200
    except httpx.TransportError:
        return False


def message_of(served: Served) -> str:
    """Return what /readyz complains of; empty if it does not."""
    answer = httpx.get(f"{served.address}/readyz", timeout=10.0, trust_env=False, verify=PLAIN)
    return "" if answer.status_code == 200 else str(answer.json()["message"])


def until_ready(served: Served, seconds: float = 30.0) -> None:
    wait_for(lambda: not message_of(served), seconds)


def mounted(place: Path, *options: str) -> bool:
    place.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", *options, "tmpfs", str(place)]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False
