"""What a row of each kind must be: its columns, their values, and what makes it unusable (rule 35)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from afterword.errors import Reason
from afterword.intake.amounts import MAX_MILLIONTHS, SMALL, is_small, price_value, quantity_value
from afterword.intake.columns import (
    Check,
    Raw,
    Value,
    boolean_value,
    choice_value,
    currency_value,
    identifier_value,
    missing,
    nearest_sql,
    properties_value,
    value_name,
)
from afterword.intake.sources import Kind, ReadOptions
from afterword.intake.times import time_value
from afterword.model import Channel, EventKind, Outcome
from afterword.store.sql import literal

MANDATORY: Mapping[Kind, tuple[str, ...]] = {
    "events": ("user_id", "kind", "occurred_at"),
    "exposures": ("user_id", "campaign_id", "exposed_at"),
    "step_messages": ("user_id", "campaign_id", "step_id", "received_at"),
    "merges": ("from_user_id", "to_user_id"),
    "rates": ("date", "currency", "rate"),
}
OPTIONAL: Mapping[Kind, tuple[str, ...]] = {
    "events": (
        *("event_id", "name", "product_id", "order_id", "app_id", "app_version", "from_version", "device_id"),
        *("price", "quantity", "currency", "campaign_id", "channel", "exposure_id", "machine", "properties"),
        "refund_of",
    ),
    "exposures": ("exposure_id", "variant_id", "channel", "trigger_event_id", "outcome"),
    "step_messages": ("exposure_id", "message_id"),
    "merges": (),
    "rates": (),
}
"""The columns of each kind (DESIGN.md, "Files")."""

MESSAGE_KINDS = frozenset(kind for kind in EventKind if kind >= EventKind.MESSAGE_DELIVERED)

TIMES = {"events": "occurred_at", "exposures": "exposed_at", "step_messages": "received_at"}
OWN_IDS = {"events": "event_id", "exposures": "exposure_id", "step_messages": "message_id"}


def columns_of(kind: Kind) -> tuple[str, ...]:
    """Return our names of all columns of a kind of facts."""
    return MANDATORY[kind] + OPTIONAL[kind]


@dataclass(frozen=True, slots=True)
class Row:
    """The SQL of one kind's rows in three layers: values of the raw columns, look-ups, normalised columns."""

    values: Mapping[str, str]
    joins: tuple[str, ...]
    outputs: Mapping[str, str]
    checks: tuple[Check, ...]
    notes: str
    derived: Mapping[str, str] = field(default_factory=dict)


class _Columns:
    """Collects the values and checks of the columns that a file has."""

    def __init__(self, raws: Mapping[str, Raw]) -> None:
        self.raws = raws
        self.values: dict[str, str] = {}
        self.checks: list[Check] = []

    def __contains__(self, name: str) -> bool:
        return name in self.raws

    def add(self, name: str, value: Value) -> None:
        self.values[name] = value.sql
        self.checks.extend(value.checks)

    def identifiers(self, names: Iterable[str]) -> None:
        for name in names:
            if name in self.raws:
                self.add(name, identifier_value(self.raws[name]))

    def sql(self, name: str, otherwise: str = "NULL::VARCHAR") -> str:
        """Return a normalised value, or what stands for it where there is no such column."""
        return value_name(name) if name in self.values else otherwise

    def is_missing(self, name: str) -> str:
        return self.raws[name].absent if name in self.raws else "TRUE"


def row_of(kind: Kind, raws: Mapping[str, Raw], options: ReadOptions, timezone: str) -> Row:
    """Return how rows of a kind are read from a table with the given columns."""
    columns = _Columns(raws)
    time = time_value(raws[TIMES[kind]], options, timezone)
    columns.add(TIMES[kind], time.value)
    if kind == "events":
        return _events(columns, time.notes)
    if kind == "exposures":
        return _exposures(columns, time.notes)
    return _step_messages(columns, time.notes)


def _channel(columns: _Columns) -> None:
    if "channel" in columns:
        raw = columns.raws["channel"]
        columns.add("channel", choice_value(raw, tuple(Channel), Reason.UNKNOWN_CHANNEL, 0, "TINYINT"))


_EVENT_TEXTS = (
    *("event_id", "user_id", "name", "product_id", "order_id", "app_id", "app_version", "from_version"),
    *("device_id", "campaign_id", "exposure_id", "refund_of"),
)


