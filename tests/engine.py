"""The engine through its real door: facts are written to files, `afterword.run` reads them, results are read back."""

from __future__ import annotations

import csv
import json
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

import afterword
from afterword.intake.definitions import definitions_to_data
from afterword.model import Definitions
from tests.oracle import Conversion, Credited
from tests.oracle_facts import EventFact, Fact, Facts, Keep, content

Row: TypeAlias = "dict[str, Any]"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
TIMES = ("exposed_at", "occurred_at", "received_at")


@dataclass(frozen=True, slots=True)
class Layout:
    """How facts are laid out in files. Rows go round robin into one file per entry of `formats`.

    A `seed` shuffles the rows and writes numbers, times and keys in other forms that mean the same.
    """

    formats: Sequence[str] = ("parquet",)
    seed: int | None = None


@dataclass(slots=True)
class Ran:
    """A run's results, and which fact was written where."""

    results: afterword.Results
    written: dict[tuple[str, int], Fact]

    @property
    def report(self) -> dict[str, Any]:
        report: dict[str, Any] = json.loads((Path(self.results.path) / "report.json").read_text(encoding="utf-8"))
        return report

    def rows(self, name: str) -> list[Row]:
        table = pq.read_table(Path(self.results.path) / f"{name}.parquet")
        return [_readable(row) for row in _with_integer_times(table).to_pylist()]

    def conversions(self) -> list[Conversion]:
        names = [f.name for f in fields(Conversion)]
        rows = [{**row, "letter": row["conversion_event"]} for row in self.rows("conversions")]
        return [Conversion(**{name: row[name] for name in names}) for row in rows]

    def credited(self) -> list[Credited]:
        names = [f.name for f in fields(Credited) if f.name != "step_id"]
        return [Credited(**{name: row[name] for name in names}) for row in self.rows("credited_purchases")]

    def kept(self, as_of: int) -> Keep:
        """Which content the engine kept under each id that came with several, as `rejected.parquet` tells."""
        # What is refused for other facts (its exposure, its purchase) is refused after repetitions are found.
        rejected = self.rows("rejected")
        refused = {(Path(row["file"]).name, row["row"]) for row in rejected if row["reason"] == "id_conflict"}
        left: dict[tuple[str, str], set[str]] = defaultdict(set)
        for where, fact in self.written.items():
            if where not in refused and fact.at <= as_of:
                left[fact.identity[0], fact.id].add(content(fact))
        assert all(len(contents) == 1 for contents in left.values()), "several contents were kept under one id"
        return {identity: contents.pop() for identity, contents in left.items()}


def run(
    definitions: Definitions,
    facts: Facts,
    directory: Path,
    *,
    as_of: int | None = None,
    layout: Layout | None = None,
    threads: int | None = None,
) -> Ran:
    """Write everything below `directory` and run it."""
    layout = layout or Layout()
    written: dict[tuple[str, int], Fact] = {}
    kinds: dict[str, Sequence[Fact]] = {
        "exposures": facts.exposures,
        "events": facts.events,
        "step_messages": facts.step_messages,
    }
    paths = {name: write_facts(rows, directory, name, layout, written) for name, rows in kinds.items()}
    rates = directory / "rates.csv"
    if facts.rates:
        _write_csv(rates, [{"date": r.date.isoformat(), "currency": r.currency, "rate": r.rate} for r in facts.rates])
    merges = directory / "merges.csv"
    if facts.merges:
        ids = [{"from_user_id": m.from_user_id, "to_user_id": m.to_user_id} for m in facts.merges]
        _write_csv(merges, ids)
    return Ran(
        afterword.run(
            write_definitions(definitions, directory),
            exposures=paths["exposures"],
            events=paths["events"],
            step_messages=paths["step_messages"],
            merges=[merges] if facts.merges else (),
            rates=rates if facts.rates else None,
            out=directory / "results",
            as_of=None if as_of is None else EPOCH + timedelta(microseconds=as_of),
            threads=threads,
        ),
        written,
    )


def write_definitions(definitions: Definitions, directory: Path) -> Path:
    path = directory / "definitions.json"
    path.write_text(plain_json(definitions_to_data(definitions)), encoding="utf-8")
    return path


