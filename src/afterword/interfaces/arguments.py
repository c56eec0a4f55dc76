"""What stands on the command line, brought into the form that the commands take."""

from __future__ import annotations

from collections.abc import Sequence

from afterword.errors import UserError

SEVERAL = ("--exposures", "--events", "--step-messages", "--users", "--merges", "--map", "--permissions")
"""Options that take all the values up to the next option, so that a shell may expand `events/*.parquet`."""

DEBUG = "--debug"


def spread(argv: Sequence[str]) -> list[str]:
    """Write `--events a b` as `--events a --events b`, which is what the parser understands.

    A single `--` ends the values as it ends the options: `run --events a b -- campaigns.yaml`.
    """
    spread_out: list[str] = []
    option: str | None = None
    values = 0
    for position, word in enumerate(argv):
        if word == "--":
            return [*spread_out, *argv[position:]]
        if word.startswith("-") and word != "-":
            name, _, value = word.partition("=")
            option = name if name in SEVERAL else None
            values = 1 if value else 0
            spread_out.append(word)
        elif option is not None and values:
            spread_out += [option, word]
        else:
            spread_out.append(word)
            values += 1
    return spread_out


def hoist_debug(argv: Sequence[str]) -> list[str]:
    """Move `--debug`, which belongs to no command, to the front from wherever it was added."""
    rest = [word for word in argv if word != DEBUG]
    return [DEBUG, *rest] if len(rest) < len(argv) else rest


def renames(pairs: Sequence[str]) -> dict[str, str]:
    """Read `theirs=ours` pairs of `--map`."""
    names: dict[str, str] = {}
    for pair in pairs:
        theirs, equals, ours = pair.rpartition("=")
        if not (theirs and equals and ours):
            raise UserError(f'--map is "{pair}", must be theirs=ours, for example --map customer=user_id')
        if names.get(theirs, ours) != ours:
            raise UserError(f'--map names "{theirs}" twice, as "{names[theirs]}" and as "{ours}"')
        names[theirs] = ours
    return names
