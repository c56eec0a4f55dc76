"""What stands on the command line, brought into the form that the commands take."""

from __future__ import annotations

import math
from collections.abc import Sequence

from afterword.errors import UserError

SEVERAL = ("--exposures", "--events", "--step-messages", "--users", "--merges", "--map", "--permissions")
"""Options that take all the values up to the next option, so that a shell may expand `events/*.parquet`."""

DEBUG = "--debug"
SETTINGS = "--settings"


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


def hoist_common(argv: Sequence[str]) -> list[str]:
    """Move `--debug` and `--settings FILE`, which belong to no command, to the front from wherever they were added."""
    front: list[str] = []
    rest: list[str] = []
    words = iter(argv)
    for word in words:
        if word == "--":
            return [*front, *rest, word, *words]
        if word == DEBUG or word.startswith(f"{SETTINGS}="):
            front.append(word)
        elif word == SETTINGS:
            front += [word, *([value] if (value := next(words, None)) is not None else [])]
        else:
            rest.append(word)
    return [*front, *rest]


def percentage(option: str, text: str) -> float:
    """Read a percentage, with its sign or without: `5`, `2.5%`, `2.5 %`. Raises `UserError` for anything else."""
    try:
        found = float(text.strip().removesuffix("%"))
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise UserError(f'{option} is "{text}", must be a percentage such as 5, 5% or 2.5%, with a decimal point')
    return found


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
