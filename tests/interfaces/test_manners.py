"""Numbers and dates as readers write them: the language of pages stays English, and what machines read stays as is."""

from __future__ import annotations

from datetime import date

import pytest

from afterword.interfaces.web import written
from afterword.interfaces.web.manners import MANNERS, USUAL, manner_of, named
from afterword.interfaces.web.written import Reader, reading


@pytest.fixture
def german() -> None:
    found = named("de-DE")
    assert found is not None
    reading(Reader(found, lambda: "America/New_York"))


@pytest.mark.parametrize(
    ("tag", "small", "large"),
    [
        ("en-US", "1,234.5", "1,234,567.89"),
        ("de-DE", "1.234,5", "1.234.567,89"),
        ("es-ES", "1234,5", "1.234.567,89"),
        ("en-IN", "1,234.5", "12,34,567.89"),
        ("fr-FR", "1\u202f234,5", "1\u202f234\u202f567,89"),
        ("pl-PL", "1234,5", "1\u00a0234\u00a0567,89"),
    ],
)
def test_separators_are_those_of_the_place(tag: str, small: str, large: str) -> None:
    manner = named(tag)
    assert manner is not None
    assert (manner.rewritten("1,234.5"), manner.rewritten("$1,234,567.89")) == (small, f"${large}")


@pytest.mark.parametrize(
    ("chosen", "accepted", "tag"),
    [
        ("", "", USUAL.tag),
        ("", "de", "de-DE"),
        ("", "de-LI, en;q=0.5", "de-DE"),
        ("", "ar, pt-PT;q=0.8, en;q=0.9", "en-US"),
        ("", "fr;q=0, sv;q=0.1", "sv-SE"),
        ("", "de;q=many, *", USUAL.tag),
        ("ja-JP", "de", "ja-JP"),
        ("nonsense", "de", "de-DE"),
    ],
)
def test_what_was_chosen_goes_before_what_the_browser_says(chosen: str, accepted: str, tag: str) -> None:
    assert manner_of(chosen, accepted).tag == tag


@pytest.mark.usefixtures("german")
def test_numbers_and_times_are_the_readers() -> None:
    assert written.number(10021) == "10.021"
    assert written.percent(0.0732) == "7,32\u202f%"
    assert written.money("-30311.69", "EUR") == "\u2212€30.311,69"
    assert written.moment("2026-11-28T02:03:04Z") == "27 Nov 2026, 21:03 EST"
    assert written.second("2026-07-28T02:03:04Z") == "27 Jul 2026, 22:03:04 EDT"
    assert written.number(None) == "–"


def test_names_in_sentences_keep_their_numbers() -> None:
    german = named("de")
    assert german is not None
    reading(Reader(german))
    text = '"Update to 1.10" is leading: 14.92 % converted, against 1,234.5 % of "1.10".'
    said = written.sentence(text, ["Update to 1.10", "1.10", ""])
    assert said == '"Update to 1.10" is leading: 14,92 % converted, against 1.234,5 % of "1.10".'


@pytest.mark.parametrize(
    ("tag", "whole", "short"),
    [
        ("en-GB", "2 Nov 2026", "2 Nov"),
        ("en-US", "Nov 2, 2026", "Nov 2"),
        ("sv-SE", "2026 Nov 2", "Nov 2"),
    ],
)
def test_dates_have_the_order_of_the_place(tag: str, whole: str, short: str) -> None:
    manner = named(tag)
    assert manner is not None
    reading(Reader(manner, lambda: "Asia/Dubai"))
    assert (written.day("2026-11-02", year=True), written.day("2026-11-02")) == (whole, short)
    assert written.date_of(date(2026, 11, 2)) == whole
    assert written.moment("2026-11-02T08:00:00Z") == f"{whole}, 12:00 UTC+04"


def test_each_locale_is_there_once() -> None:
    assert len({one.tag for one in MANNERS}) == len(MANNERS)
