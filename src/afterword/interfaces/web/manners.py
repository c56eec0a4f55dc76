"""How readers write numbers and dates: separators and order by locale. The words of pages stay English.

The table is CLDR's, as Chromium 156 tells it (`Intl.NumberFormat`, `Intl.DateTimeFormat`); a test compares the two.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Final, Literal

COOKIE = "afterword_manner"
"""Holds the locale that was chosen in this browser."""

Order = Literal["dmy", "mdy", "ymd"]
_PLAIN, _NARROW = "\N{NO-BREAK SPACE}", "\N{NARROW NO-BREAK SPACE}"
_LONGEST = 200
_NUMBER = re.compile(r"(?<!\w)\d+(?:,\d{3})*(?:\.\d+)?")


@dataclass(frozen=True, slots=True)
class Manner:
    """How numbers and dates are written in a place."""

    tag: str
    name: str
    group: str
    """Between thousands."""
    decimal: str
    order: Order
    least: int = 1
    """How many digits must stand before the last three for them to be set apart."""
    upper: int = 3
    """How many digits each further group has."""

    def rewritten(self, text: str) -> str:
        """Return a text with its numbers, which it has as in 1,234.5, in this manner."""
        return _rewritten(self, text)

    def number(self, text: str) -> str:
        """Return a single number, written as in 1,234.5, in this manner."""
        whole, point, rest = text.partition(".")
        digits = whole.replace(",", "")
        if len(digits) >= 3 + self.least:
            groups, before = [digits[-3:]], digits[:-3]
            while before:
                groups.append(before[-self.upper :])
                before = before[: -self.upper]
            digits = self.group.join(reversed(groups))
        return digits + (self.decimal + rest if point else "")


@lru_cache(maxsize=1 << 14)  # a page of two hundred campaigns has thousands, and is looked at again
def _rewritten(manner: Manner, text: str) -> str:
    return _NUMBER.sub(lambda found: manner.number(found[0]), text)


MANNERS: Final = (
    Manner("en-US", "English (United States)", ",", ".", "mdy"),
    Manner("en-GB", "English (United Kingdom)", ",", ".", "dmy"),
    Manner("en-AU", "English (Australia)", ",", ".", "dmy"),
    Manner("en-CA", "English (Canada)", ",", ".", "ymd"),
    Manner("en-IE", "English (Ireland)", ",", ".", "dmy"),
    Manner("en-IN", "English (India)", ",", ".", "dmy", upper=2),
    Manner("en-NZ", "English (New Zealand)", ",", ".", "dmy"),
    Manner("en-ZA", "English (South Africa)", _PLAIN, ",", "ymd"),
    Manner("bg-BG", "Bulgarian", _PLAIN, ",", "dmy", least=2),
    Manner("zh-CN", "Chinese (China)", ",", ".", "ymd"),
    Manner("zh-TW", "Chinese (Taiwan)", ",", ".", "ymd"),
    Manner("hr-HR", "Croatian", ".", ",", "dmy"),
    Manner("cs-CZ", "Czech", _PLAIN, ",", "dmy"),
    Manner("da-DK", "Danish", ".", ",", "dmy"),
    Manner("nl-NL", "Dutch (Netherlands)", ".", ",", "dmy"),
    Manner("nl-BE", "Dutch (Belgium)", ".", ",", "dmy"),
    Manner("et-EE", "Estonian", _PLAIN, ",", "dmy", least=2),
    Manner("fi-FI", "Finnish", _PLAIN, ",", "dmy"),
    Manner("fr-FR", "French (France)", _NARROW, ",", "dmy"),
    Manner("fr-BE", "French (Belgium)", _NARROW, ",", "dmy"),
    Manner("fr-CA", "French (Canada)", _PLAIN, ",", "ymd"),
    Manner("fr-CH", "French (Switzerland)", _NARROW, ",", "dmy"),
    Manner("de-DE", "German (Germany)", ".", ",", "dmy"),
    Manner("de-AT", "German (Austria)", _PLAIN, ",", "dmy"),
    Manner("de-CH", "German (Switzerland)", "'", ".", "dmy"),
    Manner("el-GR", "Greek", ".", ",", "dmy"),
    Manner("he-IL", "Hebrew", ",", ".", "dmy"),
    Manner("hi-IN", "Hindi", ",", ".", "dmy", upper=2),
    Manner("hu-HU", "Hungarian", _PLAIN, ",", "ymd", least=2),
    Manner("id-ID", "Indonesian", ".", ",", "dmy"),
    Manner("it-IT", "Italian (Italy)", ".", ",", "dmy", least=2),
    Manner("it-CH", "Italian (Switzerland)", "'", ".", "dmy", least=2),
    Manner("ja-JP", "Japanese", ",", ".", "ymd"),
    Manner("ko-KR", "Korean", ",", ".", "ymd"),
    Manner("lv-LV", "Latvian", _PLAIN, ",", "dmy", least=2),
    Manner("lt-LT", "Lithuanian", _PLAIN, ",", "ymd"),
    Manner("nb-NO", "Norwegian", _PLAIN, ",", "dmy"),
    Manner("pl-PL", "Polish", _PLAIN, ",", "dmy", least=2),
    Manner("pt-BR", "Portuguese (Brazil)", ".", ",", "dmy"),
    Manner("pt-PT", "Portuguese (Portugal)", _PLAIN, ",", "dmy", least=2),
    Manner("ro-RO", "Romanian", ".", ",", "dmy"),
    Manner("ru-RU", "Russian", _PLAIN, ",", "dmy"),
    Manner("sk-SK", "Slovak", _PLAIN, ",", "dmy"),
    Manner("sl-SI", "Slovenian", ".", ",", "dmy", least=2),
    Manner("es-ES", "Spanish (Spain)", ".", ",", "dmy", least=2),
    Manner("es-AR", "Spanish (Argentina)", ".", ",", "dmy"),
    Manner("es-MX", "Spanish (Mexico)", ",", ".", "dmy"),
    Manner("sv-SE", "Swedish", _PLAIN, ",", "ymd"),
    Manner("tr-TR", "Turkish", ".", ",", "dmy"),
    Manner("uk-UA", "Ukrainian", _PLAIN, ",", "dmy"),
    Manner("vi-VN", "Vietnamese", ".", ",", "dmy"),
)
_BY_TAG: Final = MappingProxyType({one.tag.lower(): one for one in MANNERS})
USUAL: Final = _BY_TAG["en-gb"]
"""Where nothing is known of the reader."""


def named(tag: str) -> Manner | None:
    """Return the manner of a locale, or of its language where the country is none of ours; None if neither is."""
    found = _BY_TAG.get(tag.strip().lower())
    language = tag.strip().lower().partition("-")[0]
    return found or next((one for one in MANNERS if one.tag.partition("-")[0] == language), None)


def manner_of(chosen: str, accepted: str) -> Manner:
    """Return the manner for a reader.

    Args:
        chosen: the locale that was chosen in this browser; empty if none was.
        accepted: what the browser says in `Accept-Language` (RFC 9110, 12.5.4).

    """
    if chosen and (found := named(chosen)) is not None:
        return found
    asked = sorted(map(_weighed, accepted[:_LONGEST].split(",")), key=lambda one: -one[0])
    return next((found for weight, tag in asked if weight > 0 and (found := named(tag)) is not None), USUAL)


def _weighed(text: str) -> tuple[float, str]:
    tag, _, parameters = text.partition(";")
    name, _, value = parameters.strip().partition("=")
    try:
        return (float(value) if name.strip() == "q" else 1.0), tag.strip()
    except ValueError:
        return 0.0, tag.strip()
