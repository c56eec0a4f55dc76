"""The pages of the steps: each shows what was typed so far, and each button keeps it before anything else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from starlette.responses import Response

from afterword.interfaces.api.faults import Refused
from afterword.interfaces.web.create import cards, reading
from afterword.interfaces.web.create.changes import Changed, do
from afterword.interfaces.web.create.defining import BASICS, EVENTS, EXPOSURES, FIELDS, REVIEW, Mistakes, check
from afterword.interfaces.web.create.form import Form, Kept, form_of, new_form
from afterword.interfaces.web.create.locks import Locks, locks_of
from afterword.interfaces.web.create.merging import Contested, merge
from afterword.interfaces.web.create.people import moment_of, who
from afterword.interfaces.web.create.snippets import snippets
from afterword.interfaces.web.create.views import STEPS, Conflict, StepPage
from afterword.interfaces.web.links import link
from afterword.interfaces.web.rendering import go, page, part
from afterword.interfaces.web.visits import Visit, Web
from afterword.store.campaigns import StoredCampaign
from afterword.store.drafts import Draft, DraftChanged, UnknownDraft

GONE = (
    "Somebody has discarded this draft meanwhile, or made a campaign of it. What you typed on this page is kept in a "
    "new draft, which is shown here; its other steps are as at the beginning."
)
ATTEMPTS = 5
"""How often a draft is saved again that others save at the same moment."""


@dataclass(frozen=True, slots=True)
class Saved:
    """What became of a form that was sent."""

    draft: Draft
    form: Form
    contested: Sequence[Contested]
    """Where somebody else has changed the same; then nothing is saved."""


def show_new(_web: Web, visit: Visit) -> Response:
    """Show the first step of a campaign that is not there yet."""
    return _answer(visit, StepPage("", 0, "", BASICS, new_form()))


def create(web: Web, visit: Visit) -> Response:
    """Keep the first step as a draft."""
    action = visit.sent("do")
    changed = _changed(reading.with_step(new_form(), BASICS, visit), action)
    document = Kept(changed.form).to_document()
    draft = web.server.data.metadata.drafts.create(document, visit.account.id, visit.now, web.chance)
    return _go_on(web, visit, Saved(draft, changed.form, ()), BASICS, action, changed)


def show(web: Web, visit: Visit) -> Response:
    """Show a step of a draft."""
    draft = find(web, visit.must_ask("id"))
    form = Kept.from_document(draft.document).form
    step = visit.asked("step") if visit.asked("step") in FIELDS else BASICS
    if step == REVIEW:
        return go(link("/draft/review", id=draft.id))
    mistakes = mistakes_of(web, draft, form).on(step) if visit.asked("check") else Mistakes()
    return _answer(visit, view(web, visit, draft, step, form, mistakes, focus=visit.asked("at")))


def save(web: Web, visit: Visit) -> Response:
    """Keep what a step's page has sent, and go where its button says."""
    step, action = visit.asked("step"), visit.sent("do")
    if step not in FIELDS or step == REVIEW:
        raise Refused(404, "there is no such step")
    try:
        draft = web.server.data.metadata.drafts.get(visit.must_ask("id"))
    except UnknownDraft:
        return _afresh(web, visit, step)
    typed = reading.with_step(Kept.from_document(draft.document).form, step, visit)
    changed = _changed(typed, action)
    saved = _save(web, visit, draft, step, changed.form)
    if saved.contested:
        newer = saved.draft
        conflict = Conflict(who(web, visit, newer.updated_by), moment_of(web, newer.updated_at), saved.contested)
        shown = view(web, visit, newer, step, saved.form, Mistakes())
        return _answer(visit, replace(shown, conflict=conflict), 409)
    return _go_on(web, visit, saved, step, action, changed)


def find(web: Web, draft: str) -> Draft:
    """Return a draft.

    Raises:
        Refused: 404 there is none.

    """
    try:
        return web.server.data.metadata.drafts.get(draft)
    except UnknownDraft:
        raise Refused(
            404, "This draft is not there any more: somebody has discarded it, or made a campaign of it."
        ) from None


def campaign_of(web: Web, draft: Draft) -> StoredCampaign | None:
    """Return the campaign that a draft changes; None for a new one."""
    return None if draft.of is None else web.server.data.metadata.campaigns.get(draft.of)


