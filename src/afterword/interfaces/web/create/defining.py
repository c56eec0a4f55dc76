"""From what was typed to a definition. What is wrong is what the definitions' own check says, beside the fields."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from afterword.errors import DefinitionError
from afterword.intake.definition_fields import Place, Problem, show
from afterword.intake.definitions import parse_definitions
from afterword.interfaces.web.create.form import (
    NUMBER,
    SINGLE,
    TRUTH,
    EventForm,
    FilterForm,
    Form,
    GuardrailForm,
    SelectionForm,
)
from afterword.model import Campaign, Op
from afterword.store.campaigns import UnknownCampaign, taken
from afterword.store.metadata import Metadata

BASICS, VARIANTS, EXPOSURES, EVENTS = "basics", "variants", "exposures", "events"
PREVIEW, ANALYSIS, REVIEW = "preview", "analysis", "review"
FIELDS = {
    BASICS: ("type", "name", "id", "channels", "tags", "description", "steps"),
    VARIANTS: ("variants",),
    EXPOSURES: (),
    EVENTS: ("conversion_events",),
    PREVIEW: (),
    ANALYSIS: ("counting", "analysis", "selection"),
    REVIEW: (),
}
"""Which fields of the form each step has, in the order of the steps."""
_NOTHING: Mapping[str, Any] = MappingProxyType({})
_NUMBER = re.compile(r"-?[0-9]{1,60}(?:\.[0-9]{1,60})?")
_ONLY_FOR = {"custom": "name", "session": "apps", "upgrade": "apps", "purchase": "products"}
_CALLED = {
    "minimum_sample": "Minimum sample",
    "smallest_effect": "Smallest effect",
    "training_users": "Recipients for training",
    "training_conversions": "Conversions for training",
    "half_life": "Half-life",
    "every": "Time between decisions",
    "winsorize": "Most that one person's revenue counts",
    "conversion_events": "Conversion events",
}


@dataclass(frozen=True, slots=True)
class Mistake:
    """Something that is wrong, and where."""

    name: str
    """Of the field, such as `variants.0.share`."""
    sentence: str

    @property
    def step(self) -> str:
        """The step where it can be put right."""
        field = self.name.split(".")[0]
        return next((step for step, fields in FIELDS.items() if field in fields), BASICS)


@dataclass(frozen=True, slots=True)
class Mistakes:
    """All that is wrong."""

    found: Sequence[Mistake] = ()

    def at(self, name: str) -> str:
        """Return what is wrong with a field, or with an item of it; empty if nothing is."""
        return " ".join(one.sentence for one in self.found if one.name == name or one.name.startswith(f"{name}."))

    def of(self, name: str) -> str:
        """Return what is wrong with a list as a whole."""
        return " ".join(one.sentence for one in self.found if one.name == name)

    def on(self, step: str) -> Mistakes:
        """Return what is wrong on one step."""
        return Mistakes([one for one in self.found if one.step == step])

    def __bool__(self) -> bool:
        return bool(self.found)


@dataclass(frozen=True, slots=True)
class Checked:
    """A definition, or what is wrong with it."""

    campaign: Campaign | None
    mistakes: Mistakes


def check(form: Form, metadata: Metadata | None = None, untouched: Mapping[str, Any] = _NOTHING) -> Checked:
    """Return the campaign that the form defines, or everything that is wrong with it.

    Args:
        form: what was typed.
        metadata: where the id must be free; None where it need not be.
        untouched: fields of the definition that stand as they are, whatever a form can say of them.

    """
    problems = _typing_problems(form)
    campaign: Campaign | None = None
    try:
        campaign = parse_definitions({_list_of(form): [{**to_data(form), **untouched}]}, "form").campaigns[0]
    except DefinitionError as error:
        told = {one.path for one in problems}
        problems += [one for one in error.problems if isinstance(one, Problem) and one.path[2:] not in told]
    found = [_mistake(one) for one in problems]
    if metadata is not None and form.id and not any(one.name == "id" for one in found):
        with suppress(UnknownCampaign):
            found.append(Mistake("id", _sentence("id", taken(metadata.campaigns.get(form.id).campaign))))
    return Checked(None if found else campaign, Mistakes(found))


def to_data(form: Form) -> dict[str, Any]:
    """Return what a definition file would hold; what is no number stays a text, for the check to name it."""
    data: dict[str, Any] = {
        "id": form.id or None,
        "name": form.name or None,
        "channels": list(channels_of(form)),
        "tags": [tag.strip() for tag in form.tags.split(",") if tag.strip()],
        "counting": form.counting,
        "variants": [
            {"id": one.id or None, "name": one.name or None, "share": _share(one.share), "control": one.control}
            for one in form.variants
        ],
        "conversion_events": [event_data(one) for one in form.conversion_events],
        "analysis": _analysis_data(form),
    }
    if form.kind == "canvas":
        data["steps"] = [{"id": one.id or None, "name": one.name or None} for one in form.steps]
    if form.selection.mode != "fixed":
        data["selection"] = _selection_data(form.selection)
    return data


def channels_of(form: Form) -> tuple[str, ...]:
    """Return the channels: the type's own, or those chosen."""
    return (form.type,) if form.type in SINGLE else form.channels


