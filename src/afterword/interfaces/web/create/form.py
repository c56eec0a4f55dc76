"""What was typed into the steps so far, right or wrong: the document of a draft."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import msgspec

from afterword.errors import UserError
from afterword.model import (
    AnalysisPlan,
    Campaign,
    ConversionEvent,
    Counting,
    Guardrail,
    PropertyFilter,
    Scalar,
    Selection,
    Worse,
)
from afterword.store.campaign_rules import percent
from afterword.store.campaigns import StoredCampaign

TYPES = {
    "email": "Email",
    "push": "Push",
    "sms": "SMS",
    "in_app": "In-app message",
    "content_card": "Content card",
    "webhook": "Webhook",
    "multichannel": "Several channels",
    "api": "API-triggered",
    "canvas": "Canvas",
}
SINGLE = ("email", "push", "sms", "in_app", "content_card", "webhook")
"""Types that are a channel."""
LONGEST_TITLE = 120
UNITS = {"days": 86_400, "hours": 3_600, "minutes": 60, "seconds": 1}
TEXT, NUMBER, TRUTH = "text", "number", "truth"


@dataclass(frozen=True, slots=True)
class FilterForm:
    """A property filter."""

    property: str = ""
    op: str = "="
    value: str = ""
    """For `in` one value a line."""
    of: str = TEXT
    """What the value is: `text`, `number` or `truth`."""


@dataclass(frozen=True, slots=True)
class EventForm:
    """A conversion event. What does not belong to its kind is kept, and is left out of the definition."""

    kind: str = "purchase"
    name: str = ""
    apps: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    number: str = "3"
    unit: str = "days"
    where: tuple[FilterForm, ...] = ()


@dataclass(frozen=True, slots=True)
class VariantForm:
    """A variant; `share` is in percent."""

    id: str = ""
    name: str = ""
    share: str = ""
    control: bool = False


@dataclass(frozen=True, slots=True)
class StepForm:
    """A step of a Canvas."""

    id: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class GuardrailForm:
    """What must not get worse, and by how many percentage points."""

    event: str = "unsubscribe"
    """As the definition names it; `B more` is conversion event B of which more is worse."""
    margin: str = "0.5"


@dataclass(frozen=True, slots=True)
class AnalysisForm:
    """How results will be judged."""

    plan: str = "always_valid"
    alpha: str = "0.05"
    smallest_effect: str = "2"
    """In percent."""
    minimum_sample: str = "100"
    winsorize: str = ""
    rule: str = "every_other"
    multiple_testing: str = "holm"
    guardrails: tuple[GuardrailForm, ...] = ()


@dataclass(frozen=True, slots=True)
class SelectionForm:
    """Whether and how Intelligent Selection chooses the shares."""

    mode: str = "fixed"
    every: str = "12 hours"
    floor: str = "1"
    training_users: str = "250"
    training_conversions: str = "25"
    half_life: str = "45 days"
    automatic: bool = True


@dataclass(frozen=True, slots=True)
class Form:
    """All steps. The names of its fields are those of a definition, but for `type`."""

    type: str = "email"
    name: str = ""
    id: str = ""
    channels: tuple[str, ...] = ()
    tags: str = ""
    """With commas between them."""
    description: str = ""
    steps: tuple[StepForm, ...] = ()
    variants: tuple[VariantForm, ...] = ()
    conversion_events: tuple[EventForm, ...] = ()
    counting: str = "once_per_user"
    analysis: AnalysisForm = field(default_factory=AnalysisForm)
    selection: SelectionForm = field(default_factory=SelectionForm)

    @property
    def kind(self) -> str:
        """`campaign` or `canvas`."""
        return "canvas" if self.type == "canvas" else "campaign"

    @property
    def title(self) -> str:
        """What it is called as long as it may have no name."""
        name = self.name or self.id or "Without a name"
        return name if len(name) <= LONGEST_TITLE else f"{name[: LONGEST_TITLE - 1]}…"


@dataclass(frozen=True, slots=True)
class Kept:
    """A draft's document: the form, and for a change what it began with."""

    form: Form
    base: Form | None = None
    """The campaign when the change began."""
    base_at: int | None = None
    """When it had been changed last by then, in epoch microseconds."""

    def to_document(self) -> dict[str, Any]:
        """Return it as JSON."""
        document: dict[str, Any] = msgspec.to_builtins(self)
        return document

    @staticmethod
    def from_document(document: Mapping[str, Any]) -> Kept:
        """Read it again; fields of later versions are left out, those of earlier ones are as by default."""
        try:
            return msgspec.convert(dict(document), Kept)
        except msgspec.ValidationError as error:
            raise UserError(
                f"this draft was made over the API, in a form of its own: change it there ({error})"
            ) from None


