"""Pages without a browser: fetched as somebody, and their tables read."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

import httpx

from afterword.interfaces.web.visits import COOKIE
from afterword.store.accounts import Role
from tests.browser.conftest import PATIENT, World


@dataclass
class Table:
    """A table's rows: the text of each cell without what stands under it, and the address that it leads to."""

    rows: list[list[tuple[str, str]]] = field(default_factory=list)

    def texts(self) -> list[list[str]]:
        return [[text for text, _ in row] for row in self.rows]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tables: dict[str, Table] = {}
        self.links: list[tuple[str, str]] = []
        """Of the class `count`: address and text."""
        self._table: Table | None = None
        self._cell: list[str] | None = None
        self._address = ""
        self._small = 0
        self._counted: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "table":
            self._table = self.tables.setdefault(values.get("id") or "", Table())
        elif tag == "tr" and self._table is not None:
            self._table.rows.append([])
        elif tag in ("td", "th"):
            self._cell, self._address = [], ""
        elif tag == "small":
            self._small += 1
        elif tag == "a" and values.get("class") == "count":
            self._address, self._counted = values.get("href") or "", []

    def handle_endtag(self, tag: str) -> None:
        if tag == "table":
            self._table = None
        elif tag in ("td", "th") and self._table is not None and self._cell is not None:
            self._table.rows[-1].append(("".join(self._cell).strip(), self._address))
            self._cell = None
        elif tag == "small":
            self._small -= 1
        elif tag == "a" and self._counted is not None:
            self.links.append((self._address, "".join(self._counted)))
            self._counted = None

    def handle_data(self, data: str) -> None:
        if self._cell is not None and not self._small:
            self._cell.append(data)
        if self._counted is not None:
            self._counted.append(data)


@dataclass
class Fetched:
    """A page."""

    status: int
    text: str
    tables: dict[str, Table]
    links: list[tuple[str, str]]


def fetch(world: World, role: Role, path: str, **parameters: str | list[str]) -> Fetched:
    """Fetch a page as somebody with a role."""
    answer = get(world, role, path, **parameters)
    reader = _Reader()
    reader.feed(answer.text)
    return Fetched(answer.status_code, answer.text, reader.tables, reader.links)


def get(world: World, role: Role, path: str, **parameters: str | list[str]) -> httpx.Response:
    """Fetch anything as somebody with a role."""
    cookies = {COOKIE: world.secrets[role]}
    with httpx.Client(
        base_url=world.address, cookies=cookies, timeout=60.0, trust_env=False, headers=PATIENT
    ) as client:
        return client.get(path, params=parameters or None)