def editable(stored: StoredCampaign) -> Form:
    """Return a campaign's form for a change; what was launched shows its channels one by one, to add to them."""
    form = form_of(stored)
    if stored.launched_at is None or form.kind == "canvas":
        return form
    return replace(form, type="multichannel")


def mistakes_of(web: Web, draft: Draft, form: Form) -> Mistakes:
    """Return all that is wrong with a draft."""
    return check(form, None if draft.of else web.server.data.metadata).mistakes


def view(
    web: Web,
    visit: Visit,
    draft: Draft,
    step: str,
    form: Form,
    mistakes: Mistakes,
    *,
    focus: str = "",
    refused: str = "",
) -> StepPage:
    """Return what a step's page shows."""
    locks: Locks = locks_of(campaign_of(web, draft))
    by = who(web, visit, draft.updated_by)
    shown = StepPage(
        draft.id, draft.revision, draft.of or "", step, form, mistakes, locks, focus, refused,
        saved=f"Saved by {by}, {moment_of(web, draft.updated_at)}.",
    )  # fmt: skip
    if step == EVENTS:
        return cards.with_cards(shown)
    return replace(shown, snippets=snippets(form, visit.now)) if step == EXPOSURES else shown


def _afresh(web: Web, visit: Visit, step: str) -> Response:
    """Keep what was typed into a draft that is gone as a new one, and say so."""
    form = reading.with_step(new_form(), step, visit)
    document = Kept(form).to_document()
    draft = web.server.data.metadata.drafts.create(document, visit.account.id, visit.now, web.chance)
    shown = view(web, visit, draft, step, form, Mistakes())
    return _answer(visit, replace(shown, notice=GONE), 409)


def _save(web: Web, visit: Visit, draft: Draft, step: str, typed: Form) -> Saved:
    """Save the fields of a step into a draft, with what others have saved meanwhile."""
    drafts = web.server.data.metadata.drafts
    for _ in range(ATTEMPTS):
        kept = Kept.from_document(draft.document)
        form, contested = _merged(visit, draft, step, typed, kept.form)
        if contested:
            return Saved(draft, form, contested)
        try:
            document = replace(kept, form=form).to_document()
            return Saved(drafts.save(draft.id, document, draft.revision, visit.account.id, visit.now), form, ())
        except DraftChanged as error:
            draft = error.newer
    raise Refused(409, "This draft is being saved by others all the time: try again.")


def _merged(visit: Visit, draft: Draft, step: str, typed: Form, theirs: Form) -> tuple[Form, list[Contested]]:
    def yielded(field: str) -> bool:
        return field in visit.form.get("theirs", ())

    if visit.sent("revision") == str(draft.revision):  # nobody else has saved since the page was drawn
        own = {field: getattr(typed, field) for field in FIELDS[step] if not yielded(field)}
        return replace(theirs, **own), []
    return merge(typed, theirs, FIELDS[step], lambda field: visit.sent(f"began.{field}"), yielded)


def _changed(form: Form, action: str) -> Changed:
    return do(form, action) or Changed(form, "")


def _go_on(web: Web, visit: Visit, saved: Saved, step: str, action: str, changed: Changed) -> Response:
    """Answer after something was saved."""
    draft, form = saved.draft, saved.form
    there = STEPS.index(step)
    if action == "leave":
        return go("/")
    if action.startswith("go:") and action[3:] in FIELDS:
        return go(link("/draft", id=draft.id, step=action[3:]))
    if action == "back":
        return go(link("/draft", id=draft.id, step=STEPS[max(0, there - 1)]))
    if action == "next":
        mistakes = mistakes_of(web, draft, form).on(step)
        if mistakes:
            return _answer(visit, view(web, visit, draft, step, form, mistakes), 400)
        return go(link("/draft", id=draft.id, step=STEPS[min(there + 1, len(STEPS) - 1)]))
    if changed.refused:
        shown = view(web, visit, draft, step, form, Mistakes(), focus=changed.focus, refused=changed.refused)
        return _answer(visit, shown, 400)
    if visit.part:
        return _answer(visit, view(web, visit, draft, step, form, Mistakes(), focus=changed.focus))
    return go(link("/draft", id=draft.id, step=step, at=changed.focus))


def _answer(visit: Visit, shown: StepPage, status: int = 200) -> Response:
    if visit.part:
        return part("create/step_part.html.j2", visit, status, view=shown)
    return page("create/step.html.j2", visit, f"{shown.title}: {shown.label}", "overview", status, view=shown)
