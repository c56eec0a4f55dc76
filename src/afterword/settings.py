"""What can be set: one table, which feeds the options, the environment variables and the documentation."""

from __future__ import annotations

import re
from dataclasses import dataclass

from afterword.errors import UserError


@dataclass(frozen=True, slots=True)
class Setting:
    """One thing that can be set by an option of the same name or by `variable` in the environment."""

    name: str
    default: str | None
    help: str

    @property
    def option(self) -> str:
        """The option on the command line, for example `--memory`."""
        return f"--{self.name}"

    @property
    def variable(self) -> str:
        """The environment variable, for example `AFTERWORD_MEMORY`."""
        return f"AFTERWORD_{self.name.upper().replace('-', '_')}"


MEMORY = Setting("memory", None, "How much memory to use, such as 4GB; beyond it the disk is used. Not set: 4GB.")
THREADS = Setting("threads", None, "How many threads to use. Not set: one for each core.")
RESULTS = Setting("results", "./afterword-results", "The results directory to read.")
OUT = Setting(
    "out", "./afterword-results", "The results directory to write. It must not exist, unless --force is given."
)
DATA = Setting("data", "./afterword-data", "The data directory of the workspace.")
METADATA = Setting(
    "metadata",
    None,
    "A postgresql:// URL where campaigns and keys are kept, best given in the environment: it may hold a password. "
    "Not set: metadata.sqlite in the data directory.",
)

HOST = Setting("host", "127.0.0.1", "The address to listen on; 0.0.0.0 is every address of the machine.")
PORT = Setting("port", "8640", "The port to listen on; 0 takes a free one.")

ERASE_WITHIN = Setting(
    "erase-within",
    "24 hours",
    "How long persons who were deleted may still stand in the log and in old blocks of files; 0 is at once.",
)
KEEP_LOG_DAYS = Setting("keep-log-days", None, "Remove segments of the log that are older and loaded. Not set: none.")
KEEP_LOG_BYTES = Setting(
    "keep-log-bytes",
    None,
    "Remove the oldest loaded segments of the log beyond this size, such as 20GB. Not set: none.",
)

CHANGES_DAYS = Setting(
    "changes-days", "30", "For how many days changes of conversions can be read again; webhooks get theirs in any case."
)

SETTINGS = (
    *(MEMORY, THREADS, RESULTS, OUT, DATA, METADATA, HOST, PORT),
    *(ERASE_WITHIN, KEEP_LOG_DAYS, KEEP_LOG_BYTES, CHANGES_DAYS),
)

DEFAULT_MEMORY = "4GB"
MIN_MEMORY_BYTES = 100 * 1000**2
"""Below this DuckDB and the compiled sweep cannot even start."""

_UNITS = {"": 1, "B": 1}
for _power, _letter in enumerate("KMGT", start=1):
    _UNITS[f"{_letter}B"] = 1000**_power
    _UNITS[f"{_letter}IB"] = 1024**_power


def memory_bytes(value: str | int | None) -> int:
    """Read an amount of memory: `4GB`, `512 MiB`, a number of bytes; None is the default."""
    text = DEFAULT_MEMORY if value is None else str(value).strip()
    return size_bytes("memory", text, MIN_MEMORY_BYTES)


def size_bytes(name: str, text: str, least: int) -> int:
    """Read a size such as `4GB`, `512 MiB` or a number of bytes; `least` is the smallest that makes sense."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)", text)
    if match is None or match[2].upper() not in _UNITS:
        raise UserError(f'{name} is "{text}", must be a number with a unit, such as 4GB or 512MiB')
    amount = int(float(match[1]) * _UNITS[match[2].upper()])
    if amount < least:
        raise UserError(f"{name} is {text}, must be at least {-(-least // 1000**2)}MB")
    return amount


def thread_count(value: int | None, available: int) -> int:
    """Return how many threads to use: what was asked for, or all that are `available`."""
    if value is not None and value < 1:
        raise UserError(f"threads is {value}, must be at least 1")
    return available if value is None else value
