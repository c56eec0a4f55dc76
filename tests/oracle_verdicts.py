"""Why did a user convert, or not? A naive reading of rule 39.

Every conversion event and exposure gets all the verdicts that are true of it, and the first in the order of the rule
is given. How each verdict is read for an exposure X of a conversion event:

- `converted`: an event converted and is credited to X.
- `already_converted`: the unit of the counting converted before X, by an earlier exposure.
- `pending`: X is the latest, its window is open at `as_of`, and the unit has not converted.
- `trigger_excluded`: an event that meets the definition triggered X and is not earlier than X by its own time.
- `credited_to_later_exposure`: an event that meets the definition lies in X's window, but after a later exposure.
- `not_an_upgrade`, `no_earlier_version`, `filter_not_met`: such an event lies in X's window (`oracle_matching.match`).
- `too_late`, `before_exposure`: an event that meets the definition came after the window of X, or before X.
- `no_event`: nothing of that. `not_exposed`: the user has no exposure at all to the campaign.
"""

from __future__ import annotations

from afterword.model import LETTERS, ConversionEvent, Counting
from tests.oracle import Answer, Scope, exposed, window_end
from tests.oracle_counts import is_open
from tests.oracle_facts import EventFact, ExposureFact
from tests.oracle_matching import Match, match

ORDER = (
    "converted",
    "already_converted",
    "pending",
    "trigger_excluded",
    "credited_to_later_exposure",
    "not_an_upgrade",
    "no_earlier_version",
    "filter_not_met",
    "too_late",
    "before_exposure",
    "no_event",
    "not_exposed",
)


def verdicts(found: Answer, user_id: str, campaign_id: str) -> dict[str, dict[str, str]]:
    """Give the verdict of every exposure of the person: {letter: {exposure id: verdict}}."""
    person = found.log.person(user_id)
    scopes = [s for s in found.scopes if s.campaign.id == campaign_id and s.person == person]
    campaign = next(c for c in found.definitions.campaigns if c.id == campaign_id)
    return {
        letter: {x.id: _verdict(found, scope, letter, definition, x) for scope in scopes for x in scope.exposures}
        for letter, definition in zip(LETTERS, campaign.conversion_events, strict=False)
    }


def overall(by_exposure: dict[str, str]) -> str:
    """The verdict of a conversion event: the first, in the order of the rule, of its exposures' verdicts."""
    return min(by_exposure.values(), key=ORDER.index, default="not_exposed")


def _verdict(found: Answer, scope: Scope, letter: str, definition: ConversionEvent, x: ExposureFact) -> str:
    true = {"no_event"}
    others = {e.id: e for e in scope.exposures}
    per_exposure = scope.campaign.counting is Counting.ONCE_PER_EXPOSURE
    conversions = [c for c in scope.conversions if c.letter == letter]
    if any(c.exposure_id == x.id for c in conversions):
        return "converted"
    if not per_exposure and any(exposed(others[c.exposure_id]) < exposed(x) for c in conversions):
        true.add("already_converted")
    if is_open(found, scope, x, definition.deadline_seconds) and (per_exposure or not conversions):
        true.add("pending")
    for event in scope.events:
        near = match(definition, scope.campaign, event, scope.all_events)
        if near is Match.MEETS:
            true.add(_where(scope, definition, x, event))
        elif near is not Match.NOTHING and _inside(scope, definition, x, event):
            true.add(near.value)
    return min(true, key=ORDER.index)


def _inside(scope: Scope, definition: ConversionEvent, x: ExposureFact, event: EventFact) -> bool:
    place = scope.place(event)
    return place > exposed(x) and place[0] <= window_end(x, definition.deadline_seconds)


def _where(scope: Scope, definition: ConversionEvent, x: ExposureFact, event: EventFact) -> str:
    """Say why an event that meets the definition did not convert `x`."""
    place = scope.place(event)
    if place > exposed(x):
        if not _inside(scope, definition, x, event):
            return "too_late"
        # What is credited to `x` itself and did not convert had been converted before, which comes first.
        return "credited_to_later_exposure" if scope.latest(place) != x else "already_converted"
    if x.trigger_event_id == event.id and event.at >= x.at:
        return "trigger_excluded"
    return "before_exposure"
