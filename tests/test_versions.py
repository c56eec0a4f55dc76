"""Rules 20-23: which change of an app's version is an upgrade."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from afterword.versions import NO_VERSION, encode_versions, is_change, is_upgrade, parse_version


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        pytest.param("1.2.3", (1, 2, 3), id="three-parts"),
        pytest.param("7", (7,), id="one-part"),
        pytest.param(" 1.2 ", (1, 2), id="trimmed"),
        pytest.param("1.2.0.0", (1, 2), id="closing-zeros-do-not-matter"),
        pytest.param("1.0.2", (1, 0, 2), id="zeros-inside-do"),
        pytest.param("0", (), id="zero"),
        pytest.param("01.002", (1, 2), id="leading-zeros"),
        pytest.param("1." + "9" * 5_000, (1, 10**5_000 - 1), id="integers-of-any-length"),
        pytest.param("1.2.3-beta2", None, id="suffix"),
        pytest.param("3.7.0 (134)", None, id="build-number"),
        pytest.param("v1.2", None, id="prefix"),
        pytest.param("1..2", None, id="empty-part"),
        pytest.param("1.2.", None, id="closing-dot"),
        pytest.param("1,2", None, id="comma"),
        pytest.param("-1", None, id="minus"),
        pytest.param("١.٢", None, id="digits-of-another-script"),
        pytest.param("", None, id="empty"),
    ],
)
def test_parts_of_a_version(text: str, parts: tuple[int, ...] | None) -> None:
    # compared outside the assert: pytest cannot print an integer of 5,000 digits
    same = parse_version(text) == parts
    assert same


@pytest.mark.parametrize(
    ("before", "after", "change", "upgrade"),
    [
        pytest.param("1.2.3", "1.3.0", True, True, id="upgrade"),
        pytest.param("1.2.3", "1.2.2", True, False, id="downgrade-is-no-upgrade"),
        pytest.param("1.9", "1.10", True, True, id="parts-are-integers-not-text"),
        pytest.param("1.2", "1.2.0", False, False, id="missing-parts-are-zero"),
        pytest.param("1.2", "1.2.0.1", True, True, id="more-parts"),
        pytest.param("1.2", " 1.2 ", False, False, id="trimmed"),
        pytest.param("2", "10", True, True, id="single-parts"),
        pytest.param("1." + "8" * 5_000, "1." + "9" * 5_000, True, True, id="integers-of-any-length"),
        pytest.param("1.2.3-beta2", "1.2.3", True, True, id="from-unordered"),
        pytest.param("1.2.3", "1.2.3-beta2", True, True, id="to-unordered"),
        pytest.param("3.7.0 (134)", "3.7.0 (133)", True, True, id="every-change-of-unordered-names"),
        pytest.param("3.7.0 (134)", " 3.7.0 (134)", False, False, id="same-unordered-name"),
        pytest.param("1.2-A", "1.2-a", True, True, id="unordered-names-are-case-sensitive"),
        pytest.param("", "1.2", False, False, id="from-no-version"),
        pytest.param("1.2-beta", " ", False, False, id="to-no-version"),
    ],
)
def test_change_and_upgrade(before: str, after: str, change: bool, upgrade: bool) -> None:
    assert is_change(before, after) is change
    assert is_upgrade(before, after) is upgrade


def test_codes_of_versions() -> None:
    codes = encode_versions(["1.10", "1.9", "1.9.0", " 1.9", "beta", "alpha", "beta ", ""])
    assert codes == {
        "1.9": 0,
        "1.9.0": 0,
        " 1.9": 0,
        "1.10": 1,
        "alpha": -2,
        "beta": -3,
        "beta ": -3,
        "": NO_VERSION,
    }


def test_codes_do_not_depend_on_the_order_of_the_names() -> None:
    names = ["1.10", "1.9", "2", "beta", "alpha"]
    assert encode_versions(names) == encode_versions(reversed(names))


VERSIONS = st.text(st.sampled_from("0129.- a"), min_size=1, max_size=6).filter(lambda text: text.strip() != "")


@given(VERSIONS, VERSIONS)
def test_codes_say_the_same_as_the_names(before: str, after: str) -> None:
    codes = encode_versions([before, after])
    a, b = codes[before], codes[after]
    assert is_change(before, after) == (a != b)
    assert is_upgrade(before, after) == (b > a if a >= 0 and b >= 0 else a != b)
