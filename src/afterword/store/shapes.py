"""The three kinds of facts as the loader sees them: their fields in the log, their columns, what makes an id.

The names in the SQL made here come from this module alone; values are never part of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from afterword.model import EventKind
from afterword.store.sql import literal

SEPARATOR = "chr(31)"
ABSENT = "chr(1)"
GENERATED = "concat('~', position, '-', item)"
"""SQL for the id of an item that has none and equals no other: unique, unless a sender gives such ids."""
KINDS_SQL = ", ".join(literal(kind.label) for kind in EventKind)


@dataclass(frozen=True)
class Shape:
    """How one kind of fact stands in the log and in its table."""

    table: str
    id: str
    time: str
    mandatory: Mapping[str, str]
    """Columns that every fact has, besides item and id, and their types."""
    optional: Mapping[str, str]
    defaults: Mapping[str, str] = field(default_factory=dict)
    """SQL for what a missing one of these stands for."""
    flags: tuple[str, ...] = ()
    """Fields that are no columns: `once`, `corrected` (see `intake.accepted`); true and false where missing."""
    identity: tuple[str, ...] = ()
    """Columns that an id is unique within: events have one set of ids per kind."""

    @property
    def columns(self) -> dict[str, str]:
        """The columns of the sender's content and their types, without the id."""
        return {**self.mandatory, **self.optional}

    @property
    def content(self) -> tuple[str, ...]:
        """The names of the columns but properties, whose equality SQL can tell."""
        return tuple(name for name in self.columns if name != "properties")

    @property
    def own(self) -> tuple[str, ...]:
        """The names of the columns of the table that come from the sender."""
        return (self.id, *self.columns)

    def form(self) -> str:
        """Return the form that `from_json` brings a list into.

        Mostly texts, as `from_json` makes NULL of what does not fit: then a bad price would be none. Where NULL is a
        fault in any case it may make the numbers, which is quicker.
        """
        fields = dict.fromkeys(("item", *self.own, *self.flags), "VARCHAR") | {"item": "INTEGER", self.time: "BIGINT"}
        if "properties" in fields:
            fields["properties"] = "JSON"
        return json.dumps([fields])

    def staging_sql(self, frames: str) -> str:
        """Return the SELECT of all items of the lists in the table `frames`, one row each, cast and digested.

        Takes the form as `$form`; see `completed_sql` for what it gives.
        """
        casts = [
            f"try_cast({name} AS {kind}) AS {name}" if name in self.readable else f"CAST({name} AS {kind}) AS {name}"
            for name, kind in self.columns.items()
        ]
        flags = [f"coalesce(try_cast({flag} AS BOOLEAN), {flag == 'once'}) AS {flag}" for flag in self.flags]
        texts = [f"{name} AS {name}_text" for name in self.readable]
        return self.completed_sql(
            f"""
            SELECT position, arrived_at, item, {self.id} AS given, {", ".join([*casts, *flags, *texts])}
            FROM (
                SELECT position, arrived_at, fact.* FROM (
                    SELECT position, arrived_at, unnest(TRY(from_json(list, $form))) AS fact FROM {frames}
                )
            )"""
        )

    def completed_sql(self, typed: str) -> str:
        """Return the SELECT that judges items and gives them id and digest.

        `fault` says what is wrong with an item, NULL if nothing is. `id` is NULL where it is still to be derived from
        the content; `generated` says whether it is `GENERATED`.

        Args:
            typed: a SELECT of position, arrived_at, item, given (the id), columns and flags; and for each column that
                may have come as a text which does not fit, that text.

        """
        columns = ", ".join(f"{self._value(name)} AS {name}" for name in self.columns)
        generates = "given IS NULL AND NOT once" if self.generates else "false"
        return f"""
            SELECT *, {self.digest_sql()} AS digest FROM (
                SELECT position, arrived_at, coalesce(item, -1) AS item, {self._fault()} AS fault,
                    {generates} AS generated, CASE WHEN {generates} THEN {GENERATED} ELSE given END AS {self.id},
                    {columns}{"".join(f", {flag}" for flag in self.flags)}
                FROM ({typed})
            )"""

    @property
    def generates(self) -> bool:
        """Whether some items are given an id of where they stand in the log, as none equals another (`GENERATED`)."""
        return "once" in self.flags

    def digest_sql(self) -> str:
        """Return SQL for the digest of the content as it was logged; a time that we corrected is not the sender's.

        Equal digests say that two facts of one id are equal. Unequal ones do not say that they differ: properties may
        be spelt otherwise, another DuckDB may hash otherwise. So a `hash` will do, at a fifth of the price of an md5.
        """
        parts = [self._time if name == self.time else name for name in self.columns]
        return f"hash({', '.join(parts)})"

    def same_content_sql(self, item: str, first: str) -> str:
        """Return the condition that an item has the content of a fact in all but properties."""
        pairs = ((f"{item}.{name}", f"{first}.{name}") for name in self.content if name != self.time)
        times = f"{item}.{self.time} = {first}.{self.time}"
        times = f"({item}.corrected OR {times})" if "corrected" in self.flags else times
        return " AND ".join([times, *(f"{left} IS NOT DISTINCT FROM {right}" for left, right in pairs)])

    def content_sql(self) -> str:
        """Return SQL for the content without properties as one text, for ids that are derived from it."""
        parts = [self._time if name == self.time else name for name in self.content]
        return joined_sql(parts)

    def key_sql(self) -> str:
        """Return SQL for the hash that `KnownKeys` holds of an id; it lives no longer than the process."""
        return f"hash({', '.join([self.id, *self.identity])})"

    def same_id(self, left: str, right: str) -> str:
        """Return the condition that two rows have one id."""
        return " AND ".join(f"{left}.{name} = {right}.{name}" for name in (self.id, *self.identity))

    @property
    def _time(self) -> str:
        return f"CASE WHEN NOT corrected THEN {self.time} END" if "corrected" in self.flags else self.time

    @property
    def readable(self) -> tuple[str, ...]:
        """The columns that come as texts which may not fit."""
        return tuple(name for name, kind in self.optional.items() if kind != "VARCHAR")

    def _value(self, name: str) -> str:
        return f"coalesce({name}, {self.defaults[name]})" if name in self.defaults else name

    def _fault(self) -> str:
        return f"CASE {' '.join(f'WHEN {condition} THEN {text}' for condition, text in self._faults())} END"

    def _faults(self) -> Iterator[tuple[str, str]]:
        yield "item IS NULL", "'item is missing or no whole number'"
        for name in self.mandatory:
            yield f"{name} IS NULL", f"'{name} is missing{' or no whole number' if name == self.time else ''}'"
        for name in self.readable:
            wrong = f"{name}_text IS NOT NULL AND {name} IS NULL"
            yield (
                wrong,
                f"concat('{name} cannot be ', left({name}_text, 100), ', must be {_NOUNS[self.columns[name]]}')",
            )
        if "properties" in self.columns:
            yield "NOT starts_with(properties, '{')", "'properties are no JSON object'"
        if self.table == "events":
            yield f"kind NOT IN ({KINDS_SQL})", "concat('unknown kind ', left(kind, 100))"


