"""The words of the rulebook as types: definitions (rules 1-6) and the codes that facts use.

These are plain frozen values. What may be in them is checked once, where they enter
(`afterword.intake.definitions`); code behind that point trusts them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import TypeAlias

LETTERS = "ABCD"
MAX_CONVERSION_EVENTS = 4
MAX_DEADLINE_SECONDS = 30 * 86_400
DEFAULT_REVENUE_WINDOW_SECONDS = 3 * 86_400
MAX_VARIANTS = 8
"""Variants with a message; a control comes on top (rule 31)."""

Scalar: TypeAlias = "str | int | float | bool"
"""What a property is compared with. Numbers are kept as the text of the definition said them."""


class Channel(StrEnum):
    """The ways a message reaches a person. The order is the code in facts, from 0."""

    EMAIL = "email"
    PUSH = "push"
    SMS = "sms"
    WEBHOOK = "webhook"
    IN_APP = "in_app"
    CONTENT_CARD = "content_card"


class Outcome(StrEnum):
    """What became of a message (rule 7). The order is the code in facts, from 0."""

    SENT = "sent"
    BOUNCED = "bounced"
    ABORTED = "aborted"
    CAPPED = "capped"
    OPTED_OUT = "opted_out"
    FAILED = "failed"
    HELD_OUT = "held_out"


class EventKind(IntEnum):
    """Kinds of events; the number is the code in facts."""

    SESSION = 1
    PURCHASE = 2
    REFUND = 3
    CUSTOM = 4
    UPGRADE = 5
    MESSAGE_DELIVERED = 6
    MESSAGE_BOUNCED = 7
    MESSAGE_IMPRESSION = 8
    MESSAGE_OPEN = 9
    MESSAGE_CLICK = 10
    MESSAGE_UNSUBSCRIBE = 11
    MESSAGE_COMPLAINT = 12

    @property
    def label(self) -> str:
        """The name in files, for example `message_open`."""
        return self.name.lower()


class ConversionKind(StrEnum):
    """What a conversion event can be (rule 5)."""

    SESSION = "session"
    PURCHASE = "purchase"
    CUSTOM = "custom"
    UPGRADE = "upgrade"
    MESSAGE_OPEN = "message_open"
    MESSAGE_CLICK = "message_click"


class Counting(StrEnum):
    """How often a user may convert (rules 15 and 16)."""

    ONCE_PER_USER = "once_per_user"
    ONCE_PER_EXPOSURE = "once_per_exposure"
    ONCE_PER_CHANNEL = "once_per_channel"

    @property
    def denominator(self) -> str:
        """What a rate is a share of: `users`, `exposures` or `user_channels`."""
        return {
            Counting.ONCE_PER_USER: "users",
            Counting.ONCE_PER_EXPOSURE: "exposures",
            Counting.ONCE_PER_CHANNEL: "user_channels",
        }[self]


class Op(StrEnum):
    """Operators of property filters (rule 5)."""

    EQ = "="
    NE = "!="
    GT = ">"
    GE = ">="
    LT = "<"
    LE = "<="
    IN = "in"
    EXISTS = "exists"
    NOT_EXISTS = "not_exists"
    CONTAINS = "contains"


@dataclass(frozen=True, slots=True)
class PropertyFilter:
    """`property op value` (rule 5).

    `property` is a dotted path (`cart.items[].sku`) or a column (`$price`, `$quantity`,
    `$currency`, `$product_id`, `$app_id`, `$app_version`). `value` is a scalar, a tuple of scalars
    for `in`, or None for `exists` and `not_exists`. Numbers are `decimal.Decimal`-safe text kept as
    int or as `Decimal` (never a binary float).
    """

    property: str
    op: Op
    value: object = None


@dataclass(frozen=True, slots=True)
class ConversionEvent:
    """The definition of a success: kind, filters, deadline (rules 1-5).

    `apps` and `products` empty mean any; `name` is the custom event's name (None for other kinds).
    """

    kind: ConversionKind
    deadline_seconds: int
    apps: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    name: str | None = None
    where: tuple[PropertyFilter, ...] = ()


@dataclass(frozen=True, slots=True)
class Variant:
    """One alternative of a campaign; `share` is a percentage in hundredths (4500 is 45 %)."""

    id: str
    share_hundredths: int
    name: str = ""
    control: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a Canvas; the order in the Canvas is the order of the definition (rule 18)."""

    id: str
    name: str = ""


class PlanKind(StrEnum):
    """When a campaign's results may be looked at."""

    ALWAYS_VALID = "always_valid"
    """Whenever one likes."""
    FIXED = "fixed"
    """Once, when all windows have closed."""


