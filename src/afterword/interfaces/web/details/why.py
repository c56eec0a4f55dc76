"""Why did this user convert, or not (rule 39)? For analysts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response

from afterword.attribution.explain import Verdict
from afterword.interfaces.api.campaigns import from_results
from afterword.interfaces.web import written
from afterword.interfaces.web.details.grids import named
from afterword.interfaces.web.details.page import find
from afterword.interfaces.web.details.timeline import Timeline, timeline
from afterword.interfaces.web.links import link
from afterword.interfaces.web.rendering import page, part
from afterword.interfaces.web.visits import Visit, Web
from afterword.model import LETTERS, Campaign
from afterword.reports.charts import shortened
from afterword.workspace.story import Explanation, Story

TEXT_LETTERS = 600
FACTS = 1_000
"""So many facts are listed; who has more is hardly a person."""
VERDICTS = {
    Verdict.CONVERTED: "Converted",
    Verdict.ALREADY_CONVERTED: "Had converted already",
    Verdict.PENDING: "Pending",
    Verdict.TRIGGER_EXCLUDED: "The event that triggered the message",
    Verdict.CREDITED_TO_LATER_EXPOSURE: "Counts for a later exposure",
    Verdict.NOT_AN_UPGRADE: "Not an upgrade",
    Verdict.NO_EARLIER_VERSION: "No earlier version known",
    Verdict.FILTER_NOT_MET: "Not what was asked for",
    Verdict.TOO_LATE: "Too late",
    Verdict.BEFORE_EXPOSURE: "Before the exposure",
    Verdict.NO_EVENT: "Nothing of this kind",
    Verdict.NOT_EXPOSED: "Never exposed",
}


@dataclass(frozen=True, slots=True)
class Judged:
    """The verdict on one exposure."""

    exposure: str
    verdict: str
    code: str
    tone: str
    text: str


@dataclass(frozen=True, slots=True)
class Letter:
    """One conversion event: the verdict over all exposures, and on each."""

    letter: str
    title: str
    verdict: str
    code: str
    tone: str
    exposures: Sequence[Judged]


@dataclass(frozen=True, slots=True)
class Fact:
    """A row of the table behind the drawing."""

    at: str
    what: str
    text: str
    id: str


@dataclass(frozen=True, slots=True)
class Other:
    """Another campaign of this user."""

    name: str
    address: str


@dataclass(frozen=True, slots=True)
class Why:
    """The page."""

    campaign: str
    id: str
    back: str
    user: str
    shown: str
    again: str = ""
    """Where the story is told; empty where it has been."""
    told: bool = False
    person: str = ""
    """The id into which this one was merged; empty if it was not."""
    unknown: str = ""
    exposed: bool = False
    as_of: str = ""
    letters: Sequence[Letter] = ()
    drawing: Timeline | None = None
    facts: Sequence[Fact] = ()
    left_out: int = 0
    """Facts beyond those that are listed."""
    rejected: int = 0
    others: Sequence[Other] = ()


def show(web: Web, visit: Visit) -> Response:
    """Tell a user's story; who looked at whom is noted."""
    campaign = find(web, visit.must_ask("id")).campaign
    user = visit.asked("user").strip()
    if not user or not (visit.part or visit.asked("whole")):
        return page("why.html.j2", visit, "Why?", "overview", view=_nothing_told(campaign, user))
    story = from_results(
        web.server, campaign.id, lambda live, definitions, now: live.explain(definitions, now, campaign.id, user)
    )
    others = from_results(web.server, campaign.id, lambda live, definitions, _: live.campaigns_of(definitions, user))
    names = {one.id: one.name or one.id for one in web.server.data.definitions().campaigns}
    web.server.data.metadata.audit.add(visit.now, visit.account.id, "user.explained", campaign.id, {}, user_id=user)
    view = _why(
        campaign, story, [Other(named(names[one])[0], _address(one, user)) for one in others if one != campaign.id]
    )
    if visit.part:
        return part("why_part.html.j2", visit, view=view)
    return page("why.html.j2", visit, "Why?", "overview", 404 if story.unknown else 200, view=view)


def _address(campaign: str, user: str) -> str:
    return link("/campaign/why", id=campaign, user=user)


def _nothing_told(campaign: Campaign, user: str) -> Why:
    """Return the page before anything of the user was read: among many facts that takes a moment."""
    return Why(
        campaign=named(campaign.name or campaign.id)[0],
        id=campaign.id,
        back=link("/campaign", id=campaign.id),
        user=user,
        shown=named(user)[0] if user else "",
        again=link("/campaign/why", id=campaign.id, user=user, whole="1"),
    )


def _why(campaign: Campaign, story: Story, others: Sequence[Other]) -> Why:
    deadlines = {
        letter: event.deadline_seconds for letter, event in zip(LETTERS, campaign.conversion_events, strict=False)
    }
    name, _ = named(campaign.name or campaign.id)
    return Why(
        campaign=name,
        id=campaign.id,
        back=link("/campaign", id=campaign.id),
        user=story.user,
        shown=named(story.user)[0],
        told=True,
        person="" if story.person == story.user else named(story.person)[0],
        unknown=shortened(story.unknown, TEXT_LETTERS) if story.unknown else "",
        exposed=any(one.what == "exposure" for one in story.entries),
        as_of=written.moment(story.as_of),
        letters=[_letter(story, letter) for letter in story.conversion_events],
        drawing=timeline(story, deadlines),
        facts=[
            Fact(
                written.exact(one.at),
                one.what.replace("_", " "),
                shortened(one.text, TEXT_LETTERS),
                named(one.id or "")[0],
            )
            for one in story.entries[:FACTS]
        ],
        left_out=max(0, len(story.entries) - FACTS),
        rejected=story.rejected,
        others=others,
    )


def _letter(story: Story, letter: str) -> Letter:
    overall = story.overall[letter]
    return Letter(
        letter,
        shortened(story.conversion_events[letter], TEXT_LETTERS),
        VERDICTS[overall],
        overall.value,
        _tone(overall),
        [
            Judged(
                named(_exposure(each))[0],
                VERDICTS[each.verdict],
                each.verdict.value,
                _tone(each.verdict),
                shortened(each.text, TEXT_LETTERS),
            )
            for each in story.verdicts
            if each.conversion_event == letter
        ],
    )


def _tone(verdict: Verdict) -> str:
    return "good" if verdict is Verdict.CONVERTED else "muted"


def _exposure(judged: Explanation) -> str:
    """Return the exposure's name, which begins with its time, as the reader writes times."""
    if judged.exposed_at is None:
        return ""
    return written.exact(judged.exposed_at) + judged.exposure.removeprefix(judged.exposed_at)
