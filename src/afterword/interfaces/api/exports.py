"""Exports: the rows of the result files, whole or page by page, and all facts.

An answer is first written to a file, in one go and from one state of the database, and then sent: a slow client holds
up nothing, and no answer has to fit into memory.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import shutil
import tarfile
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, TypeVar
from urllib.parse import urlencode

import duckdb
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from afterword.interfaces.api.access import bearer
from afterword.interfaces.api.braze_parameters import Parameters, choice, whole_number
from afterword.interfaces.api.campaigns import from_results
from afterword.interfaces.api.faults import Refused, bad_request
from afterword.interfaces.api.server import Answers
from afterword.reports.report import iso_time
from afterword.store.permissions import Permission
from afterword.workspace.data_directory import FACTS, TEMPORARY
from afterword.workspace.failures import NO_SPACE
from afterword.workspace.live.exporting import Exported, Form, Key, Rows, Wanted

MAX_LIMIT = 1_000_000
AT_ONCE = 2
"""Exports that are made at one time; the threads that make them are those that answer for reports."""
PIECE = 1 << 20
CONTENT_TYPES = {
    Form.NDJSON: "application/x-ndjson",
    Form.CSV: "text/csv; charset=utf-8",
    Form.PARQUET: "application/vnd.apache.parquet",
}
AS_OF, VERSION, NEXT, COUNT = "Afterword-As-Of", "Afterword-Version", "Afterword-Next-Cursor", "Afterword-Rows"
NO_CURSOR = "cursor is none that an answer gave: begin again without it"
T = TypeVar("T")


def routes(server: Answers) -> list[Route]:
    """Return the routes."""
    exports = _Exports(server)
    return [
        Route("/api/conversions", partial(exports.rows, Rows.CONVERSIONS), methods=["GET"]),
        Route("/api/credited-purchases", partial(exports.rows, Rows.CREDITED), methods=["GET"]),
        Route("/api/facts", exports.facts, methods=["GET"]),
    ]


class _Exports:
    """The endpoints."""

    def __init__(self, server: Answers) -> None:
        self._server = server
        self._free = threading.BoundedSemaphore(AT_ONCE)

    async def rows(self, rows: Rows, request: Request) -> Response:
        """Send rows: `campaign`, `event` and `variant` say which, `format`, `limit` and `cursor` how."""
        _, headers = self._server.key(request, bearer(request), Permission.API_READ)
        wanted = asked(rows, request.query_params)
        exported, file = await asyncio.to_thread(self._make, partial(self._write_rows, wanted))
        told = {
            AS_OF: iso_time(exported.as_of),
            VERSION: str(exported.version),
            COUNT: str(exported.rows),
            "Content-Disposition": f'attachment; filename="{rows.value}.{wanted.form}"',
        }
        if exported.last is not None:
            told[NEXT] = cursor_of(wanted, exported.last)
            told["Link"] = f'<{_next_page(request, told[NEXT])}>; rel="next"'
        return _sent([file], CONTENT_TYPES[wanted.form], {**headers, **told})

    async def facts(self, request: Request) -> Response:
        """Send all facts as a tar of the files that `afterword run` reads."""
        _, headers = self._server.key(request, bearer(request), Permission.ADMIN)
        files = await asyncio.to_thread(self._make, self._write_facts)
        told = {"Content-Disposition": 'attachment; filename="afterword-facts.tar"'}
        return _sent(files, "application/x-tar", {**headers, **told})

    def _make(self, write: Callable[[Path], T]) -> T:
        """Have files written into a directory that is gone afterwards: what was opened can still be sent.

        Raises:
            Refused: 429 enough others are under way, 503 no space is left.

        """
        if not self._free.acquire(blocking=False):
            raise Refused(429, f"{AT_ONCE} exports are being made: come again", {"Retry-After": "5"})
        try:
            with tempfile.TemporaryDirectory(prefix="export-", dir=self._server.data.path / TEMPORARY) as directory:
                return write(Path(directory))
        except duckdb.Error as error:
            if NO_SPACE not in str(error):
                raise
            raise Refused(503, "there is no space left for the export's file", {"Retry-After": "60"}) from None
        finally:
            self._free.release()

    def _write_rows(self, wanted: Wanted, directory: Path) -> tuple[Exported, BinaryIO]:
        path = directory / "rows"
        exported = from_results(
            self._server,
            wanted.campaign,
            lambda live, definitions, now: live.export(definitions, now, wanted, path),
        )
        return exported, path.open("rb")

    def _write_facts(self, directory: Path) -> list[BinaryIO]:
        data = self._server.data
        needed = (data.path / FACTS).stat().st_size + self._server.policy.free_bytes
        if (free := shutil.disk_usage(directory).free) < needed:
            sentence = f"only {free / 2**20:.0f} MiB of the disk are free, {needed / 2**20:.0f} must be to export facts"
            raise Refused(503, sentence, {"Retry-After": "60"})
        names = from_results(
            self._server, None, lambda live, definitions, now: live.export_facts(definitions, now, directory)
        )
        return [file for name in names for file in _packed(name, directory / name)] + [BytesIO(bytes(1024))]


def _packed(name: str, path: Path) -> Iterator[BinaryIO]:
    """Yield what makes a file part of a tar: a header, its content, and zeros up to a whole block."""
    file = path.open("rb")
    info = tarfile.TarInfo(name)
    info.size = path.stat().st_size
    info.mode = 0o600
    yield BytesIO(info.tobuf(tarfile.PAX_FORMAT))
    yield file
    yield BytesIO(bytes(-info.size % tarfile.BLOCKSIZE))


def _sent(files: Sequence[BinaryIO], content_type: str, headers: Mapping[str, str]) -> Response:
    size = sum(file.seek(0, 2) for file in files)
    for file in files:
        file.seek(0)
    return StreamingResponse(_pieces(files), headers={**headers, "Content-Length": str(size)}, media_type=content_type)


async def _pieces(files: Sequence[BinaryIO]) -> AsyncIterator[bytes]:
    try:
        for file in files:
            while piece := await asyncio.to_thread(file.read, PIECE):
                yield piece
    finally:
        for file in files:
            file.close()


def asked(rows: Rows, parameters: Parameters) -> Wanted:
    """Read which rows are asked for.

    Raises:
        Refused: 400 for what cannot be read.

    """
    wanted = Wanted(
        rows=rows,
        form=Form(choice(parameters, "format", tuple(Form))),
        campaign=parameters.get("campaign") or None,
        event=parameters.get("event") or None,
        variant=parameters.get("variant") or None,
        limit=whole_number(parameters, "limit", 1, MAX_LIMIT, 0) or None,
    )
    cursor = parameters.get("cursor")
    return replace(wanted, after=key_of(wanted, cursor)) if cursor else wanted


def cursor_of(wanted: Wanted, key: Key) -> str:
    """Return the cursor behind a row."""
    told = json.dumps([_question(wanted), *key], ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(told.encode()).decode().rstrip("=")


def key_of(wanted: Wanted, cursor: str) -> Key:
    """Return the key of the row before a page.

    Raises:
        Refused: 400, it is no cursor, or not of these rows.

    """
    types = wanted.rows.key_types
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        question, *key = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        json.dumps(key, ensure_ascii=False).encode()  # half a surrogate is no text
    except (ValueError, TypeError, RecursionError, binascii.Error):
        raise bad_request(NO_CURSOR) from None
    if question != _question(wanted):
        raise bad_request("cursor belongs to other rows: ask with the same campaign, event and variant, or begin again")
    if len(key) != len(types) or not all(type(each) is kind for each, kind in zip(key, types, strict=True)):
        raise bad_request(NO_CURSOR)
    if not all(-(2**63) <= each < 2**63 for each in key if isinstance(each, int)):
        raise bad_request(NO_CURSOR)
    return tuple(key)


def _question(wanted: Wanted) -> list[str | None]:
    return [wanted.rows.value, wanted.campaign, wanted.event, wanted.variant]


def _next_page(request: Request, cursor: str) -> str:
    parameters = [(name, value) for name, value in request.query_params.multi_items() if name != "cursor"]
    return f"{request.scope['path']}?{urlencode([*parameters, ('cursor', cursor)])}"
