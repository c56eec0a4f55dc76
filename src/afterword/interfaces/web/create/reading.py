"""From the fields of a request to the form. Names of fields are those of the form, with dots: `variants.0.share`."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import replace

from afterword.interfaces.web.create.defining import ANALYSIS, BASICS, EVENTS, VARIANTS
from afterword.interfaces.web.create.form import (
    TEXT,
    AnalysisForm,
    EventForm,
    FilterForm,
    Form,
    GuardrailForm,
    SelectionForm,
    StepForm,
    VariantForm,
)
from afterword.interfaces.web.visits import Visit

MOST = 1_000
"""Rows of one kind that are read; a request has no more fields than that."""
LONGEST_ID = 60


def with_step(form: Form, step: str, visit: Visit) -> Form:
    """Return the form with what a step's page has sent."""
    match step:
        case _ if step == BASICS:
            return _basics(form, visit)
        case _ if step == VARIANTS:
            return replace(form, variants=tuple(_variants(visit)))
        case _ if step == EVENTS:
            return replace(form, conversion_events=tuple(_events(visit)))
        case _ if step == ANALYSIS:
            return _analysis(form, visit)
    return form


def _basics(form: Form, visit: Visit) -> Form:
    steps = tuple(
        StepForm(
            visit.sent(f"steps.{at}.id") or id_from(visit.sent(f"steps.{at}.name")), visit.sent(f"steps.{at}.name")
        )
        for at in _rows(visit, "steps", "name")
    )
    name = visit.sent("name")
    return replace(
        form,
        type=visit.sent("type", form.type),
        name=name,
        id=visit.sent("id") or id_from(name),
        channels=tuple(visit.form.get("channels", ())),
        tags=visit.sent("tags"),
        description=visit.sent("description").replace("\r\n", "\n"),
        steps=steps,
    )


def _variants(visit: Visit) -> Iterator[VariantForm]:
    for at in _rows(visit, "variants", "share"):
        name = visit.sent(f"variants.{at}.name")
        id_ = visit.sent(f"variants.{at}.id") or id_from(name)
        control = visit.sent(f"variants.{at}.control") == "yes"
        yield VariantForm(id_, name, visit.sent(f"variants.{at}.share"), control)


def _events(visit: Visit) -> Iterator[EventForm]:
    for at in _rows(visit, "conversion_events", "kind"):
        field = f"conversion_events.{at}"
        yield EventForm(
            kind=visit.sent(f"{field}.kind"),
            name=visit.sent(f"{field}.name"),
            apps=_texts(visit, f"{field}.apps"),
            products=_texts(visit, f"{field}.products"),
            number=visit.sent(f"{field}.number"),
            unit=visit.sent(f"{field}.unit"),
            where=tuple(_filters(visit, field)),
        )


def _filters(visit: Visit, event: str) -> Iterator[FilterForm]:
    for at in _rows(visit, f"{event}.where", "property"):
        field = f"{event}.where.{at}"
        value = visit.form.get(f"{field}.value", [""])[-1].replace("\r\n", "\n")
        of = visit.sent(f"{field}.of", TEXT)
        yield FilterForm(visit.sent(f"{field}.property"), visit.sent(f"{field}.op", "="), value, of)


def _analysis(form: Form, visit: Visit) -> Form:
    guardrails = tuple(
        GuardrailForm(visit.sent(f"analysis.guardrails.{at}.event"), visit.sent(f"analysis.guardrails.{at}.margin"))
        for at in _rows(visit, "analysis.guardrails", "event")
    )
    plan = AnalysisForm(
        plan=visit.sent("analysis.plan"),
        alpha=visit.sent("analysis.alpha"),
        smallest_effect=visit.sent("analysis.smallest_effect"),
        minimum_sample=visit.sent("analysis.minimum_sample"),
        winsorize=visit.sent("analysis.winsorize"),
        rule=visit.sent("analysis.rule"),
        multiple_testing=visit.sent("analysis.multiple_testing", form.analysis.multiple_testing),
        guardrails=guardrails,
    )
    selection = SelectionForm(
        mode=visit.sent("selection.mode"),
        every=visit.sent("selection.every"),
        floor=visit.sent("selection.floor"),
        training_users=visit.sent("selection.training_users"),
        training_conversions=visit.sent("selection.training_conversions"),
        half_life=visit.sent("selection.half_life"),
        automatic=visit.sent("selection.automatic") != "no",
    )
    if "analysis.plan" not in visit.form:  # a plan that is fixed is shown, and not sent
        plan = form.analysis
    return replace(form, counting=visit.sent("counting"), analysis=plan, selection=selection)


def _rows(visit: Visit, name: str, field: str) -> Iterator[int]:
    """Yield the positions of the rows that were sent; they have no gaps."""
    for at in range(MOST):
        if f"{name}.{at}.{field}" not in visit.form:
            return
        yield at


def _texts(visit: Visit, name: str) -> tuple[str, ...]:
    """Return a list, with what stands in the field for one more, unless something that it found was chosen."""
    chosen = visit.sent("do").startswith("choose:")
    given = [*visit.form.get(name, ()), "" if chosen else visit.sent(f"{name}.more")]
    return tuple(dict.fromkeys(text for text in given if text.strip()))


def id_from(name: str) -> str:
    """Return the id that a name suggests: its letters and digits in lower case, with hyphens between the words."""
    spelled = unicodedata.normalize("NFKD", name.casefold())
    plain = unicodedata.normalize("NFC", re.sub("[\u0300-\u036f]", "", spelled))  # accents of Latin letters
    return re.sub(r"[\W_]+", "-", plain).strip("-")[:LONGEST_ID].rstrip("-")
