"""Contender: Polars, streaming, with the plan of best.sql."""

from __future__ import annotations

import re
from itertools import product as crossed
from pathlib import Path

import polars as pl

from benchmarks.contest import contest
from benchmarks.definitions import Goal, goals

WEEK = 7 * 86_400_000_000
KEY = ["user_id", "app_id", "device_id"]


def microseconds(column: str) -> pl.Expr:
    """An instant as a number."""
    return pl.col(column).dt.epoch("us")


def windows_of(exposures: pl.LazyFrame, campaigns: pl.LazyFrame) -> pl.DataFrame:
    """Return each exposure once with the window in which it can be the latest one."""
    ordered = (
        exposures.unique(subset="exposure_id")
        .select("exposure_id", "user_id", "campaign_id", "variant_id", opens_at=microseconds("exposed_at"))
        .join(campaigns, on="campaign_id")
        .sort("user_id", "campaign_id", "opens_at", "exposure_id")
    )
    same = (pl.col("user_id") == pl.col("user_id").shift(-1)) & (
        pl.col("campaign_id") == pl.col("campaign_id").shift(-1)
    )
    taken_over = pl.when(same).then(pl.col("opens_at").shift(-1) - 1)
    starts = (pl.col("user_id") != pl.col("user_id").shift(1)) | (
        pl.col("campaign_id") != pl.col("campaign_id").shift(1)
    )
    return (
        ordered.with_columns(
            closes_at=pl.min_horizontal(pl.col("opens_at") + pl.col("widest"), taken_over),
            unit=starts.fill_null(True).cum_sum(),
        )
        .with_row_index("exposure")
        .collect(engine="streaming")
    )


def version_codes(events: pl.LazyFrame) -> pl.LazyFrame:
    """Return a number for each version name: ascending from 1 for numeric ones, own ones below 0 for others."""
    names: list[str] = events.select(pl.col("app_version").unique()).drop_nulls().collect()["app_version"].to_list()
    parsed: dict[str, tuple[int, ...] | str] = {}
    for name in names:
        text = name.strip()
        if re.fullmatch(r"[0-9]+(\.[0-9]+)*", text):
            parsed[name] = tuple(int(part) for part in re.sub(r"(\.0+)+$", "", text).split("."))
        elif text:
            parsed[name] = text
    numeric = sorted({value for value in parsed.values() if isinstance(value, tuple)})
    others = sorted({value for value in parsed.values() if isinstance(value, str)})
    code: dict[tuple[int, ...] | str, int] = {value: place + 1 for place, value in enumerate(numeric)}
    code |= {value: -place - 1 for place, value in enumerate(others)}
    return pl.LazyFrame({"app_version": list(parsed), "code": [code[value] for value in parsed.values()]})


def upgrades_of(events: pl.LazyFrame) -> pl.LazyFrame:
    """Return the sessions that show a greater version than the one before of the same user, app and device."""
    sessions = (
        events.filter(pl.col("kind") == "session")
        .join(version_codes(events), on="app_version")
        .select(*KEY, "event_id", "code", moment=microseconds("occurred_at"))
        .sort(*KEY, "moment", "event_id")
    )
    same = pl.all_horizontal(pl.col(name).eq_missing(pl.col(name).shift(1)) for name in KEY)
    new, old = pl.col("code"), pl.col("code").shift(1)
    greater = pl.when((new > 0) & (old > 0)).then(new > old).otherwise(new != old)
    # The first row has none before it, and `shift` then says null, which is not the same as no device.
    return sessions.filter(same & greater & old.is_not_null()).select(
        "user_id", "event_id", "moment", kind=pl.lit("upgrade"), word=pl.col("app_id").fill_null("")
    )


def class_goals_of(classes: pl.DataFrame, wanted: list[Goal]) -> pl.LazyFrame:
    """Return which class of events is a success for which conversion event."""
    found = [
        (row["class"], goal.campaign_id, goal.letter, goal.deadline_us)
        for row, goal in crossed(classes.iter_rows(named=True), wanted)
        if row["kind"] == goal.kind
        and goal.name in (None, row["word"])
        and (not goal.apps or row["word"] in goal.apps)
        and (not goal.products or row["word"] in goal.products)
    ]
    schema = {"class": pl.UInt32, "campaign_id": pl.String, "letter": pl.String, "deadline_us": pl.Int64}
    return pl.LazyFrame(found, schema=schema, orient="row")


