"""What somebody does on a page, with the mouse or with the keys alone."""

from __future__ import annotations

from dataclasses import dataclass

from playwright.sync_api import Locator, Page

STOPS = 150
"""A page with more stops of Tab than this has lost the focus somewhere."""
FOCUSED = "element => element === document.activeElement"


@dataclass
class Mouse:
    """Points and clicks."""

    page: Page

    def press(self, one: Locator) -> None:
        """Press a button, or follow a link."""
        one.click()

    def tick(self, one: Locator) -> None:
        """Choose with a box or a radio button."""
        one.check()

    def fill(self, one: Locator, text: str) -> None:
        """Write into a field instead of what is there."""
        one.fill(text)

    def choose(self, one: Locator, label: str) -> None:
        """Choose from a list."""
        one.select_option(label=label)


class Keyboard(Mouse):
    """Never points: what Tab does not reach is not there."""

    def press(self, one: Locator) -> None:
        self._reach(one)
        self.page.keyboard.press("Enter")

    def tick(self, one: Locator) -> None:
        if not one.is_checked():
            self._reach(one)
            if not one.is_checked():  # arrows that pass over a group choose in it
                self.page.keyboard.press("Space")
        assert one.is_checked()

    def fill(self, one: Locator, text: str) -> None:
        self._reach(one)
        self.page.keyboard.press("ControlOrMeta+a")
        self.page.keyboard.type(text)

    def choose(self, one: Locator, label: str) -> None:
        self._reach(one)
        self.page.keyboard.type(label)
        assert one.evaluate("element => element.selectedOptions[0].label") == label

    def _reach(self, one: Locator) -> None:
        one.wait_for()
        for _ in range(STOPS):
            if one.evaluate(FOCUSED):
                return
            self.page.keyboard.press("Tab")
            if self._in_the_group(one):
                return
        raise AssertionError(f"Tab does not reach {one}")

    def _in_the_group(self, one: Locator) -> bool:
        """Go on to a radio button by arrows: Tab stops once in a group."""
        name = one.evaluate("element => element.type === 'radio' ? element.name : ''")
        if name and self.page.evaluate("document.activeElement.name") == name:
            for _ in range(STOPS):
                if one.evaluate(FOCUSED):
                    return True
                self.page.keyboard.press("ArrowDown")
        return False
