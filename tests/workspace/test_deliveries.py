"""One delivery: its signature, and how long after a failure it comes again."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest

from afterword.workspace.deliveries import sign, wait_seconds

NOW = 1_674_087_231_000_000


def least(size: int) -> bytes:
    return bytes(size)


def most(size: int) -> bytes:
    return b"\xff" * size


def test_a_signature_is_that_of_the_convention() -> None:
    """The id, time, body and key of the test that the libraries of Standard Webhooks have."""
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    found = sign(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", b'{"test": 2432232314}')
    assert found == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    ("failures", "chance", "expected"),
    [(1, least, 0.5), (1, most, 1.0), (2, most, 2.0), (12, most, 2048.0), (13, most, 3600.0), (5000, least, 1800.0)],
)
def test_it_waits_twice_as_long_each_time_and_an_hour_at_most(
    failures: int, chance: Callable[[int], bytes], expected: float
) -> None:
    assert wait_seconds(failures, None, NOW, chance) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        pytest.param("120", 120.0, id="seconds"),
        pytest.param(" 0 ", 0.5, id="at-once"),
        pytest.param("Thu, 19 Jan 2023 00:14:51 GMT", 60.0, id="date"),
        pytest.param("Thu, 19 Jan 2023 00:12:51 GMT", 0.5, id="date-that-is-over"),
        pytest.param("99999999999999999999", 86_400.0, id="too-long"),
        pytest.param("-5", 0.5, id="negative"),
        pytest.param("\xb2", 0.5, id="no-digit"),
        pytest.param("soon", 0.5, id="words"),
        pytest.param("", 0.5, id="empty"),
        pytest.param("Thu, 19 Jan 99999 00:14:51 GMT", 0.5, id="no-date"),
    ],
)
def test_what_the_receiver_asks_for_is_kept_to(said: str, expected: float) -> None:
    assert wait_seconds(1, said, NOW, least) == pytest.approx(expected)