def write_facts(
    facts: Sequence[Fact],
    directory: Path,
    name: str,
    layout: Layout,
    written: dict[tuple[str, int], Fact],
) -> list[Path]:
    """Write facts of one type to one file per format; facts that say which file they are in stay together."""
    if not facts:
        return []
    rng = None if layout.seed is None else random.Random(layout.seed)
    ordered = list(facts)
    if rng is not None:
        rng.shuffle(ordered)
    paths = []
    stated = any(fact.source for fact in ordered)
    pieces = max(fact.source for fact in ordered) + 1 if stated else len(layout.formats)
    for piece in range(pieces):
        form = layout.formats[piece % len(layout.formats)]
        part = [fact for i, fact in enumerate(ordered) if (fact.source if stated else i % pieces) == piece]
        path = directory / f"{name}-{piece}.{form}"
        write_rows(path, [_columns(fact) for fact in part], rng)
        written.update({(path.name, number): fact for number, fact in enumerate(part, start=1)})
        if part:
            paths.append(path)
    return paths


def _columns(fact: Fact) -> Row:
    row = {f.name: getattr(fact, f.name) for f in fields(fact) if f.name != "source"}
    if isinstance(fact, EventFact):
        row["kind"] = fact.kind.label
    return row


def write_rows(path: Path, rows: Sequence[Row], rng: random.Random | None = None) -> None:
    """Write rows of fact columns in the format of the suffix."""
    if path.suffix == ".parquet":
        pq.write_table(_table(rows, rng), path)
    elif path.suffix == ".csv":
        _write_csv(path, [_as_text(row, rng) for row in rows])
    else:
        lines = [plain_json(_forms({k: v for k, v in row.items() if v is not None}, rng)) for row in rows]
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _table(rows: Sequence[Row], rng: random.Random | None) -> pa.Table:
    types = {name: pa.timestamp("us", tz="UTC") for name in TIMES}
    types |= {"price": pa.decimal128(18, 6), "quantity": pa.int32(), "machine": pa.bool_()}
    columns = {}
    for name in rows[0] if rows else ():
        values = [row[name] for row in rows]
        if name == "properties":
            values = [None if value is None else plain_json(_other_form(value, rng)) for value in values]
        columns[name] = pa.array(values, types.get(name, pa.string()))
    return pa.table(columns)


def _write_csv(path: Path, rows: Sequence[Row]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]) if rows else [])
        writer.writeheader()
        writer.writerows(rows)


def _as_text(row: Row, rng: random.Random | None) -> Row:
    text = _forms(row, rng)
    if row.get("properties") is not None:
        text["properties"] = plain_json(text["properties"])
    if row.get("machine") is not None:
        text["machine"] = str(row["machine"]).lower()
    return text


def _forms(row: Row, rng: random.Random | None) -> Row:
    """Write times as text, and with a generator some values in another form that means the same."""
    row = dict(row)
    for name in TIMES:
        if name in row:
            row[name] = time_text(row[name], rng)
    if rng is not None:
        for name in ("price", "properties"):
            if row.get(name) is not None:
                row[name] = _other_form(row[name], rng)
    return row


def time_text(at: int, rng: random.Random | None = None) -> str:
    zone = UTC if rng is None else timezone(timedelta(minutes=rng.choice((0, 60, 330, -480))))
    return (EPOCH + timedelta(microseconds=at)).astimezone(zone).isoformat()


def _other_form(value: Any, rng: random.Random | None) -> Any:
    """The same JSON with other trailing zeros and another order of keys."""
    if rng is None:
        return value
    if isinstance(value, dict):
        names = rng.sample(sorted(value), len(value))
        return {name: _other_form(value[name], rng) for name in names}
    if isinstance(value, list):
        return [_other_form(item, rng) for item in value]
    if isinstance(value, Decimal) and -6 <= int(value.as_tuple().exponent) <= 0:
        return value.quantize(Decimal(1).scaleb(-rng.randint(max(0, -int(value.as_tuple().exponent)), 6)))
    return value


def plain_json(value: Any) -> str:
    """JSON that writes decimals as numbers, digit by digit as they are."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(str(key))}: {plain_json(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(plain_json, value)) + "]"
    if isinstance(value, Decimal):
        return str(value)
    return json.dumps(value, ensure_ascii=False)


def _with_integer_times(table: pa.Table) -> pa.Table:
    for i, column in enumerate(table.schema):
        if pa.types.is_timestamp(column.type):
            cast = table.column(i).cast(pa.timestamp("us", tz=column.type.tz)).cast(pa.int64())
            table = table.set_column(i, column.name, cast)
    return table


def _readable(row: Row) -> Row:
    return {name: value.normalize() if isinstance(value, Decimal) else value for name, value in row.items()}


def table_of(rows: Iterable[Conversion] | Iterable[Credited]) -> list[str]:
    """Rows in a canonical order, one text each: sets of results that pytest can show a difference of."""
    return sorted(str(_readable({f.name: getattr(row, f.name) for f in fields(row)})) for row in rows)


def without_steps(rows: Iterable[Credited]) -> list[Credited]:
    """As the engine's files have them: the step of a purchase is only in the report."""
    return [replace(row, step_id=None) for row in rows]
