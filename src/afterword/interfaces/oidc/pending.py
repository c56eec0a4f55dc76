"""Attempts to sign in that wait for people to come back from the provider."""

from __future__ import annotations

import hashlib
import hmac
import threading
from collections.abc import Callable
from dataclasses import dataclass

from afterword.store.keys import text_of

MICROSECONDS = 10 * 60 * 1_000_000
"""How long one waits."""
MOST = 10_000
MOST_BYTES = 16 << 20
"""Of forms that are kept meanwhile; beyond either of them the oldest attempts end."""
BYTES = 32


@dataclass(frozen=True, slots=True)
class Attempt:
    """Somebody is at the provider."""

    nonce: str
    verifier: str
    next: str
    replay: str
    """A form that was sent when the session had ended, to be sent again."""
    replay_to: str
    begun_at: int
    browser: bytes
    """The hash of what the browser's cookie holds: nobody else can finish it."""


class Pending:
    """All of them, in memory: after a new start of the server they have to be begun again. Used by several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[str, Attempt] = {}

    def begin(
        self, next: str, replay: str, replay_to: str, now: int, chance: Callable[[int], bytes]
    ) -> tuple[str, str, Attempt]:
        """Begin one; return its state, what the browser is to keep, and itself. `chance(n)` gives n random bytes."""
        state, nonce, verifier, browser = (text_of(chance(BYTES)) for _ in range(4))
        attempt = Attempt(nonce, verifier, next, replay, replay_to, now, _hash_of(browser))
        with self._lock:
            self._waiting[state] = attempt
            self._prune(now)
        return state, browser, attempt

    def finish(self, state: str, browser: str, now: int) -> Attempt | None:
        """Return the attempt of a state, once; None if it is not there, was another browser's or waited too long."""
        with self._lock:
            attempt = self._waiting.get(state)
            if attempt is None or not hmac.compare_digest(attempt.browser, _hash_of(browser)):
                return None  # who guesses or was sent the state does not end the attempt
            del self._waiting[state]
        return attempt if 0 <= now - attempt.begun_at < MICROSECONDS else None

    def _prune(self, now: int) -> None:
        kept: dict[str, Attempt] = {}
        size = 0
        for state, attempt in reversed(self._waiting.items()):
            size += len(attempt.replay)
            if len(kept) < MOST and size <= MOST_BYTES and now - attempt.begun_at < MICROSECONDS:
                kept[state] = attempt
        self._waiting = dict(reversed(kept.items()))


def _hash_of(browser: str) -> bytes:
    return hashlib.sha256(browser.encode("utf-8", "replace")).digest()
