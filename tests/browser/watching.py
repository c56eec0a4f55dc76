"""A page of the browser that notes all that must not happen: errors, requests elsewhere, broken policies."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import ConsoleMessage, Page, Request, Response

AXE = Path(__file__).parent / "vendor" / "axe.min.js"
IMAGES = Path(__file__).parents[2] / "docs" / "images"
Theme = Literal["light", "dark"]
LOOKS: tuple[tuple[int, Theme], ...] = ((1440, "light"), (375, "dark"), (1440, "dark"), (375, "light"))
THOROUGH = os.environ.get("AFTERWORD_LOOKS") == "all"
"""Read once: tests have no settings of the environment."""
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


class Watched:
    """A page, and what went wrong on it."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.problems: list[str] = []
        self.expected: set[int] = set()
        """Statuses of answers that the test means to get."""
        self._address = address
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.problems.append(f"error on {page.url}: {error}"))
        page.on("request", self._request)
        page.on("response", self._response)

    def open(self, path: str) -> Page:
        """Go to a page, and wait until it has what it asks for at once."""
        self.page.goto(path)
        return self.page

    def check(self, *, thoroughly: bool = THOROUGH) -> None:
        """Look for barriers, wide and light, and whether it fits a phone; AFTERWORD_LOOKS=all has all four looks."""
        before = self.page.viewport_size
        for width, theme in LOOKS if thoroughly else LOOKS[:2]:
            self.page.set_viewport_size({"width": width, "height": 900})
            self.page.emulate_media(color_scheme=theme)
            where = f"{self.page.url} at {width} px, {theme}"
            if thoroughly or (width, theme) == LOOKS[0]:  # a second or two each time
                self.problems += [f"{where}: {found}" for found in self._barriers()]
            overflow = self.page.evaluate("document.documentElement.scrollWidth - innerWidth")
            if overflow > 0:
                self.problems.append(f"{where}: {overflow} px wider than the window")
        self.page.emulate_media(color_scheme="light")
        if before:
            self.page.set_viewport_size(before)

    def picture(self, name: str) -> None:
        """Take the picture that the documentation shows."""
        self.page.screenshot(path=IMAGES / f"{name}.png", full_page=True, animations="disabled")

    def _barriers(self) -> list[str]:
        self.page.evaluate(_axe())
        options: dict[str, Any] = {"runOnly": RULES, "resultTypes": ["violations"]}
        found = self.page.evaluate("options => axe.run(document, options)", options)
        return [
            f"{one['id']} ({one['help']}): " + json.dumps([node["html"][:160] for node in one["nodes"][:3]])
            for one in found["violations"]
        ]

    def _console(self, message: ConsoleMessage) -> None:
        # The browser reports each answer of 400 and more, too; those are looked at below.
        if message.type in ("error", "warning") and not message.text.startswith("Failed to load resource"):
            self.problems.append(f"console on {self.page.url}: {message.text}")

    def _request(self, request: Request) -> None:
        if not request.url.startswith((self._address, "data:", "blob:", "about:")):
            self.problems.append(f"{self.page.url} asks {request.url}")

    def _response(self, response: Response) -> None:
        if response.status >= 400 and response.status not in self.expected:
            self.problems.append(f"{response.url} answered {response.status}")


@cache
def _axe() -> str:
    return AXE.read_text()
