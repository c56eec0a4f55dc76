"""Style, scripts and their addresses, which change with the content, so that browsers may keep them for ever."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from afterword.interfaces.api.faults import Refused

MEDIA: Final = MappingProxyType(
    {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
)
REPORT_STYLE: Final = "report.css"
"""The style of report.html, which the pages share."""
FOR_EVER: Final = "public, max-age=31536000, immutable"
_HASH_LETTERS: Final = 12


@dataclass(frozen=True, slots=True)
class Asset:
    """A file that the server hands out."""

    name: str
    content: bytes
    compressed: bytes
    media: str
    tag: str
    """The beginning of the hash of its content."""

    @property
    def address(self) -> str:
        """Where it is."""
        return f"/static/{self.tag}/{self.name}"


@cache
def assets() -> MappingProxyType[str, Asset]:
    """Return all files by name."""
    folder = resources.files("afterword.interfaces.web") / "static"
    files = {each.name: each.read_bytes() for each in folder.iterdir() if _media(each.name)}
    style = resources.files("afterword.reports") / "templates" / "style.css"
    return MappingProxyType(
        {name: _asset(name, content) for name, content in {**files, REPORT_STYLE: style.read_bytes()}.items()}
    )


def address(name: str) -> str:
    """Return the address of a file; for templates."""
    return assets()[name].address


async def answer_asset(request: Request) -> Response:
    """Answer with a file, if the address is that of its present content."""
    found = assets().get(request.path_params["name"])
    if found is None or found.tag != request.path_params["tag"]:
        raise Refused(404, "there is no such file")
    headers = {"cache-control": FOR_EVER, "vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(found.compressed, headers={**headers, "content-encoding": "gzip"}, media_type=found.media)
    return Response(found.content, headers=headers, media_type=found.media)


def _media(name: str) -> str | None:
    return MEDIA.get(name[name.rfind(".") :])


def _asset(name: str, content: bytes) -> Asset:
    media = _media(name)
    assert media is not None
    tag = hashlib.sha256(content).hexdigest()[:_HASH_LETTERS]
    return Asset(name, content, gzip.compress(content, 9, mtime=0), media, tag)
