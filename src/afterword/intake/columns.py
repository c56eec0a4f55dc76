"""How one column becomes a normalised value: an SQL expression per type it may have, and when it is bad.

What the type of a Parquet column already guarantees is not checked again: a scan goes over 100 million rows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto

from afterword.errors import Reason
from afterword.intake.proofs import NOTHING_PROVEN, Proof
from afterword.store.sql import identifier, literal, literals

MAX_LENGTH = 255
"""Characters in a string (as in the API that senders know)."""

MAX_PROPERTIES_BYTES = 100 * 1024

_CURRENCY = re.compile("[A-Za-z]{3}")
_SPACES = r"[\s\v\x1c-\x1f\x{85}\p{Z}]"
"""What `str.isspace` says of a character, in the words of RE2."""
SHOWN = 60
"""How many characters of a value a message shows."""


class Form(Enum):
    """What kind of type a column has, as far as reading it goes."""

    TEXT = auto()
    JSON = auto()
    """The text of a JSON value, with its JSON type in a second column."""
    INTEGER = auto()
    DECIMAL = auto()
    FLOAT = auto()
    BOOLEAN = auto()
    TIMESTAMP = auto()
    TIMESTAMP_NS = auto()
    TIMESTAMPTZ = auto()
    DATE = auto()
    OBJECT = auto()
    OTHER = auto()


_FORMS = {
    "VARCHAR": Form.TEXT,
    "UUID": Form.TEXT,
    "JSON": Form.TEXT,
    "BOOLEAN": Form.BOOLEAN,
    "FLOAT": Form.FLOAT,
    "DOUBLE": Form.FLOAT,
    "TIMESTAMP": Form.TIMESTAMP,
    "TIMESTAMP_S": Form.TIMESTAMP,
    "TIMESTAMP_MS": Form.TIMESTAMP,
    "TIMESTAMP_NS": Form.TIMESTAMP_NS,
    "TIMESTAMP WITH TIME ZONE": Form.TIMESTAMPTZ,
    "TIMESTAMPTZ_NS": Form.TIMESTAMPTZ,
    "DATE": Form.DATE,
} | dict.fromkeys(
    ["TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"],
    Form.INTEGER,
)


def form_of(type_name: str) -> Form:
    """Return the form of one of DuckDB's types."""
    if type_name == "JSON VALUE":  # what staging makes of NDJSON
        return Form.JSON
    if type_name.startswith("ENUM"):
        return Form.TEXT
    if type_name.startswith("DECIMAL"):
        return Form.INTEGER if type_name.replace(" ", "").endswith(",0)") else Form.DECIMAL
    if type_name.endswith("]"):
        return Form.OTHER
    if type_name.startswith(("STRUCT", "MAP")):
        return Form.OBJECT
    return _FORMS.get(type_name, Form.OTHER)


@dataclass(frozen=True, slots=True)
class Check:
    """A condition under which a row is rejected, and the sentence that says so (both SQL)."""

    reason: Reason
    condition: str
    message: str
    of_definitions: bool = False
    """Whether it depends on the definitions too: what was good when it was stored may be so no more."""


