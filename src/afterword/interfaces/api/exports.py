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

from afterword.interfaces.api.campaigns import from_results
from afterword.interfaces.api.faults import Refused, bad_request
from afterword.interfaces.api.openapi import OURS
from afterword.interfaces.api.operations import Answered, Call, Operation
from afterword.interfaces.api.parameters import Choice, Parameter, Parameters, Text, WholeNumber
from afterword.interfaces.api.server import Answers
from afterword.reports.report import iso_time
from afterword.store.permissions import Permission
from afterword.workspace.data_directory import FACTS
from afterword.workspace.exports import TooManyExports
from afterword.workspace.failures import NO_SPACE
from afterword.workspace.live.exporting import Exported, Form, Key, Rows, Wanted

MAX_LIMIT = 1_000_000
TAR = "application/x-tar"
PIECE = 1 << 20
CONTENT_TYPES = {
    Form.NDJSON: "application/x-ndjson",
    Form.CSV: "text/csv; charset=utf-8",
    Form.PARQUET: "application/vnd.apache.parquet",
}
AS_OF, VERSION, NEXT, COUNT = "Afterword-As-Of", "Afterword-Version", "Afterword-Next-Cursor", "Afterword-Rows"
NO_CURSOR = "cursor is none that an answer gave: begin again without it"
T = TypeVar("T")


FORMAT = Choice("format", "how rows are written", tuple(Form))
CAMPAIGN = Text("campaign", "the id of a campaign or Canvas; all if nothing is said", example="cart-rescue")
VARIANT = Text("variant", "the id of a variant of the campaign")
EVENT = Text("event", "the letter of a conversion event", example="A")
LIMIT = WholeNumber("limit", "how many rows at most; 0 is all of them", 0, MAX_LIMIT, 0)
CURSOR = Text("cursor", "where to go on: what `Afterword-Next-Cursor` of an answer said")


async def _rows(rows: Rows, server: Answers, call: Call) -> Response:
    """Send rows of the result files."""
    wanted = asked(rows, call.parameters)
    exported, file = await asyncio.to_thread(_made, server, partial(_write_rows, server, wanted))
    told = {
        AS_OF: iso_time(exported.as_of),
        VERSION: str(exported.version),
        COUNT: str(exported.rows),
        "Content-Disposition": f'attachment; filename="{rows.value}.{wanted.form}"',
    }
    if exported.last is not None:
        told[NEXT] = cursor_of(wanted, exported.last)
        told["Link"] = f'<{_next_page(call.request, told[NEXT])}>; rel="next"'
    return _sent([file], CONTENT_TYPES[wanted.form], told)


async def _facts(server: Answers, _call: Call) -> Response:
    """Send all facts as a tar of the files that `afterword run` reads."""
    files = await asyncio.to_thread(_made, server, partial(_write_facts, server))
    return _sent(files, TAR, {"Content-Disposition": 'attachment; filename="afterword-facts.tar"'})


def _made(server: Answers, write: Callable[[Path], T]) -> T:
    """Have files written into a directory that is gone afterwards: what was opened can still be sent.

    Raises:
        Refused: 429 enough others are under way, 503 no space is left.

    """
    try:
        with server.data.exports.room() as directory:
            return write(directory)
    except TooManyExports as error:
        raise Refused(429, str(error), {"Retry-After": "5"}) from None
    except duckdb.Error as error:
        if NO_SPACE not in str(error):
            raise
        raise Refused(503, "there is no space left for the export's file", {"Retry-After": "60"}) from None


def _write_rows(server: Answers, wanted: Wanted, directory: Path) -> tuple[Exported, BinaryIO]:
    path = directory / "rows"
    exported = from_results(
        server, wanted.campaign, lambda live, definitions, now: live.export(definitions, now, wanted, path)
    )
    return exported, path.open("rb")


def _write_facts(server: Answers, directory: Path) -> list[BinaryIO]:
    needed = (server.data.path / FACTS).stat().st_size + server.policy.free_bytes
    if (free := shutil.disk_usage(directory).free) < needed:
        sentence = f"only {free / 2**20:.0f} MiB of the disk are free, {needed / 2**20:.0f} must be to export facts"
        raise Refused(503, sentence, {"Retry-After": "60"})
    names = from_results(server, None, lambda live, definitions, now: live.export_facts(definitions, now, directory))
    return [*(file for name in names for file in _packed(name, directory / name)), BytesIO(bytes(1024))]


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
        form=Form(FORMAT.read(parameters)),
        campaign=CAMPAIGN.read(parameters) or None,
        event=EVENT.read(parameters) or None,
        variant=VARIANT.read(parameters) or None,
        limit=LIMIT.read(parameters) or None,
    )
    cursor = CURSOR.read(parameters)
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


_REFUSALS = {503: "the results are not up to date, or no space is left", 504: "there was no answer in time"}
_PAGES = (
    "Without `limit` all rows come, from one state of the results; with it `Link` leads to the next page, if there is "
    "one. `Afterword-As-Of`, `Afterword-Version` and `Afterword-Rows` say as of when the rows are, from which state of "
    "the results, and how many."
)


def _exported(rows: Rows, path: str, summary: str, parameters: tuple[Parameter, ...]) -> Operation[Answers]:
    media, *others = CONTENT_TYPES.values()
    return Operation(
        "GET",
        path,
        summary,
        partial(_rows, rows),
        OURS,
        (Answered(200, "the rows", media=media, others=tuple(others)),),
        Permission.API_READ,
        (CAMPAIGN, VARIANT, *parameters, FORMAT, LIMIT, CURSOR),
        refusals={404: "there is no such campaign", 409: "it was never launched", **_REFUSALS},
        about=_PAGES,
    )


OPERATIONS = (
    _exported(Rows.CONVERSIONS, "/api/conversions", "Conversions, as conversions.parquet has them", (EVENT,)),
    _exported(
        Rows.CREDITED,
        "/api/credited-purchases",
        "Credited purchases, as credited_purchases.parquet has them",
        (),
    ),
    Operation(
        "GET",
        "/api/facts",
        "All facts and definitions, as files that `afterword run` reads",
        _facts,
        OURS,
        (Answered(200, "a tar", media=TAR),),
        Permission.ADMIN,
        refusals=_REFUSALS,
    ),
)
