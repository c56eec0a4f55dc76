"""What can go wrong, and whose fault it is.

`UserError` is the user's mistake (exit code 2, HTTP 4xx); anything else that escapes is ours
(exit code 1, HTTP 5xx). Messages are one sentence that names the value, the bound and the nearest
right thing; interfaces print them and add nothing.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from enum import StrEnum


class AfterwordError(Exception):
    """Base of all errors that Afterword raises on purpose."""

    exit_code = 1


class UserError(AfterwordError):
    """The input cannot be used as it is; the message says why and what would be right."""

    exit_code = 2


class DefinitionError(UserError):
    """A definition file has one or more problems; all of them are in `problems`."""

    def __init__(self, source: str, problems: Iterable[str]) -> None:
        self.source = source
        self.problems = tuple(problems)
        count = len(self.problems)
        noun = "problem" if count == 1 else "problems"
        super().__init__("\n".join([f"{source}: {count} {noun}", *(f"  {p}" for p in self.problems)]))


class Reason(StrEnum):
    """Why a row was rejected (rule 35). The list is closed; its order is the code in scans, from 1."""

    MISSING_FIELD = "missing_field"
    BAD_TYPE = "bad_type"
    BAD_TIME = "bad_time"
    AMBIGUOUS_TIME = "ambiguous_time"
    IN_FUTURE = "in_future"
    BAD_KIND = "bad_kind"
    BAD_AMOUNT = "bad_amount"
    BAD_CURRENCY = "bad_currency"
    BAD_PROPERTIES = "bad_properties"
    TOO_LONG = "too_long"
    TOO_LARGE = "too_large"
    UNKNOWN_CAMPAIGN = "unknown_campaign"
    UNKNOWN_VARIANT = "unknown_variant"
    UNKNOWN_STEP = "unknown_step"
    MISSING_CHANNEL = "missing_channel"
    UNKNOWN_CHANNEL = "unknown_channel"
    NO_EXPOSURE = "no_exposure"
    ID_CONFLICT = "id_conflict"

    @property
    def code(self) -> int:
        """The number that stands for this reason in scans (0 means accepted)."""
        return list(Reason).index(self) + 1


def nearest(value: str, known: Iterable[str]) -> str:
    """Return `, did you mean "x"?` for the known name nearest to `value`, or an empty string."""
    matches = difflib.get_close_matches(value, list(known), n=1, cutoff=0.6)
    return f', did you mean "{matches[0]}"?' if matches else ""
