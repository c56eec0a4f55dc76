"""The demo's data in a data directory, served: what `afterword demo` printed, as pages that keep up with new facts."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from afterword.errors import UserError
from afterword.intake.definitions import load_definitions
from afterword.intake.sources import find_files
from afterword.interfaces import output
from afterword.interfaces.api.server import Policy
from afterword.interfaces.client import find_server
from afterword.interfaces.demonstration import DEFINITIONS, FACTS, command_name
from afterword.interfaces.moments import now
from afterword.interfaces.progress import Meter
from afterword.interfaces.serve import PortTaken, serve
from afterword.settings import DATA, PORT
from afterword.store.metadata import FILE_NAME, open_metadata
from afterword.workspace.data_directory import LOG
from afterword.workspace.importing.importing import Job, Rejections
from afterword.workspace.importing.local import import_here
from afterword.workspace.inputs import read_options

HOST = "127.0.0.1"


def serve_demo(directory: Path, campaigns: Sequence[str]) -> None:
    """Load the demo's files into a data directory beside them, made anew, and serve it until Ctrl-C.

    Args:
        directory: the demo's.
        campaigns: their ids, for the addresses of the pages.

    Raises:
        UserError: the demo is served already, or something else is where its data directory belongs.

    """
    data = directory / Path(DATA.default or "").name
    _make_room(data)
    with Meter() as meter:
        key = load_demo(directory, data, meter)

    def greeting(address: str) -> str:
        pages = [f"  {address}/campaign?id={quote(campaign, safe='')}" for campaign in campaigns]
        return "\n".join(
            [
                f"The dashboard is at {address}. The first visit asks for an admin key, which is: {key}",
                "Its pages are as of now, so nobody is pending any more:",
                *pages,
                f"In another terminal, {command_name()} report {campaigns[0]} --data {data} asks the same server.",
            ]
        )

    for port in (int(PORT.default or 0), 0):
        try:
            serve(data, HOST, port, None, None, output.say_at_once, Policy(), greeting=greeting)
        except PortTaken:
            if port == 0:
                raise
            output.say(f"Port {port} is in use by something else, so a free one is taken.")
        else:
            return


def load_demo(directory: Path, data: Path, meter: Meter) -> str:
    """Bring the demo's definitions and facts into a new data directory; return its admin key."""
    keys: list[str] = []
    file = directory / DEFINITIONS
    definitions = load_definitions(file)
    data.mkdir()
    with open_metadata(data / FILE_NAME) as metadata:
        metadata.apply(metadata.plan(definitions, source=str(file)), now())
    # What is rejected was listed by the run over the same files.
    with tempfile.TemporaryDirectory(prefix="afterword-demo-") as aside:
        job = Job(
            {kind: find_files(kind, [directory / pattern]) for kind, pattern in FACTS.items()},
            read_options({}, None, None),
            Rejections(Path(aside) / "rejected.parquet"),
        )
        try:
            import_here(
                data, job, clock=now, chance=os.urandom, told_key=keys.append, metadata_url=None, progress=meter
            )
        finally:
            job.rejections.close()
    return keys[0]


def _make_room(data: Path) -> None:
    if not data.exists():
        return
    if (server := find_server(data)) is not None:
        raise UserError(f"the demo is served already, at {server.running.address}: stop that one first")
    if not ((data / LOG).is_dir() and (data / FILE_NAME).is_file()):
        raise UserError(f"{data} exists and is no data directory: move it away, or name another directory with --out")
    shutil.rmtree(data)