def pairs_of(events: pl.LazyFrame, windows: pl.DataFrame, classes: pl.DataFrame) -> pl.DataFrame:
    """Return the events within the windows, each with what it is (`class`) and how old the exposure was."""
    columns = ["user_id", "event_id", "moment", "kind", "word"]
    happened = events.select(
        *columns[:2],
        "kind",
        moment=microseconds("occurred_at"),
        word=pl.coalesce("name", "product_id", "app_id", pl.lit("")),
        amount=(pl.col("price") * pl.col("quantity").cast(pl.Decimal(18, 0))).cast(pl.Decimal(38, 2)),
    ).select(*columns, "amount")
    stated = upgrades_of(events).select(*columns, amount=pl.lit(None, dtype=pl.Decimal(38, 2)))
    by_week = (
        windows.lazy()
        .filter(pl.col("closes_at") >= pl.col("opens_at"))
        .select("exposure", "unit", "user_id", "campaign_id", "opens_at", "closes_at", "revenue_window")
        .with_columns(week=pl.int_ranges(pl.col("opens_at") // WEEK, pl.col("closes_at") // WEEK + 1))
        .explode("week")
    )
    return (
        pl.concat([happened, stated])
        .join(classes.lazy(), on=["kind", "word"])
        .drop("kind", "word")
        .with_columns(week=pl.col("moment") // WEEK)
        .join(by_week, on=["user_id", "week"])
        .filter(pl.col("moment").is_between(pl.col("opens_at"), pl.col("closes_at")))
        .with_columns(age=pl.col("moment") - pl.col("opens_at"))
        .drop("week", "opens_at", "closes_at", "user_id")
        .collect(engine="streaming")
    )


def report_of(windows: pl.DataFrame, conversions: pl.DataFrame, credited: pl.DataFrame) -> pl.DataFrame:
    """Return counts and revenue per campaign and variant."""
    row = ["campaign_id", "variant_id"]
    exposed = windows.group_by(row).agg(exposed=pl.col("unit").n_unique())
    converted = conversions.group_by(row).agg(
        (pl.col("letter") == letter).sum().cast(pl.Int64).alias(letter.lower()) for letter in "ABCD"
    )
    revenue = credited.group_by(row).agg(revenue=pl.col("amount").sum())
    joined = exposed.join(converted, on=row, how="left").join(revenue, on=row, how="left")
    return joined.with_columns(pl.col("a", "b", "c", "d", "revenue").fill_null(0)).sort(row)


def run(events_path: Path, exposures_path: Path, definitions: Path, out: Path) -> None:
    """Compute everything from the files."""
    wanted = goals(definitions)
    deadlines = pl.LazyFrame(
        [(goal.campaign_id, goal.letter, goal.deadline_us) for goal in wanted],
        schema={"campaign_id": pl.String, "letter": pl.String, "deadline_us": pl.Int64},
        orient="row",
    )
    campaigns = deadlines.group_by("campaign_id").agg(
        widest=pl.col("deadline_us").max(),
        revenue_window=pl.col("deadline_us").filter(pl.col("letter") == "A").first(),
    )
    windows = windows_of(pl.scan_parquet(exposures_path), campaigns)
    # Repetitions are equal in every respect, so they can go where it matters and is cheap: after the join.
    events = pl.scan_parquet(events_path)
    words = events.select("kind", word=pl.coalesce("name", "product_id", "app_id", pl.lit(""))).unique()
    apps = words.filter(pl.col("kind") == "session").with_columns(kind=pl.lit("upgrade"))
    classes = pl.concat([words, apps]).collect(engine="streaming").with_row_index("class")
    pairs = pairs_of(events, windows, classes)
    facts = windows.lazy().select("exposure", "user_id", "exposure_id", "variant_id")
    conversions = (
        pairs.lazy()
        .join(class_goals_of(classes, wanted), on=["class", "campaign_id"])
        .filter(pl.col("age") <= pl.col("deadline_us"))
        .sort("moment", "event_id")
        .unique(subset=["unit", "letter"], keep="first", maintain_order=True)
        .join(facts, on="exposure")
        .with_columns(converted_at=pl.from_epoch("moment", time_unit="us").dt.replace_time_zone("UTC"))
        .select("campaign_id", "letter", "user_id", "exposure_id", "variant_id", "converted_at", "event_id")
        .collect(engine="streaming")
    )
    credited = (
        pairs.lazy()
        .filter(pl.col("amount").is_not_null() & (pl.col("age") <= pl.col("revenue_window")))
        .unique(subset=["exposure", "event_id"])
        .join(facts, on="exposure")
        .select("campaign_id", "variant_id", "exposure_id", "user_id", "event_id", "amount")
        .collect(engine="streaming")
    )
    conversions.write_parquet(out / "conversions.parquet")
    credited.write_parquet(out / "credited.parquet")
    report_of(windows, conversions, credited).write_csv(out / "report.csv")


def main() -> None:
    """Run it."""
    given = contest(__doc__ or "")
    run(given.events, given.exposures, given.definitions, given.out)


if __name__ == "__main__":
    main()