def joined_sql(parts: Iterable[str]) -> str:
    """Return SQL for the values of a content as one text."""
    texts = (f"coalesce(CAST({part} AS VARCHAR), {ABSENT})" for part in parts)
    return f"concat_ws({SEPARATOR}, {', '.join(texts)})"


def unnamed_sql(content: str, properties: str) -> str:
    """Return SQL for what begins the id of a fact without one: the md5 of its content, properties in canonical form.

    A hyphen follows, and the fact's number among its equals in one file or request (rule 33). Files, requests and runs
    all derive ids so: they agree on which facts are the same, and on which of two at one time comes first.
    """
    return f"md5(concat_ws({SEPARATOR}, {content}, coalesce({properties}, {ABSENT})))"


_NOUNS = {
    "INTEGER": "a whole number",
    "DECIMAL(18, 6)": "a decimal number",
    "BOOLEAN": "true or false",
}


def _texts(*names: str) -> dict[str, str]:
    return dict.fromkeys(names, "VARCHAR")


EVENTS = Shape(
    "events",
    "event_id",
    "occurred_at",
    {**_texts("user_id", "kind"), "occurred_at": "BIGINT"},
    {
        **_texts("name", "product_id", "order_id", "app_id", "app_version", "from_version", "device_id"),
        "price": "DECIMAL(18, 6)",
        "quantity": "INTEGER",
        **_texts("currency", "campaign_id", "channel", "exposure_id"),
        "machine": "BOOLEAN",
        **_texts("properties", "refund_of"),
    },
    {"quantity": "1", "machine": "false"},
    ("once", "corrected"),
    ("kind",),
)
EXPOSURES = Shape(
    "exposures",
    "exposure_id",
    "exposed_at",
    {**_texts("user_id", "campaign_id"), "exposed_at": "BIGINT"},
    _texts("variant_id", "channel", "trigger_event_id", "outcome"),
)
STEP_MESSAGES = Shape(
    "step_messages",
    "message_id",
    "received_at",
    {**_texts("user_id", "campaign_id", "step_id"), "received_at": "BIGINT"},
    _texts("exposure_id"),
)
SHAPES = (EVENTS, EXPOSURES, STEP_MESSAGES)