@dataclass(frozen=True, slots=True)
class Raw:
    """A column as it is in the file: `sql` names it in the scan, `json_type` the column with its JSON type."""

    name: str
    form: Form
    type_name: str
    sql: str
    json_type: str | None = None
    proof: Proof = NOTHING_PROVEN

    @property
    def is_text(self) -> bool:
        """Whether the values are text (which may hold anything)."""
        return self.form in (Form.TEXT, Form.JSON)

    @property
    def text(self) -> str:
        """The value as text; an empty one is missing."""
        if self.type_name == "VARCHAR" and self.proof.never_empty:
            return self.sql
        if self.form is Form.JSON or self.type_name == "VARCHAR":
            return f"nullif({self.sql}, '')"
        return f"nullif({self.sql}::VARCHAR, '')" if self.is_text else f"{self.sql}::VARCHAR"

    @property
    def absent(self) -> str:
        """The condition that there is no value."""
        if self.proof.never_null and (self.proof.never_empty or not self.is_text):
            return "FALSE"
        return f"{self.text} IS NULL" if self.is_text else f"{self.sql} IS NULL"

    @property
    def present(self) -> str:
        """The condition that there is a value, right or wrong."""
        return f"{self.text} IS NOT NULL" if self.is_text else f"{self.sql} IS NOT NULL"

    @property
    def shown(self) -> str:
        """The value as messages show it: shortened, and text in quotes."""
        text = self.sql if self.type_name == "VARCHAR" else f"{self.sql}::VARCHAR"
        short = f"CASE WHEN length({text}) > {SHOWN} THEN left({text}, {SHOWN}) || '…' ELSE {text} END"
        if self.form is Form.TEXT:
            return f"""('"' || {short} || '"')"""
        if self.json_type is None:
            return f"({short})"
        return f"""(CASE WHEN {self.json_type} = 'VARCHAR' THEN '"' || {short} || '"' ELSE {short} END)"""

    def says(self, what: str) -> str:
        """Return the SQL of the sentence "NAME VALUE `what`"."""
        return f"{literal(self.name + ' ')} || {self.shown} || {literal(' ' + what)}"


@dataclass(frozen=True, slots=True)
class Value:
    """A normalised value: its SQL in terms of the raw column, and what may be wrong in terms of both."""

    sql: str
    checks: tuple[Check, ...] = ()


def value_name(name: str) -> str:
    """Return the name of a normalised value inside a scan."""
    return identifier(f"v_{name}")


def missing(name: str) -> Check:
    """Reject rows without a mandatory value."""
    return Check(Reason.MISSING_FIELD, f"{value_name(name)} IS NULL", literal(f"{name} is missing"))


def too_long(raw: Raw) -> Check:
    """Reject texts over the limit; the cheap number of bytes decides nearly always."""
    if raw.proof.shorter_than(MAX_LENGTH + 1):
        return Check(Reason.TOO_LONG, "FALSE", "NULL")
    text = raw.sql if raw.type_name == "VARCHAR" else f"{raw.sql}::VARCHAR"
    return Check(
        Reason.TOO_LONG,
        f"strlen({text}) > {MAX_LENGTH} AND length({text}) > {MAX_LENGTH}",
        f"{literal(raw.name + ' has ')} || length({text})::VARCHAR || "
        f"{literal(f' characters, must be at most {MAX_LENGTH}')}",
    )


def identifier_value(raw: Raw) -> Value:
    """An id or name: text, or an integer as its decimal text."""
    if raw.form is Form.INTEGER:
        return Value(raw.text)
    bad = f"{raw.sql} IS NOT NULL"
    if raw.form is Form.JSON:
        integers = f"({raw.json_type} IN ('DOUBLE', 'HUGEINT') AND regexp_full_match({raw.sql}, '-?[0-9]+'))"
        bad = f"{raw.json_type} NOT IN ('VARCHAR', 'BIGINT', 'UBIGINT', 'NULL') AND NOT {integers}"
    wrong = Check(Reason.BAD_TYPE, bad, raw.says("must be text or an integer"))
    if raw.form is Form.TEXT:
        return Value(raw.text, (too_long(raw),))
    return Value(raw.text, (wrong, too_long(raw)) if raw.form is Form.JSON else (wrong,))


def blank(raw: Raw) -> Check:
    """Reject texts of spaces alone, whose value nobody could tell apart or look up."""
    value = value_name(raw.name)
    message = f"{raw.name} is blank, must have at least one character that is no space"
    return Check(Reason.MISSING_FIELD, f"regexp_full_match({value}, '{_SPACES}+')", literal(message))