def _events(columns: _Columns, notes: str) -> Row:
    kinds = tuple(kind.label for kind in EventKind)
    columns.add("kind", choice_value(columns.raws["kind"], kinds, Reason.BAD_KIND, EventKind(1).value, "UTINYINT"))
    columns.identifiers(_EVENT_TEXTS)
    for name, reader in (
        ("price", price_value),
        ("quantity", quantity_value),
        ("currency", currency_value),
        ("machine", boolean_value),
        ("properties", properties_value),
    ):
        if name in columns:
            columns.add(name, reader(columns.raws[name]))
    _channel(columns)
    occurring = _occurring(columns.raws["kind"])
    checks = [_missing_raw(columns, "user_id"), _missing_raw(columns, "kind")]
    checks += [*_needs(columns, occurring), *columns.checks]
    derived: dict[str, str] = {}
    joins: tuple[str, ...] = ()
    if "price" in columns:
        derived["millionths"] = _millionths(columns)
        checks.extend(_amount_checks(columns, occurring))
    if "campaign_id" in columns:
        joins = (_campaign_join(),)
        checks.append(_unknown_campaign(f"{value_name('kind')} >= {EventKind.MESSAGE_DELIVERED.value} AND "))
    quantity = columns.sql("quantity", "1::INTEGER")
    outputs = {name: columns.sql(name) for name in _EVENT_TEXTS if name != "campaign_id"}
    outputs |= {
        "kind": value_name("kind"),
        "occurred_at": value_name("occurred_at"),
        "price": columns.sql("price", "NULL::DECIMAL(18, 6)"),
        "quantity": quantity,
        "amount": _amount(columns, quantity),
        "currency": columns.sql("currency"),
        "campaign": "coalesce(known.campaign, -1)" if joins else "-1::INTEGER",
        "channel": f"coalesce({value_name('channel')}, -1)::TINYINT" if "channel" in columns else "-1::TINYINT",
        "machine": columns.sql("machine", "FALSE"),
        "properties": columns.sql("properties"),
    }
    return Row(columns.values, joins, outputs, tuple(checks), notes, derived)


def _missing_raw(columns: _Columns, name: str) -> Check:
    """Reject rows where a mandatory value is not there; one that is there and wrong has a reason of its own."""
    return Check(Reason.MISSING_FIELD, columns.is_missing(name), literal(f"{name} is missing"))


def _needs(columns: _Columns, occurring: frozenset[EventKind]) -> list[Check]:
    """What each kind of event must have besides the mandatory columns."""
    needs: list[tuple[EventKind, str, str, str]] = []
    for kind, article, names in (
        (EventKind.CUSTOM, "a custom event", ("name",)),
        (EventKind.PURCHASE, "a purchase", ("price", "currency")),
        (EventKind.REFUND, "a refund", ("refund_of", "price")),
        (EventKind.UPGRADE, "an upgrade", ("from_version", "app_version")),
    ):
        needs.extend((kind, f"{value_name('kind')} = {kind.value}", article, name) for name in names)
    first = EventKind.MESSAGE_DELIVERED
    needs.append((first, f"{value_name('kind')} >= {first.value}", "what became of a message", "campaign_id"))
    return [
        Check(
            Reason.MISSING_FIELD,
            f"{condition} AND {columns.is_missing(name)}",
            literal(f"{name} is missing, which {article} must have"),
        )
        for kind, condition, article, name in needs
        if kind in occurring or (kind is first and occurring & MESSAGE_KINDS)
    ]


def _occurring(raw: Raw) -> frozenset[EventKind]:
    """Return the kinds of events that there may be: all, unless all words of the column are known."""
    words = raw.proof.values
    return frozenset(kind for kind in EventKind if words is None or kind.label in words)


def _amount_checks(columns: _Columns, occurring: frozenset[EventKind]) -> list[Check]:
    price, kind, raw = value_name("price"), value_name("kind"), columns.raws["price"]
    zero = Check(
        Reason.BAD_AMOUNT,
        f"{kind} = {EventKind.REFUND.value} AND {price} <= 0",
        raw.says("must be more than 0 for a refund"),
    )
    if EventKind.REFUND not in occurring:
        zero = Check(zero.reason, "FALSE", zero.message)
    if is_small(raw):
        return [zero]
    negative = Check(
        Reason.BAD_AMOUNT,
        f"{kind} = {EventKind.PURCHASE.value} AND {price} < 0",
        raw.says("is negative; money given back is a refund event"),
    )
    checks = [negative, zero]
    if "quantity" in columns:
        checks.append(
            Check(
                Reason.BAD_AMOUNT,
                f"{_is_high()} AND NOT {_fits()}",
                f"{raw.says('times quantity ')} || {value_name('quantity')}::VARCHAR || "
                f"{literal(' must be below 1,000,000,000,000')}",
            )
        )
    return checks


def _millionths(columns: _Columns) -> str:
    """The price as a whole number of millionths; only a high one needs the slow wide product."""
    price = value_name("price")
    if is_small(columns.raws["price"]):
        return f"({price} * 1000000)::BIGINT"
    wide = f"({price}::DECIMAL(25, 6) * 1000000::DECIMAL(7, 0))::BIGINT"
    return f"CASE WHEN {_is_high()} THEN {wide} ELSE ({price} * 1000000)::BIGINT END"


def _is_high() -> str:
    # With at most a million of them, only prices from a million can be too much: nearly no row needs the division.
    return f"abs({value_name('price')}) >= {SMALL}"


def _fits() -> str:
    # The product itself would overflow for the rows that this is about.
    return f"abs(millionths) <= {MAX_MILLIONTHS} // greatest({value_name('quantity')}, 1)"


def _amount(columns: _Columns, quantity: str) -> str:
    if "price" not in columns:
        return "NULL::BIGINT"
    if "quantity" not in columns:
        return "millionths"
    if is_small(columns.raws["price"]):
        return f"millionths * {quantity}"
    return f"CASE WHEN NOT {_is_high()} OR {_fits()} THEN millionths * {quantity} END"


