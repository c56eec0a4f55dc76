"""What editors do to a campaign as a whole: launch, stop, archive, bring back, duplicate, change, discard a draft."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from starlette.responses import Response

from afterword.interfaces.api.faults import Refused, bad_request
from afterword.interfaces.web.create.form import Kept, copy_of
from afterword.interfaces.web.create.pages import editable, find
from afterword.interfaces.web.create.people import moment_of, who
from afterword.interfaces.web.links import link
from afterword.interfaces.web.rendering import go, page
from afterword.interfaces.web.visits import Visit, Web
from afterword.store.campaign_rules import noun
from afterword.store.campaigns import CampaignRefused, Campaigns, StoredCampaign, UnknownCampaign

SURE = "sure"
"""The field of a form that has asked."""
Move = Callable[[Campaigns, str, int], StoredCampaign]


@dataclass(frozen=True, slots=True)
class Moving:
    """A way to move a campaign."""

    title: str
    about: str
    button: str
    action: str
    """As the audit log has it."""
    move: Move
    danger: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """A question before something is done."""

    title: str
    name: str
    about: str
    button: str
    address: str
    back: str
    danger: bool


MOVES = {
    "launch": Moving(
        "Start measuring",
        "From now on its numbers are shown and Afterword assigns variants. Exposures that came before count too. The "
        "share of control, the variants and the analysis plan are fixed from the first start on.",
        "Start measuring",
        "campaign.launched",
        Campaigns.launch,
    ),
    "stop": Moving(
        "Stop",
        "Afterword assigns nobody any more. Results stay, and go on counting what the open windows still bring. It can "
        "be started again.",
        "Stop",
        "campaign.stopped",
        Campaigns.stop,
        danger=True,
    ),
    "archive": Moving(
        "Archive",
        "It disappears from the overview. Results stay, and it can be brought back.",
        "Archive",
        "campaign.archived",
        Campaigns.archive,
        danger=True,
    ),
    "unarchive": Moving(
        "Bring back",
        "It is on the overview again, as stopped or, if it never ran, as a draft.",
        "Bring back",
        "campaign.unarchived",
        Campaigns.unarchive,
    ),
}


def ask_to(name: str) -> Callable[[Web, Visit], Response]:
    """Return the page that asks whether a campaign is to be moved."""

    def ask(web: Web, visit: Visit) -> Response:
        stored, moving = _campaign(web, visit), MOVES[name]
        return _ask(visit, moving.title, stored, moving.about, moving.button, name, danger=moving.danger)

    return ask


def move(name: str) -> Callable[[Web, Visit], Response]:
    """Return what moves a campaign."""

    def act(web: Web, visit: Visit) -> Response:
        if moving_asks(name) and visit.sent(SURE) != "yes":
            return ask_to(name)(web, visit)
        stored, moving, metadata = _campaign(web, visit), MOVES[name], web.server.data.metadata
        try:
            after = moving.move(metadata.campaigns, stored.campaign.id, visit.now)
        except CampaignRefused as error:
            raise Refused(409, f"{str(error)[:1].upper()}{str(error)[1:]}.") from None
        if after.status is not stored.status:
            detail = {"from": stored.status.value, "version": after.version}
            metadata.audit.add(visit.now, visit.account.id, moving.action, stored.campaign.id, detail)
        return go(link("/campaign", id=stored.campaign.id))

    return act


def moving_asks(name: str) -> bool:
    """Return whether a move is asked about before it is made; bringing back harms nothing."""
    return name != "unarchive"


def duplicate(web: Web, visit: Visit) -> Response:
    """Begin a draft that is like a campaign."""
    stored = _campaign(web, visit)
    drafts = web.server.data.metadata.drafts
    draft = drafts.create(Kept(copy_of(stored)).to_document(), visit.account.id, visit.now, web.chance)
    audit = web.server.data.metadata.audit
    audit.add(visit.now, visit.account.id, "campaign.duplicated", stored.campaign.id, {"draft": draft.id})
    return go(link("/draft", id=draft.id, step="basics"))


def ask_to_change(web: Web, visit: Visit) -> Response:
    """Say what a change is, and show those that were begun."""
    stored = _campaign(web, visit)
    begun = [one for one in web.server.data.metadata.drafts.list() if one.of == stored.campaign.id]
    changes = [
        (
            link("/draft", id=one.id, step="review"),
            f"Begun or changed by {who(web, visit, one.updated_by)}, {moment_of(web, one.updated_at)}",
        )
        for one in begun
    ]
    about = (
        "Conversion events and counting can change: results are then computed again over everything that was reported, "
        "and you see the effect before anything is adopted. The share of control, the variants that there are and the "
        "analysis plan are fixed."
        if stored.launched_at is not None
        else "It was not started yet, so everything but its id can change."
    )
    return _ask(visit, "Change", stored, about, "Begin a change", "edit", changes=changes)


def begin_change(web: Web, visit: Visit) -> Response:
    """Begin a draft of a campaign."""
    stored = _campaign(web, visit)
    form = editable(stored)
    document = Kept(form, form, stored.updated_at).to_document()
    drafts = web.server.data.metadata.drafts
    draft = drafts.create(document, visit.account.id, visit.now, web.chance, of=stored.campaign.id)
    return go(link("/draft", id=draft.id, step="events" if stored.launched_at is not None else "basics"))


def ask_to_discard(web: Web, visit: Visit) -> Response:
    """Ask whether a draft is to be thrown away."""
    draft = find(web, visit.must_ask("id"))
    form = Kept.from_document(draft.document).form
    by = who(web, visit, draft.updated_by)
    about = f"What was typed is gone then, for everyone. It was saved last by {by}, {moment_of(web, draft.updated_at)}."
    back = link("/draft", id=draft.id, step="review")
    asked = Asked("Discard the draft", form.title, about, "Discard", link("/draft/discard", id=draft.id), back, True)
    return page("create/ask.html.j2", visit, asked.title, "overview", asked=asked, changes=[])


def discard(web: Web, visit: Visit) -> Response:
    """Throw a draft away."""
    draft = find(web, visit.must_ask("id"))
    metadata = web.server.data.metadata
    metadata.drafts.delete(draft.id)
    detail = {"name": Kept.from_document(draft.document).form.title, "of": draft.of}
    metadata.audit.add(visit.now, visit.account.id, "draft.discarded", draft.id, detail)
    return go("/")


def _campaign(web: Web, visit: Visit) -> StoredCampaign:
    name = visit.form.get("id", [""])[-1] or visit.asked("id")  # an id may begin or end with white space
    if not name:
        raise bad_request('the address lacks "id"')
    try:
        return web.server.data.metadata.campaigns.get(name)
    except UnknownCampaign as error:
        raise Refused(404, f"{str(error)[:1].upper()}{str(error)[1:]}.") from None


def _ask(
    visit: Visit,
    title: str,
    stored: StoredCampaign,
    about: str,
    button: str,
    name: str,
    *,
    danger: bool = False,
    changes: list[tuple[str, str]] | None = None,
) -> Response:
    campaign = stored.campaign
    back = link("/campaign", id=campaign.id) if stored.launched_at is not None else "/"
    title = f"{title}: {noun(campaign)}"
    asked = Asked(title, campaign.name, about, button, link(f"/campaign/{name}", id=campaign.id), back, danger)
    return page("create/ask.html.j2", visit, asked.title, "overview", asked=asked, changes=changes or [])