def new_form() -> Form:
    """Return the form that a new campaign begins with."""
    variants = (VariantForm("a", "Variant A", "90"), VariantForm("control", "Control", "10", control=True))
    return Form(variants=variants, conversion_events=(EventForm(),))


def form_of(stored: StoredCampaign) -> Form:
    """Return the form of a campaign as it stands."""
    campaign = stored.campaign
    return Form(
        type=_type_of(campaign),
        name=campaign.name,
        id=campaign.id,
        channels=tuple(one.value for one in campaign.channels),
        tags=", ".join(campaign.tags),
        description=stored.description,
        steps=tuple(StepForm(one.id, one.name) for one in campaign.steps),
        variants=tuple(
            VariantForm(one.id, one.name, percent(one.share_hundredths), one.control) for one in campaign.variants
        ),
        conversion_events=tuple(_event_form(one) for one in campaign.conversion_events),
        counting=campaign.counting.value,
        analysis=_analysis_form(campaign.analysis),
        selection=_selection_form(campaign.selection),
    )


def copy_of(stored: StoredCampaign) -> Form:
    """Return the form of a new campaign that is like another."""
    form = form_of(stored)
    return replace(form, name=f"Copy of {form.name}", id="")


def _type_of(campaign: Campaign) -> str:
    if campaign.kind == "canvas":
        return "canvas"
    channels = campaign.channels
    return channels[0].value if len(channels) == 1 else ("multichannel" if channels else "api")


def _event_form(event: ConversionEvent) -> EventForm:
    number, unit = number_and_unit(event.deadline_seconds)
    return EventForm(
        event.kind.value, event.name or "", event.apps, event.products, number, unit,
        tuple(_filter_form(one) for one in event.where),
    )  # fmt: skip


def number_and_unit(seconds: int) -> tuple[str, str]:
    """Return a length of time in the largest unit of which it is a whole number."""
    unit = next(name for name, size in UNITS.items() if seconds % size == 0)
    return str(seconds // UNITS[unit]), unit


def _filter_form(condition: PropertyFilter) -> FilterForm:
    value = condition.value
    values = value if isinstance(value, tuple | list) else () if value is None else (value,)
    of = {bool: TRUTH, str: TEXT}.get(type(values[0]), NUMBER) if values else TEXT
    return FilterForm(condition.property, condition.op.value, "\n".join(_written(one) for one in values), of)


def _written(value: Scalar | Decimal | object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def _analysis_form(plan: AnalysisPlan) -> AnalysisForm:
    return AnalysisForm(
        plan=plan.plan.value,
        alpha=plain(plan.alpha),
        smallest_effect=plain(plan.smallest_effect * 100),
        minimum_sample=str(plan.minimum_sample),
        winsorize="" if plan.winsorize is None else plain(plan.winsorize),
        rule=plan.rule.value,
        multiple_testing=plan.multiple_testing.value,
        guardrails=tuple(GuardrailForm(_watched(one), plain(one.margin * 100)) for one in plan.guardrails),
    )


def _watched(one: Guardrail) -> str:
    return one.event.value if one.worse is Worse.LESS else f"{one.event.value} {one.worse.value}"


def _selection_form(selection: Selection | None) -> SelectionForm:
    if selection is None:
        return SelectionForm()
    half_life = selection.half_life_seconds
    return SelectionForm(
        "intelligent",
        " ".join(number_and_unit(selection.every_seconds)),
        percent(selection.floor_hundredths),
        str(selection.training_users),
        str(selection.training_conversions),
        "never" if half_life is None else " ".join(number_and_unit(half_life)),
        selection.automatic,
    )


def plain(value: Decimal) -> str:
    """Return a decimal without closing zeros."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


COUNTINGS = {
    Counting.ONCE_PER_USER.value: (
        "Once per person",
        "A person converts at most once on each conversion event. Right for nearly everything.",
    ),
    Counting.ONCE_PER_EXPOSURE.value: (
        "Once per entry",
        "Each time somebody is exposed they may convert again. For people who come back, such as a monthly Canvas.",
    ),
    Counting.ONCE_PER_CHANNEL.value: (
        "Once per channel",
        "Each channel is an opportunity of its own. For a campaign on several channels; not for a Canvas.",
    ),
}
"""Each way of counting with its label and when it fits (rules 15 and 16)."""