def choice_value(raw: Raw, choices: tuple[str, ...], reason: Reason, first: int, type_name: str) -> Value:
    """One of a closed list of words, as its number from `first`."""
    # DuckDB looks an enum's words up by hash: one probe, however many words there are.
    number = f"(enum_code(TRY_CAST({raw.text} AS ENUM({', '.join(literal(c) for c in choices)}))) + {first})"
    value = value_name(raw.name)
    known = literals(choices)
    message = (
        f"{raw.says('is not one of ' + ', '.join(choices))} || {nearest_sql(raw.text, known)}"
        if raw.is_text
        else raw.says("is not one of " + ", ".join(choices))
    )
    known_words = raw.type_name == "VARCHAR" and raw.proof.all_values(lambda word: word in choices or not word)
    bad = "FALSE" if known_words else f"{value} IS NULL AND {raw.present}"
    return Value(f"{number}::{type_name}", (Check(reason, bad, message),))


def nearest_sql(value: str, known: str) -> str:
    """Return the SQL of `, did you mean "x"?` for the nearest of a list of names, or of an empty text."""
    scored = f"list_max(list_transform({known}, lambda n: {{'score': jaro_winkler_similarity(n, {value}), 'name': n}}))"
    return f"""coalesce(CASE WHEN {scored}.score >= 0.75 THEN ', did you mean "' || {scored}.name || '"?' END, '')"""


def boolean_value(raw: Raw) -> Value:
    """A truth value: true or false, 1 or 0; missing is false."""
    bad = Check(Reason.BAD_TYPE, f"{value_name(raw.name)} IS NULL", raw.says("must be true or false"))
    if raw.form is Form.BOOLEAN:
        return Value(f"coalesce({raw.sql}, FALSE)")
    if raw.form not in (Form.TEXT, Form.JSON, Form.INTEGER):
        return Value(f"CASE WHEN {raw.sql} IS NULL THEN FALSE END", (bad,))
    text = f"lower({raw.text})"
    return Value(
        f"CASE WHEN {raw.absent} OR {text} IN ('false', '0') THEN FALSE WHEN {text} IN ('true', '1') THEN TRUE END",
        (bad,),
    )


def properties_value(raw: Raw) -> Value:
    """A JSON object as its text; a struct or a map becomes one."""
    if raw.form is Form.OBJECT:
        sql = f"to_json({raw.sql})::VARCHAR"
    elif raw.is_text:
        sql = raw.text
    else:
        bad = Check(Reason.BAD_PROPERTIES, f"{raw.sql} IS NOT NULL", raw.says("is not a JSON object"))
        return Value("NULL::VARCHAR", (bad,))
    value = value_name(raw.name)
    large = Check(
        Reason.TOO_LARGE,
        f"strlen({value}) > {MAX_PROPERTIES_BYTES}",
        f"'properties has ' || strlen({value})::VARCHAR || "
        f"{literal(f' bytes, must be at most {MAX_PROPERTIES_BYTES}')}",
    )
    if raw.form is Form.OBJECT:
        return Value(sql, (large,))
    is_object = f"json_valid({value}) AND ltrim({value}, chr(32) || chr(9) || chr(10) || chr(13)).starts_with('{{')"
    shape = Check(Reason.BAD_PROPERTIES, f"NOT ({is_object})", raw.says("is not a JSON object"))
    return Value(sql, (shape, large))


def currency_value(raw: Raw) -> Value:
    """Three letters, in capitals."""
    value = value_name(raw.name)
    bad = f"NOT regexp_full_match({value}, '[A-Z]{{3}}')" if raw.is_text else f"{raw.sql} IS NOT NULL"
    if raw.type_name == "VARCHAR" and raw.proof.all_values(lambda code: not code or bool(_CURRENCY.fullmatch(code))):
        bad = "FALSE"
    message = raw.says("is not a currency code; expected three letters, for example EUR")
    return Value(f"upper({raw.text})", (Check(Reason.BAD_CURRENCY, bad, message),))
