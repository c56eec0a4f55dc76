"""What the templates of the steps show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from afterword.interfaces.web.create.defining import (
    ANALYSIS,
    BASICS,
    EVENTS,
    EXPOSURES,
    FIELDS,
    PREVIEW,
    REVIEW,
    VARIANTS,
    Mistakes,
)
from afterword.interfaces.web.create.form import COUNTINGS, SINGLE, TYPES, UNITS, EventForm, Form
from afterword.interfaces.web.create.locks import Locks
from afterword.interfaces.web.create.merging import Contested, digest
from afterword.interfaces.web.create.snippets import Snippet
from afterword.interfaces.web.create.templates import TEMPLATES, Template
from afterword.interfaces.web.links import link
from afterword.model import LETTERS, MAX_VARIANTS, Channel

LABELS = {
    BASICS: "Type and name",
    VARIANTS: "Variants",
    EXPOSURES: "Exposures",
    EVENTS: "Conversion events",
    PREVIEW: "Preview",
    ANALYSIS: "Counting and analysis",
    REVIEW: "Review",
}
STEPS = tuple(FIELDS)
CHANNELS = {
    Channel.EMAIL: "Email",
    Channel.PUSH: "Push",
    Channel.SMS: "SMS",
    Channel.WEBHOOK: "Webhook",
    Channel.IN_APP: "In-app message",
    Channel.CONTENT_CARD: "Content card",
}
KINDS = (
    ("session", "Starts a session"),
    ("purchase", "Makes a purchase"),
    ("custom", "Performs a custom event"),
    ("upgrade", "Upgrades the app"),
    ("message_open", "Opens a message of this campaign"),
    ("message_click", "Clicks in a message of this campaign"),
)
OPS = (
    ("=", "is"),
    ("!=", "is not"),
    (">", "is more than"),
    (">=", "is at least"),
    ("<", "is less than"),
    ("<=", "is at most"),
    ("in", "is one of"),
    ("contains", "contains"),
    ("exists", "is there"),
    ("not_exists", "is not there"),
)
VALUES = (("text", "text"), ("number", "number"), ("truth", "true or false"))
PLANS = {
    "always_valid": (
        "Look whenever you like",
        "Intervals and verdicts hold however often they are looked at. Needs somewhat more people.",
    ),
    "fixed": (
        "Look once, at the end",
        "There is one verdict, when all windows have closed. Needs the fewest people; looking earlier decides nothing.",
    ),
}
RULES = (
    ("every_other", "Better than every other variant, under the plan"),
    ("chi_squared", "Chi-squared against control with p < 0.05, as other tools do"),
)
MULTIPLE_TESTING = {
    "holm": ("One error over all: Holm, then the other events", "the primary event first, over all variants (Holm)"),
    "by_variant": ("One error over all: each variant by itself", "in each variant the primary event first"),
    "benjamini_hochberg": ("False discovery rate: Benjamini-Hochberg", "by false discovery rate (Benjamini-Hochberg)"),
}
"""Each way with its label, and as the review tells it."""
GUARDRAILS = (
    ("unsubscribe", "Unsubscribes"),
    ("complaint", "Complaints"),
    ("bounce", "Bounces"),
    *(
        (f"{letter}{more}", f"Conversion event {letter}, {'more' if more else 'less'} is worse")
        for letter in LETTERS[1:]
        for more in ("", " more")
    ),
)


@dataclass(frozen=True, slots=True)
class Nav:
    """An entry of the list of steps."""

    step: str
    label: str
    current: bool


@dataclass(frozen=True, slots=True)
class Conflict:
    """What somebody else has saved meanwhile."""

    who: str
    when: str
    contested: Sequence[Contested]
    """Empty where both pieces of work went together."""


@dataclass(frozen=True, slots=True)
class Card:
    """A conversion event."""

    letter: str
    field: str
    form: EventForm
    first: bool
    last: bool


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A conversion event that complements the others."""

    action: str
    label: str
    about: str


@dataclass(frozen=True, slots=True)
class StepPage:
    """A page of the steps."""

    draft: str
    """Its id; empty before it is kept for the first time."""
    revision: int
    of: str
    """The campaign that it changes; empty for a new one."""
    step: str
    form: Form
    mistakes: Mistakes = field(default_factory=Mistakes)
    locks: Locks = field(default_factory=Locks)
    focus: str = ""
    refused: str = ""
    saved: str = ""
    notice: str = ""
    """What there is to be said about the draft itself."""
    conflict: Conflict | None = None
    cards: Sequence[Card] = ()
    suggestions: Sequence[Suggestion] = ()
    snippets: Sequence[Snippet] = ()

    @property
    def title(self) -> str:
        """The heading."""
        return f"Change {self.form.title}" if self.of else (self.form.title if self.draft else "New campaign")

    @property
    def label(self) -> str:
        """The name of the step."""
        return LABELS[self.step]

    @property
    def number(self) -> int:
        """Which step it is, from 1."""
        return STEPS.index(self.step) + 1

    @property
    def count(self) -> int:
        """How many steps there are."""
        return len(STEPS)

    @property
    def nav(self) -> list[Nav]:
        """All steps."""
        return [Nav(step, LABELS[step], step == self.step) for step in STEPS]

    @property
    def action(self) -> str:
        """Where the form goes."""
        return link("/draft", id=self.draft, step=self.step) if self.draft else "/create"

    @property
    def began(self) -> list[tuple[str, str]]:
        """What the fields were when the page was drawn, as digests."""
        return [(name, digest(self.form, name)) for name in FIELDS[self.step]]

    @property
    def types(self) -> list[tuple[str, str]]:
        """The types that can be chosen."""
        kind = self.locks.kind
        return [(name, label) for name, label in TYPES.items() if not kind or (kind == "canvas") == (name == "canvas")]

    @property
    def channels(self) -> list[tuple[str, str]]:
        """All channels."""
        return [(one.value, label) for one, label in CHANNELS.items()]

    @property
    def has_control(self) -> bool:
        """Whether there is a control."""
        return any(one.control for one in self.form.variants)

    @property
    def total(self) -> str:
        """What the shares add up to, as far as they are numbers."""
        shares = [one.share.removesuffix("%").strip() for one in self.form.variants]
        added = sum(float(one) for one in shares if one.replace(".", "", 1).isdigit())
        return f"{added:.2f}".rstrip("0").rstrip(".")

    @property
    def decided(self) -> str:
        """What counts as decided, by the plan."""
        return MULTIPLE_TESTING[self.form.analysis.multiple_testing][1]

    most_variants: int = MAX_VARIANTS
    single: Sequence[str] = SINGLE
    kinds: Sequence[tuple[str, str]] = KINDS
    ops: Sequence[tuple[str, str]] = OPS
    values: Sequence[tuple[str, str]] = VALUES
    units: Sequence[tuple[str, str]] = tuple((name, name) for name in UNITS)
    templates: Sequence[Template] = tuple(TEMPLATES.values())
    countings: Sequence[tuple[str, tuple[str, str]]] = tuple(COUNTINGS.items())
    plans: Sequence[tuple[str, tuple[str, str]]] = tuple(PLANS.items())
    rules: Sequence[tuple[str, str]] = RULES
    multiple_testing: Sequence[tuple[str, str]] = tuple((key, label) for key, (label, _) in MULTIPLE_TESTING.items())
    guardrails: Sequence[tuple[str, str]] = GUARDRAILS


def letter(at: int) -> str:
    """Return the letter of the conversion event at a position; a number where letters end."""
    return LETTERS[at] if at < len(LETTERS) else str(at + 1)
