"""The last step: everything on one page, all that is wrong, and what a draft becomes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from starlette.responses import Response

from afterword.errors import DefinitionError
from afterword.intake.definitions import definition_version
from afterword.interfaces.web.create.defining import REVIEW, Mistake, Mistakes, check
from afterword.interfaces.web.create.effect import Effect, effect_of
from afterword.interfaces.web.create.form import Form, Kept
from afterword.interfaces.web.create.locks import Locks, locks_of
from afterword.interfaces.web.create.merging import Differing, differing_definitions, rebased, untouched
from afterword.interfaces.web.create.needed import needed_for
from afterword.interfaces.web.create.pages import campaign_of, editable, find
from afterword.interfaces.web.create.people import moment_of, who
from afterword.interfaces.web.create.summary import Part, summary
from afterword.interfaces.web.create.views import LABELS, STEPS, Nav
from afterword.interfaces.web.links import link
from afterword.interfaces.web.rendering import go, page, part
from afterword.interfaces.web.visits import Visit, Web
from afterword.model import Campaign
from afterword.store.campaign_rules import Status, refusals
from afterword.store.campaigns import CampaignRefused, StoredCampaign
from afterword.store.drafts import Draft, DraftChanged

LAUNCH, KEEP, ADOPT = "launch", "keep", "adopt"


@dataclass(frozen=True, slots=True)
class Wrong:
    """Something to be put right, and where."""

    label: str
    sentence: str
    address: str


@dataclass(frozen=True, slots=True)
class Review:
    """What the page shows."""

    draft: str
    revision: int
    of: str
    title: str
    step: str
    nav: Sequence[Nav]
    action: str
    parts: Sequence[Part]
    wrong: Sequence[Wrong]
    fixed: Sequence[str]
    """Why the change cannot be made; empty where it can."""
    changes: Sequence[Differing]
    """What it changes; `mine` is new, `theirs` is old."""
    launched: bool
    status: str
    new_version: bool
    effect: Effect | None
    needed: str
    """Where it is said how many users it takes; empty where the plan is fixed, or something is wrong."""
    moved_on: str
    """What became of the campaign since the change was begun."""
    stands_at: int
    """When the campaign was changed last; 0 for a new one."""
    saved: str
    problem: str = ""

    @property
    def is_ready(self) -> bool:
        """Whether nothing is in the way."""
        return not self.wrong and not self.fixed and (not self.of or bool(self.changes) or self.status == Status.DRAFT)

    @property
    def back(self) -> str:
        """The step before."""
        return link("/draft", id=self.draft, step=STEPS[STEPS.index(REVIEW) - 1])


@dataclass(frozen=True, slots=True)
class _Ready:
    """What a draft comes to."""

    draft: Draft
    form: Form
    stored: StoredCampaign | None
    campaign: Campaign | None
    mistakes: Mistakes
    kept: Kept

    @property
    def fixed(self) -> list[str]:
        if self.stored is None or self.campaign is None:
            return []
        return refusals(self.stored.campaign, self.campaign, launched=self.stored.launched_at is not None)

    @property
    def new_version(self) -> bool:
        stored, campaign = self.stored, self.campaign
        launched = stored is not None and stored.launched_at is not None
        return launched and campaign is not None and definition_version(campaign) != stored.version  # type: ignore[union-attr]


def show(web: Web, visit: Visit) -> Response:
    """Show the review."""
    return _answer(web, visit, _ready(web, find(web, visit.must_ask("id"))))


def show_effect(web: Web, visit: Visit) -> Response:
    """Show how far the comparison of the new version with the old one is."""
    ready = _ready(web, find(web, visit.must_ask("id")))
    effect = _effect(web, ready)
    return part("create/effect.html.j2", visit, effect=effect) if effect else part("create/nothing.html.j2", visit)


def show_needed(web: Web, visit: Visit) -> Response:
    """Say how many users each variant needs."""
    ready = _ready(web, find(web, visit.must_ask("id")))
    said = "" if ready.campaign is None else needed_for(web, ready.campaign)
    return part("create/needed.html.j2", visit, needed=said)


def finish(web: Web, visit: Visit) -> Response:
    """Make a campaign of a draft, or change one by it, and launch it if that is asked for."""
    action = visit.sent("do")
    ready = _ready(web, find(web, visit.must_ask("id")))
    if visit.sent("revision") != str(ready.draft.revision):
        by = who(web, visit, ready.draft.updated_by)
        return _answer(web, visit, ready, f"This draft was saved meanwhile by {by}: look at it again.", 409)
    if ready.stored is not None and visit.sent("stands_at") != str(ready.stored.updated_at):
        return _answer(web, visit, ready, "The campaign was changed meanwhile: look at it again.", 409)
    if ready.mistakes or ready.campaign is None or ready.fixed:
        return _answer(web, visit, ready, "", 400)
    try:
        _keep(web, visit, ready, ready.campaign)
        if action == LAUNCH:
            launch(web, visit, ready.campaign.id)
    except CampaignRefused as error:
        return _answer(web, visit, ready, f"{error}.", 409)
    except DefinitionError as error:
        return _answer(web, visit, ready, " ".join(error.problems), 400)
    with suppress(DraftChanged):  # what was saved in this very moment stays as a draft
        web.server.data.metadata.drafts.delete(ready.draft.id, ready.draft.revision)
    return go(link("/campaign", id=ready.campaign.id))


def launch(web: Web, visit: Visit, campaign: str) -> None:
    """Launch a campaign, and note who did.

    Raises:
        CampaignRefused: its state does not allow it.

    """
    metadata = web.server.data.metadata
    stored = metadata.campaigns.launch(campaign, visit.now)
    metadata.audit.add(visit.now, visit.account.id, "campaign.launched", campaign, {"version": stored.version})


def _ready(web: Web, draft: Draft) -> _Ready:
    kept, stored, form = Kept.from_document(draft.document), campaign_of(web, draft), None
    if stored is None:
        form = kept.form
        checked = check(form, web.server.data.metadata)
    else:
        base = kept.base or kept.form
        form = rebased(kept.form, base, editable(stored))
        checked = check(form, untouched=untouched(kept.form, base, stored.campaign))
    return _Ready(draft, form, stored, checked.campaign, checked.mistakes, kept)


def _keep(web: Web, visit: Visit, ready: _Ready, campaign: Campaign) -> None:
    metadata, stored = web.server.data.metadata, ready.stored
    if stored is None:
        made = metadata.campaigns.create(campaign, visit.now, ready.form.description)
        metadata.audit.add(visit.now, visit.account.id, "campaign.created", campaign.id, {"name": made.campaign.name})
        return
    changed = metadata.campaigns.change(campaign, visit.now, ready.form.description)
    detail = {"fields": [one.label for one in _changes(ready)], "version": changed.version, "replaces": stored.version}
    metadata.audit.add(visit.now, visit.account.id, "campaign.changed", campaign.id, detail)


def _changes(ready: _Ready) -> list[Differing]:
    if ready.stored is None or ready.campaign is None:
        return []
    found = differing_definitions(ready.stored.campaign, ready.campaign)
    if ready.form.description != ready.stored.description:
        found.append(Differing("Description", ready.form.description or "–", ready.stored.description or "–"))
    return found


def _effect(web: Web, ready: _Ready) -> Effect | None:
    if not ready.new_version or ready.stored is None or ready.campaign is None or ready.fixed:
        return None
    return effect_of(web, ready.stored, ready.campaign, ready.draft.id)


def _answer(web: Web, visit: Visit, ready: _Ready, problem: str = "", status: int = 200) -> Response:
    view = _view(web, visit, ready, problem)
    return page("create/review.html.j2", visit, f"{view.title}: {LABELS[REVIEW]}", "overview", status, view=view)


def _view(web: Web, visit: Visit, ready: _Ready, problem: str) -> Review:
    draft, stored, form = ready.draft, ready.stored, ready.form
    locks: Locks = locks_of(stored)
    moved_on = ""
    if stored is not None and ready.kept.base_at is not None and stored.updated_at != ready.kept.base_at:
        moved_on = (
            f"The campaign was changed since this change was begun, last on {moment_of(web, stored.updated_at)}. "
            "What you did not touch follows it; below is what you would change about it as it stands now."
        )
    return Review(
        draft=draft.id,
        revision=draft.revision,
        of=draft.of or "",
        title=f"Change {form.title}" if draft.of else form.title,
        step=REVIEW,
        nav=[Nav(step, LABELS[step], step == REVIEW) for step in STEPS],
        action=link("/draft/finish", id=draft.id),
        parts=summary(form, draft.id),
        wrong=[_wrong(one, draft.id) for one in ready.mistakes.found],
        fixed=[f"{one[:1].upper()}{one[1:]}." for one in ready.fixed],
        changes=_changes(ready),
        launched=locks.launched,
        status=stored.status.value if stored else "",
        new_version=ready.new_version,
        effect=_effect(web, ready),
        needed=link("/draft/needed", id=draft.id) if ready.campaign is not None and not locks.launched else "",
        moved_on=moved_on,
        stands_at=stored.updated_at if stored else 0,
        saved=f"Saved by {who(web, visit, draft.updated_by)}, {moment_of(web, draft.updated_at)}.",
        problem=problem,
    )


def _wrong(one: Mistake, draft: str) -> Wrong:
    address = link("/draft", id=draft, step=one.step, check="1", at=one.name) + f"#{one.name}"
    return Wrong(LABELS[one.step], one.sentence, address)
