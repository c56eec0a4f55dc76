"""What the two processes of a server say to each other: the one that takes facts in, and the one that answers."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

import msgspec

from afterword.interfaces.api.limits import Rate
from afterword.interfaces.command_key import CommandKey
from afterword.interfaces.oidc.settings import Oidc

STATE = "/internal/state"
FIRST_VARIANTS = "/internal/first-variants"
ENTRANCES = "/internal/entrances"
CLIENT, SCHEME = "x-afterword-client", "x-afterword-scheme"
"""Headers of a request that is handed on: who sent it, as the network or a trusted proxy says, and by http or https."""
AGAIN = 75
"""The exit code that asks for the next process, which rewrites the facts' file before it opens it."""


@dataclass(frozen=True)
class Configuration:
    """What the process must know; it comes as the first line of standard input."""

    path: str
    socket: str
    memory: str | None
    threads: int | None
    metadata_url: str | None
    rate: Rate
    changes_days: int
    audit_days: int
    body_bytes: int
    durable: int
    """The position of the log."""
    command_key: CommandKey
    erase_within: int
    """Microseconds."""
    nice: int
    oidc: Oidc | None = None

    @classmethod
    def read(cls, line: str) -> Configuration:
        """Read what `line` wrote."""
        told = json.loads(line)
        oidc = None if told["oidc"] is None else Oidc(**told["oidc"])
        key, rate = CommandKey(**told["command_key"]), Rate(**told["rate"])
        return cls(**{**told, "rate": rate, "command_key": key, "oidc": oidc})

    def line(self) -> str:
        """Return it as one line."""
        return json.dumps(asdict(self))


class AskedFirst(msgspec.Struct):
    """To which variant users were first exposed."""

    campaign_id: str
    users: list[str]
