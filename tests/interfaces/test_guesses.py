"""Wrong passwords by network address: who guesses waits, who shares nothing but a proxy does not."""

from __future__ import annotations

import pytest

from afterword.interfaces.web.guesses import BACK_MICROSECONDS, FREE, MANY, Guesses, site_of


@pytest.mark.parametrize(
    ("address", "site"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unknown", "unknown"),
        ("127.0.0.1", None),
        ("::ffff:127.0.0.1", None),
        ("::1", None),
        ("", None),
    ],
)
def test_what_is_counted_for_an_address(address: str, site: str | None) -> None:
    assert site_of(address) == site


def test_after_many_each_has_to_wait_and_only_one_comes_back_at_a_time() -> None:
    guesses, client, now = Guesses(), "203.0.113.7", 1_000_000
    assert [guesses.take(client, now) for _ in range(FREE)] == [None] * FREE
    until = guesses.take(client, now)
    assert until is not None
    assert 0 <= until - (now + BACK_MICROSECONDS) <= 1
    assert guesses.take(client, until - 2) == until
    assert guesses.take(client, now - 1) is not None  # a clock that was set back
    assert guesses.take(client, until) is None
    assert guesses.take(client, until) is not None
    assert guesses.take("203.0.113.8", now) is None


def test_right_passwords_cost_nothing() -> None:
    guesses = Guesses()
    for _ in range(3 * FREE):
        assert guesses.take("203.0.113.7", 5) is None
        guesses.give_back("203.0.113.7", 5)


def test_who_comes_from_many_addresses_frees_nobody_who_guessed_more() -> None:
    guesses = Guesses()
    for _ in range(FREE):
        guesses.take("203.0.113.7", 5)
    for number in range(2 * MANY):
        guesses.take(f"2001:db8:{number:x}::", 5)
    assert guesses.take("203.0.113.7", 5) is not None
