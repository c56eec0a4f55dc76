"""What can be set: one table, which feeds the options, the environment, the settings file and the documentation.

An option goes before the environment, that before the settings file, that before the default.
"""

from __future__ import annotations

import ipaddress
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from afterword.errors import UserError, nearest


@dataclass(frozen=True, slots=True)
class Setting:
    """One thing that can be set by its name in the settings file, an option of that name, or `variable`."""

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
RATE = Setting("rate", "250000/3600", "How many requests a key may make in how many seconds.")
TRACK_RATE = Setting("track-rate", "3000/3", "The same for /users/track.")
BODY_SIZE = Setting("body-size", "4MiB", "How large the body of a request may be, also when it is decompressed.")
BATCH_SIZE = Setting("batch-size", "16MiB", "The same for Afterword's own paths, which take up to 10,000 items.")
FREE_SPACE = Setting("free-space", "256MiB", "With less space than this on the disk nothing more is accepted (503).")
UNLOADED_SIZE = Setting(
    "unloaded-size", "2GiB", "How much may wait to be loaded before clients are asked to come later (429)."
)

CHANGES_DAYS = Setting(
    "changes-days", "30", "For how many days changes of conversions can be read again; webhooks get theirs in any case."
)

KEEP_AUDIT_DAYS = Setting(
    "keep-audit-days", "730", "For how many days the audit log keeps what somebody did; then the entry is removed."
)
TRUSTED_PROXIES = Setting(
    "trusted-proxies",
    "127.0.0.1,::1",
    "Addresses or networks of proxies before the server, with commas: what they say of a client's address and of https "
    "(X-Forwarded-For, X-Forwarded-Proto) is believed.",
)

ANSWER_NICE = Setting(
    "answer-nice",
    "19",
    "How far the process that loads facts and answers gives way to others, from 0 (not at all) to 19 (wholly): facts "
    "are acknowledged first.",
)

OIDC = Setting(
    "oidc",
    None,
    "A TOML file that says by which OpenID Connect provider people sign in. Not set: by passwords alone.",
)

SETTINGS = (
    *(MEMORY, THREADS, RESULTS, OUT, DATA, METADATA, HOST, PORT),
    *(RATE, TRACK_RATE, BODY_SIZE, BATCH_SIZE, FREE_SPACE, UNLOADED_SIZE),
    *(ERASE_WITHIN, KEEP_LOG_DAYS, KEEP_LOG_BYTES, CHANGES_DAYS, KEEP_AUDIT_DAYS, ANSWER_NICE),
    *(TRUSTED_PROXIES, OIDC),
)

WHOLE_NUMBERS = (THREADS.name, PORT.name, CHANGES_DAYS.name, KEEP_AUDIT_DAYS.name, KEEP_LOG_DAYS.name, ANSWER_NICE.name)

FILE_NAME = "afterword.toml"
"""In the working directory, where no settings file is named."""
FILE_VARIABLE = "AFTERWORD_SETTINGS"

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


def size_bytes(name: str, text: str, least: int, most: int | None = None) -> int:
    """Read a size such as `4GB`, `512 MiB` or a number of bytes; `least` is the smallest that makes sense."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)", text.strip())
    if match is None or match[2].upper() not in _UNITS:
        raise UserError(f'{name} is "{text}", must be a number with a unit, such as 4GB or 512MiB')
    amount = int(float(match[1]) * _UNITS[match[2].upper()])
    if amount < least:
        raise UserError(f"{name} is {text}, must be at least {_described(least)}")
    if most is not None and amount > most:
        raise UserError(f"{name} is {text}, must be at most {_described(most)}")
    return amount


def _described(size: int) -> str:
    for unit in ("GB", "GIB", "MB", "MIB", "KB", "KIB"):
        if size and size % _UNITS[unit] == 0:
            return f"{size // _UNITS[unit]}{unit.replace('I', 'i')}"
    return f"{size} bytes"


def rate_of(name: str, text: str) -> tuple[int, float]:
    """Read a rate such as `3000/3`: so many requests in so many seconds."""
    match = re.fullmatch(r"([0-9]{1,12})\s*/\s*([0-9]{1,9})", text.strip())
    if match is None:
        raise UserError(f'{name} is "{text}", must be requests and seconds, such as 250000/3600')
    requests, seconds = int(match[1]), int(match[2])
    if not (requests and seconds):
        raise UserError(f"{name} is {text}, must be at least 1 request in at least 1 second")
    return requests, float(seconds)


def networks(name: str, text: str) -> str:
    """Read addresses and networks with commas between them, such as `10.0.0.0/8,::1`; none is an empty text."""
    found = [one.strip() for one in text.split(",") if one.strip()]
    for one in found:
        try:
            ipaddress.ip_network(one)
        except ValueError:
            raise UserError(
                f'{name} is "{text}", must be addresses or networks, such as 127.0.0.1,10.0.0.0/8'
            ) from None
    return ",".join(found)


def read_settings(named: Path | None) -> dict[str, str]:
    """Return what a settings file says, by the settings' names, in the words that an option would have.

    Args:
        named: the file; None is `afterword.toml` in the working directory, if it is there.

    Raises:
        UserError: the file cannot be read, is no TOML, or names what is no setting.

    """
    path = named or Path(FILE_NAME)
    try:
        told = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        if named is None:
            return {}
        raise UserError(f"settings file {path} cannot be read: {error.strerror}") from None
    except OSError as error:
        raise UserError(f"settings file {path} cannot be read: {error.strerror}") from None
    except ValueError as error:  # of TOML as of UTF-8
        raise UserError(f"settings file {path} is no TOML: {error}") from None
    names = [setting.name for setting in SETTINGS]
    found = {}
    for name, value in told.items():
        if name not in names:
            known = nearest(name, names) or f"; there are {', '.join(names)}"
            raise UserError(f'unknown setting "{name}" in {path}{known}')
        if name in WHOLE_NUMBERS and (isinstance(value, bool) or not str(value).isdecimal()):
            raise UserError(f"{name} in {path} is {value!r}, must be a whole number")
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise UserError(f"{name} in {path} is {value!r}, must be text or a whole number")
        found[name] = str(value)
    return found


def thread_count(value: int | None, available: int) -> int:
    """Return how many threads to use: what was asked for, or all that are `available`."""
    if value is not None and value < 1:
        raise UserError(f"threads is {value}, must be at least 1")
    return available if value is None else value