def event_data(event: EventForm) -> dict[str, Any]:
    """Return a conversion event as a definition file would hold it."""
    data: dict[str, Any] = {
        "kind": event.kind,
        "deadline": f"{event.number} {event.unit}" if event.number else None,
        "where": [filter_data(one) for one in event.where],
    }
    match _ONLY_FOR.get(event.kind):
        case "name":
            data["name"] = event.name or None
        case "apps":
            data["apps"] = list(event.apps)
        case "products":
            data["products"] = list(event.products)
    return data


def _list_of(form: Form) -> str:
    return "canvases" if form.kind == "canvas" else "campaigns"


def _number(text: str) -> Decimal | str:
    return Decimal(text) if _NUMBER.fullmatch(text) else text


def _share(text: str) -> Decimal | str | None:
    return _number(text.removesuffix("%").strip()) if text else None


def _percent(text: str) -> str | None:
    return f"{text.removesuffix('%').strip()}%" if text else None


def filter_data(one: FilterForm) -> dict[str, Any]:
    """Return a filter as a definition file would hold it; what is no number stays text."""
    data: dict[str, Any] = {"property": one.property or None, "op": one.op}
    if one.op in (Op.EXISTS, Op.NOT_EXISTS):
        return data
    values = [_value(text, one.of) for text in values_of(one)]
    data["value"] = values if one.op == Op.IN else (values[0] if values else None)
    return data


def values_of(one: FilterForm) -> list[str]:
    """Return what a filter compares with: for `in` each line, else the whole."""
    if one.op == Op.IN:
        return [line for line in one.value.split("\n") if line.strip()]
    return [one.value] if one.value else []


def _value(text: str, of: str) -> str | Decimal | bool:
    if of == NUMBER:
        return _number(text)
    return text == "true" if of == TRUTH else text


def _typing_problems(form: Form) -> list[Problem]:
    """Return where a value is not what the form itself says that it is; a definition file has no such thing."""
    found = []
    for number, event in enumerate(form.conversion_events):
        for position, one in enumerate(event.where):
            path = ("conversion_events", number, "where", position, "value")
            found += [Problem(Place(path=path), text) for text in typing_problems(one)]
    return found


def typing_problems(one: FilterForm) -> list[str]:
    """Return in what way the values of a filter are not what they are said to be."""
    found = []
    for text in values_of(one) if one.op not in (Op.EXISTS, Op.NOT_EXISTS) else ():
        if one.of == NUMBER and not _NUMBER.fullmatch(text):
            found.append(f"value is {show(text)}, which is no number such as 49.90")
        elif one.of == TRUTH and text not in ("true", "false"):
            found.append(f"value is {show(text)}, must be true or false")
    return found


def _analysis_data(form: Form) -> dict[str, Any]:
    plan = form.analysis
    return {
        "plan": plan.plan,
        "alpha": _number(plan.alpha) if plan.alpha else None,
        "smallest_effect": _percent(plan.smallest_effect),
        "minimum_sample": _number(plan.minimum_sample) if plan.minimum_sample else None,
        "winsorize": _number(plan.winsorize) if plan.winsorize else None,
        "rule": plan.rule,
        "multiple_testing": plan.multiple_testing,
        "guardrails": [_guardrail_data(one) for one in plan.guardrails],
    }


def _guardrail_data(one: GuardrailForm) -> dict[str, Any]:
    event, _, worse = one.event.partition(" ")
    return {"event": event, "margin": _percent(one.margin), **({"worse": worse} if worse else {})}


def _selection_data(selection: SelectionForm) -> dict[str, Any]:
    return {
        "mode": selection.mode,
        "every": selection.every or None,
        "floor": _share(selection.floor),
        "training_users": _number(selection.training_users) if selection.training_users else None,
        "training_conversions": _number(selection.training_conversions) if selection.training_conversions else None,
        "half_life": selection.half_life or None,
        "automatic": selection.automatic,
    }


def _mistake(problem: Problem) -> Mistake:
    path = problem.path[2:] if problem.path[:1] in (("campaigns",), ("canvases",)) else problem.path
    name = ".".join(map(str, path))
    if name.endswith(".deadline"):
        name = name.removesuffix("deadline") + "number"
    return Mistake(name, _sentence(str(path[-1]) if path else "", problem.message))


def _sentence(field: str, message: str) -> str:
    """Return a message of the check as a sentence, with the field called as on the page."""
    called = _CALLED.get(field)
    if called and message.startswith(field):
        message = called + message.removeprefix(field)
    return message[:1].upper() + message[1:] + "."
