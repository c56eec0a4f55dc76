"""Afterword shows what people did after your message.

The rooms, in the order in which the data goes through them (each imports only from its left):

- `intake`: definition and fact files become definitions and facts, row by row accepted or rejected
- `log`: accepted request bodies, durable before the reply: append, recover, read, retain, erase
- `store`: the only place that opens databases: DuckDB for facts, SQLite or PostgreSQL for metadata
- `attribution`: which event counts for which exposure: matching, the sweep, explanations
- `reports`: counts and sums per campaign, variant, event, step and day, and how they are shown
- `workspace`: a run from files to a results directory, and what can be asked of it
- `interfaces`: the command line

and beside them `stats` (mathematics on counts and sums), `demo` (simulated campaigns with known truth)
and the vocabulary: `model`, `durations`, `money`, `versions`, `errors`, `settings`.

Two functions are the way in: `run` computes results from files, `open_results` reads them again.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from afterword.errors import AfterwordError, DefinitionError, UserError
from afterword.model import (
    Campaign,
    Channel,
    ConversionEvent,
    ConversionKind,
    Counting,
    Definitions,
    Op,
    PropertyFilter,
    Step,
    Variant,
    Workspace,
)

if TYPE_CHECKING:
    from afterword.intake.definitions import load_definitions as load_definitions
    from afterword.workspace.results import Results as Results
    from afterword.workspace.results import open_results as open_results
    from afterword.workspace.run import run as run

__version__ = "0.1.0"

__all__ = [
    "AfterwordError",
    "Campaign",
    "Channel",
    "ConversionEvent",
    "ConversionKind",
    "Counting",
    "DefinitionError",
    "Definitions",
    "Op",
    "PropertyFilter",
    "Results",
    "Step",
    "UserError",
    "Variant",
    "Workspace",
    "load_definitions",
    "open_results",
    "run",
]

# These bring the engine with them (DuckDB, Numba, SciPy), so they are imported when first asked for.
_LAZY = {
    "Results": "afterword.workspace.results",
    "load_definitions": "afterword.intake.definitions",
    "open_results": "afterword.workspace.results",
    "run": "afterword.workspace.run",
}

if not TYPE_CHECKING:  # else a misspelt name would pass the type checker as an `object`

    def __getattr__(name: str) -> object:
        if name not in _LAZY:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
