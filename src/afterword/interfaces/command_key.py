"""The key by which commands are let in: made by a server for as long as it runs, and stored nowhere (decision 0026)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from afterword.store.keys import Key, Keys, hash_of, new_secret
from afterword.store.permissions import Permission


@dataclass(frozen=True, slots=True)
class CommandKey:
    """What both processes of a server know of the key of commands: enough to let it in."""

    id: str
    hash: str
    """Hexadecimal."""

    def lend_to(self, keys: Keys) -> None:
        """Have it let in like a key of the workspace, without storing it."""
        keys.lend(Key(self.id, "commands", frozenset({Permission.ADMIN}), created_at=0), bytes.fromhex(self.hash))


def make_command_key(chance: Callable[[int], bytes]) -> tuple[CommandKey, str]:
    """Return a new key as the server knows it, and the key itself; `chance(n)` gives n unpredictable bytes."""
    key_id, secret = new_secret(chance)
    return CommandKey(key_id, hash_of(secret).hex()), secret
