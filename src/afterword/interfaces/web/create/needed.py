"""How many users each variant needs, by what people did in the last 30 days without any message."""

from __future__ import annotations

from afterword.interfaces.api.seen import shares_of
from afterword.interfaces.web import written
from afterword.interfaces.web.visits import Web
from afterword.model import Campaign


def needed_for(web: Web, campaign: Campaign) -> str:
    """Return it in a sentence; nothing where no rate is known, or there is nothing to compare."""
    # No page but this one has a use for what makes plans.
    from afterword.selection.sized import sentences
    from afterword.selection.sizing import CannotPlan, Wish, sized, terms_of

    try:
        terms = terms_of(campaign)
        found = shares_of(web.server, campaign.conversion_events)
        did = found.users[0]
        if not did or did >= found.seen:
            return ""
        said = sentences(sized(terms, Wish(rate=did / found.seen), "seen"))[0]
    except CannotPlan:
        return ""
    return written.sentence(said, [arm.name for arm in terms.arms])
