"""The options of the commands, each written down once: its name, its value, its help."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from afterword.settings import (
    ANSWER_NICE,
    BATCH_SIZE,
    BODY_SIZE,
    CHANGES_DAYS,
    DATA,
    ERASE_WITHIN,
    FREE_SPACE,
    HOST,
    KEEP_AUDIT_DAYS,
    KEEP_LOG_BYTES,
    KEEP_LOG_DAYS,
    MEMORY,
    METADATA,
    OIDC,
    OUT,
    PORT,
    RATE,
    RESULTS,
    THREADS,
    TRACK_RATE,
    TRUSTED_PROXIES,
    UNLOADED_SIZE,
    Setting,
)


class TimeUnit(StrEnum):
    """What epoch numbers in files count."""

    SECONDS = "s"
    MILLISECONDS = "ms"
    MICROSECONDS = "us"


class Dates(StrEnum):
    """What a date without a time means."""

    START_OF_DAY = "start-of-day"
    END_OF_DAY = "end-of-day"


class Format(StrEnum):
    """How a report is printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    MARKDOWN = "markdown"


_MANY = "Several values and globs are accepted."

CampaignsFile: TypeAlias = Annotated[
    Path | None,
    typer.Argument(metavar="CAMPAIGNS.yaml", help="The definition file (YAML or JSON).", show_default=False),
]
Campaign: TypeAlias = Annotated[str, typer.Argument(metavar="CAMPAIGN", help="A campaign's or Canvas's id.")]

Exposures: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--exposures", metavar="FILE...", help=f"Who was exposed to what. {_MANY}"),
]
Events: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--events", metavar="FILE...", help=f"What people did. {_MANY}"),
]
StepMessages: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--step-messages", metavar="FILE...", help=f"Messages of Canvas steps. {_MANY}"),
]
Merges: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--merges", metavar="FILE...", help=f"Which user ids are one person. {_MANY}"),
]
Users: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--users", metavar="FILE...", help=f"Users, one column for each attribute. {_MANY}"),
]
Rates: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--rates",
        metavar="FILE",
        help="Exchange rates into the reporting currency: date, currency, rate.",
    ),
]
ExposuresSql: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--exposures-sql",
        metavar="FILE.sql",
        help="A SELECT in DuckDB's SQL that gives exposures, in place of --exposures.",
    ),
]
EventsSql: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--events-sql",
        metavar="FILE.sql",
        help="A SELECT in DuckDB's SQL that gives events, in place of --events.",
    ),
]
Map: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        metavar="THEIRS=OURS...",
        help="Columns that have another name in the files. Several values are accepted.",
    ),
]
Unit: TypeAlias = Annotated[
    TimeUnit | None,
    typer.Option("--time-unit", metavar="s|ms|us", help="What times count that are plain numbers (epoch)."),
]
DateMeaning: TypeAlias = Annotated[
    Dates | None,
    typer.Option(
        "--dates",
        metavar="start-of-day|end-of-day",
        help="What a date without a time means; refused if this is not given.",
    ),
]
AsOf: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--as-of",
        metavar="TIME",
        help="Leave aside facts after this time. Not set: the latest time among the facts.",
    ),
]


def _setting(setting: Setting, metavar: str) -> object:
    return typer.Option(setting.option, metavar=metavar, envvar=setting.variable, help=setting.help)


Out: TypeAlias = Annotated[Path, _setting(OUT, "DIR")]
ResultsDir: TypeAlias = Annotated[Path, _setting(RESULTS, "DIR")]
Memory: TypeAlias = Annotated[str | None, _setting(MEMORY, "SIZE")]
Threads: TypeAlias = Annotated[int | None, _setting(THREADS, "N")]
DataDir: TypeAlias = Annotated[Path, _setting(DATA, "DIR")]
AskedData: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        DATA.option,
        metavar="DIR",
        envvar=DATA.variable,
        help="A data directory: its server is asked, or the directory opened where none runs.",
    ),
]
Host: TypeAlias = Annotated[str, _setting(HOST, "ADDRESS")]
Port: TypeAlias = Annotated[int, _setting(PORT, "N")]
EraseWithin: TypeAlias = Annotated[str, _setting(ERASE_WITHIN, "TIME")]
KeepLogDays: TypeAlias = Annotated[int | None, _setting(KEEP_LOG_DAYS, "N")]
KeepLogBytes: TypeAlias = Annotated[str | None, _setting(KEEP_LOG_BYTES, "SIZE")]
RequestRate: TypeAlias = Annotated[str, _setting(RATE, "N/SECONDS")]
TrackRate: TypeAlias = Annotated[str, _setting(TRACK_RATE, "N/SECONDS")]
BodySize: TypeAlias = Annotated[str, _setting(BODY_SIZE, "SIZE")]
BatchSize: TypeAlias = Annotated[str, _setting(BATCH_SIZE, "SIZE")]
FreeSpace: TypeAlias = Annotated[str, _setting(FREE_SPACE, "SIZE")]
UnloadedSize: TypeAlias = Annotated[str, _setting(UNLOADED_SIZE, "SIZE")]
ChangesDays: TypeAlias = Annotated[int, _setting(CHANGES_DAYS, "N")]
KeepAuditDays: TypeAlias = Annotated[int, _setting(KEEP_AUDIT_DAYS, "N")]
TrustedProxies: TypeAlias = Annotated[str, _setting(TRUSTED_PROXIES, "ADDRESSES")]
AnswerNice: TypeAlias = Annotated[int, _setting(ANSWER_NICE, "N")]
OidcFile: TypeAlias = Annotated[Path | None, _setting(OIDC, "FILE")]
MetadataUrl: TypeAlias = Annotated[str | None, _setting(METADATA, "URL")]
Force: TypeAlias = Annotated[bool, typer.Option("--force", help="Replace a results directory that exists.")]
Strict: TypeAlias = Annotated[bool, typer.Option("--strict", help="Refuse to go on if any row is rejected.")]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, on stdout.")]