def _campaign_join() -> str:
    return f"LEFT JOIN intake_campaigns known ON known.campaign_id = {value_name('campaign_id')}"


def _unknown_campaign(guard: str = "") -> Check:
    value = value_name("campaign_id")
    names = "(SELECT list(campaign_id ORDER BY campaign_id) FROM intake_campaigns)"
    return Check(
        Reason.UNKNOWN_CAMPAIGN,
        f"{guard}known.campaign IS NULL AND {value} IS NOT NULL",
        f"""'there is no campaign "' || left({value}, 60) || '"' || {nearest_sql(value, names)}""",
        of_definitions=True,
    )


def _unknown_part(part: str, reason: Reason, found: str) -> Check:
    value = value_name(f"{part}_id")
    return Check(
        reason,
        f"known.campaign IS NOT NULL AND {found} IS NULL AND {value} IS NOT NULL",
        f"""'campaign "' || left({value_name("campaign_id")}, 60) || '" has no {part} "' || left({value}, 60) """
        f"""|| '"' || {nearest_sql(value, f"known.{part}_ids")}""",
        of_definitions=True,
    )


def _exposures(columns: _Columns, notes: str) -> Row:
    columns.identifiers(("exposure_id", "user_id", "campaign_id", "variant_id", "trigger_event_id"))
    _channel(columns)
    if "outcome" in columns:
        raw = columns.raws["outcome"]
        columns.add("outcome", choice_value(raw, tuple(Outcome), Reason.BAD_TYPE, 0, "TINYINT"))
    joins = [_campaign_join()]
    variant = "known.only_variant"
    checks = [_missing_raw(columns, "user_id"), _missing_raw(columns, "campaign_id"), *columns.checks]
    checks.append(_unknown_campaign())
    if "variant_id" in columns:
        joins.append(
            "LEFT JOIN intake_variants part ON part.campaign = known.campaign "
            f"AND part.variant_id = {value_name('variant_id')}"
        )
        variant = f"CASE WHEN {value_name('variant_id')} IS NULL THEN known.only_variant ELSE part.variant END"
        checks.append(_unknown_part("variant", Reason.UNKNOWN_VARIANT, "part.variant"))
    absent = columns.is_missing("variant_id")
    checks.append(
        Check(
            Reason.MISSING_FIELD,
            f"known.campaign IS NOT NULL AND known.only_variant IS NULL AND {absent}",
            literal("variant_id is missing, which must say one of ") + " || array_to_string(known.variant_ids, ', ')",
            of_definitions=True,
        )
    )
    checks.extend(_channel_checks(columns))
    channel = columns.sql("channel", "NULL::TINYINT")
    outputs = {
        "exposure_id": columns.sql("exposure_id"),
        "user_id": columns.sql("user_id"),
        "campaign": "coalesce(known.campaign, -1)",
        "variant": f"coalesce({variant}, -1)",
        "exposed_at": value_name("exposed_at"),
        "channel": f"coalesce({channel}, -1)::TINYINT",
        "trigger_event_id": columns.sql("trigger_event_id"),
        "outcome": f"coalesce({columns.sql('outcome', 'NULL::TINYINT')}, -1)::TINYINT",
    }
    return Row(columns.values, tuple(joins), outputs, tuple(checks), notes)


def _channel_checks(columns: _Columns) -> list[Check]:
    """Once per channel every exposure names one (rule 16), and one that its campaign has."""
    checks = [
        Check(
            Reason.MISSING_CHANNEL,
            f"known.once_per_channel AND {columns.is_missing('channel')}",
            literal("channel is missing, which every exposure of a campaign counted once per channel must have"),
            of_definitions=True,
        )
    ]
    if "channel" in columns:
        checks.append(
            Check(
                Reason.UNKNOWN_CHANNEL,
                f"(known.channels >> {value_name('channel')}) & 1 = 0",
                f"""{columns.raws["channel"].says("is no channel of campaign ")} || '"' || """
                f"""left({value_name("campaign_id")}, 60) || '"'""",
                of_definitions=True,
            )
        )
    return checks


def _step_messages(columns: _Columns, notes: str) -> Row:
    columns.identifiers(("message_id", "user_id", "campaign_id", "step_id", "exposure_id"))
    joins = (
        _campaign_join(),
        f"LEFT JOIN intake_steps part ON part.campaign = known.campaign AND part.step_id = {value_name('step_id')}",
    )
    checks = [missing("user_id"), missing("campaign_id"), missing("step_id"), *columns.checks]
    checks += [_unknown_campaign(), _unknown_part("step", Reason.UNKNOWN_STEP, "part.step")]
    outputs = {
        "message_id": columns.sql("message_id"),
        "user_id": columns.sql("user_id"),
        "campaign": "coalesce(known.campaign, -1)",
        "step": "coalesce(part.step, -1)",
        "received_at": value_name("received_at"),
        "exposure_id": columns.sql("exposure_id"),
    }
    return Row(columns.values, joins, outputs, tuple(checks), notes)