class GuardrailEvent(StrEnum):
    """What must not get worse: something that messages do to people, or a conversion event that is not the primary."""

    UNSUBSCRIBE = "unsubscribe"
    COMPLAINT = "complaint"
    BOUNCE = "bounce"
    B = "B"
    C = "C"
    D = "D"

    @property
    def is_letter(self) -> bool:
        """Whether it is a conversion event of the campaign."""
        return self.value in LETTERS


class WinnerRule(StrEnum):
    """How the winner is named."""

    EVERY_OTHER = "every_other"
    """By its difference to every other variant, under the plan."""
    CHI_SQUARED = "chi_squared"
    """As commercial products do: Pearson's chi-squared against control with p < 0.05; the best of those that pass."""


class MultipleTesting(StrEnum):
    """Which differences from control count as decided, of all variants and conversion events together."""

    HOLM = "holm"
    """At most alpha of campaigns have any error: Holm over the variants on the primary, then all other events."""
    BY_VARIANT = "by_variant"
    """At most alpha have any error; a variant's other events follow its own primary, on half of its level."""
    BENJAMINI_HOCHBERG = "benjamini_hochberg"
    """At most alpha of what is called decided is expected to be an error, the primary being one event among others."""


class Worse(StrEnum):
    """In which direction a conversion event gets worse."""

    LESS = "less"
    MORE = "more"
    """Such as of complaints to the support, or of cancelled orders."""


@dataclass(frozen=True, slots=True)
class Guardrail:
    """An event that must not get worse by more than a margin, in shares of persons (0.005: half a percentage point)."""

    event: GuardrailEvent
    margin: Decimal
    worse: Worse = Worse.LESS
    """Of a conversion event; of what messages do to people more is always worse."""


@dataclass(frozen=True, slots=True)
class AnalysisPlan:
    """How a campaign's results will be judged; pinned at launch, and no part of the definition's version."""

    plan: PlanKind = PlanKind.ALWAYS_VALID
    alpha: Decimal = Decimal("0.05")
    """The share of campaigns without any difference for which a winner may be named all the same."""
    smallest_effect: Decimal = Decimal("0.02")
    """The smallest relative difference of the primary's rate that is worth having."""
    minimum_sample: int = 100
    """Persons per variant whose full window has passed before there is any verdict."""
    guardrails: tuple[Guardrail, ...] = ()
    winsorize: Decimal | None = None
    """What a person's revenue counts at most in comparisons, in the reporting currency; None is no limit."""
    rule: WinnerRule = WinnerRule.EVERY_OTHER
    multiple_testing: MultipleTesting = MultipleTesting.HOLM
    """Of the differences from control; a winner is always named with an error of at most alpha (`rule`)."""


@dataclass(frozen=True, slots=True)
class Selection:
    """How Intelligent Selection chooses a campaign's shares; no part of the definition's version."""

    every_seconds: int = 43_200
    """How often it decides."""
    floor_hundredths: int = 100
    """The least share of each variant, in hundredths of a percent of those who get a message."""
    training_users: int = 250
    """A variant has an equal share until as many users were exposed to it."""
    training_conversions: int = 25
    """Nothing is learned before as many conversions, over all variants."""
    half_life_seconds: int | None = 45 * 86_400
    """What happened so long ago counts half; None forgets nothing."""
    automatic: bool = True
    """Whether its decisions are applied as they are made, or wait until somebody accepts them."""


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign, or with `steps` a Canvas (`kind` says which)."""

    id: str
    kind: str
    """`campaign` or `canvas`."""
    name: str
    variants: tuple[Variant, ...]
    conversion_events: tuple[ConversionEvent, ...] = ()
    counting: Counting = Counting.ONCE_PER_USER
    channels: tuple[Channel, ...] = ()
    tags: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    analysis: AnalysisPlan = AnalysisPlan()
    selection: Selection | None = None
    """Intelligent Selection; None where shares change by hand only."""

    @property
    def revenue_window_seconds(self) -> int:
        """The primary's deadline, or 3 days without any conversion event (rules 2 and 4)."""
        events = self.conversion_events
        return events[0].deadline_seconds if events else DEFAULT_REVENUE_WINDOW_SECONDS


@dataclass(frozen=True, slots=True)
class Workspace:
    """Settings of one data directory: time zone (IANA name) and reporting currency (ISO 4217)."""

    timezone: str = "UTC"
    currency: str = "USD"


@dataclass(frozen=True, slots=True)
class Definitions:
    """Everything that a definition file says. `campaigns` holds Canvases too, ordered by id."""

    workspace: Workspace = field(default_factory=Workspace)
    campaigns: tuple[Campaign, ...] = ()

    def index_of(self, campaign_id: str) -> int:
        """The position of a campaign, which is its integer id inside the engine; KeyError if unknown."""
        for index, campaign in enumerate(self.campaigns):
            if campaign.id == campaign_id:
                return index
        raise KeyError(campaign_id)
