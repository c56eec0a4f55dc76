"""Passwords: argon2id as RFC 9106 recommends it where memory is shared with others (section 4, second choice).

Hashing takes a tenth of a second and 64 MiB on purpose, so it is done outside of transactions and by few at a time.
"""

from __future__ import annotations

import threading
import unicodedata
from typing import TYPE_CHECKING

from afterword.errors import UserError
from afterword.store.metadata_database import MetadataUnavailable

if TYPE_CHECKING:
    from argon2 import Parameters, PasswordHasher

MIN_CHARACTERS = 12
MAX_BYTES = 1024
AT_ONCE = 2
"""How many are hashed at the same time: who guesses must not get all the memory."""

PATIENCE_SECONDS = 10.0
_NOBODY = "what nobody has for a password"


class Passwords:
    """Hashes and compares passwords. May be used by several threads."""

    def __init__(self, parameters: Parameters | None = None) -> None:
        """Take the cost; None is that of RFC 9106."""
        self._parameters = parameters
        self._lock = threading.Lock()
        self._turns = threading.BoundedSemaphore(AT_ONCE)
        self._made: tuple[PasswordHasher, str] | None = None

    def hash(self, password: str) -> str:
        """Return what is kept of a new password, with a salt of its own.

        Raises:
            UserError: it is too short or too long.
            MetadataUnavailable: too many are being hashed.

        """
        normal = _normal(password)
        if len(password) < MIN_CHARACTERS:
            raise UserError(
                f"the password has {len(password)} characters, at least {MIN_CHARACTERS} are needed: take a few words"
            )
        if normal is None:
            raise UserError(f"the password is longer than {MAX_BYTES:,} bytes or holds half a character")
        with _Turn(self._turns):
            return self._hasher[0].hash(normal)

    def matches(self, password: str, kept: str | None) -> bool:
        """Return whether this is the password; without one that is kept, say no after the same time.

        Raises:
            MetadataUnavailable: too many are being hashed.

        """
        from argon2.exceptions import InvalidHashError, VerificationError

        hasher, nobody = self._hasher
        normal = _normal(password)
        with _Turn(self._turns):
            try:
                hasher.verify(nobody if kept is None else kept, b"" if normal is None else normal)
            except (VerificationError, InvalidHashError):
                return False
        return kept is not None and normal is not None

    def is_outdated(self, kept: str) -> bool:
        """Return whether the password was hashed at another cost than now."""
        return self._hasher[0].check_needs_rehash(kept)

    @property
    def _hasher(self) -> tuple[PasswordHasher, str]:
        """What hashes, and the hash that stands in for one that nobody has."""
        from argon2 import PasswordHasher, profiles

        with self._lock:
            if self._made is None:
                hasher = PasswordHasher.from_parameters(self._parameters or profiles.RFC_9106_LOW_MEMORY)
                self._made = hasher, hasher.hash(_NOBODY)
            return self._made


class _Turn:
    """A turn at hashing, for as long as a `with` lasts."""

    def __init__(self, turns: threading.BoundedSemaphore) -> None:
        self._turns = turns

    def __enter__(self) -> None:
        if not self._turns.acquire(timeout=PATIENCE_SECONDS):
            raise MetadataUnavailable("too many are signing in at once; try again")

    def __exit__(self, *_error: object) -> None:
        self._turns.release()


def _normal(password: str) -> bytes | None:
    """Return the same bytes for the same text, whichever way a keyboard composes it (RFC 8265); None if none can be."""
    try:
        normal = unicodedata.normalize("NFC", password).encode()
    except UnicodeEncodeError:
        return None
    return normal if len(normal) <= MAX_BYTES else None
