"""The last answers about a campaign, for pages: given at once, and counted anew behind them when results have changed.

They are numbers: nothing is kept here that says who somebody is, so nobody need be erased from it (rule 36).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any, TypeVar, cast

from afterword.interfaces.api.campaigns import from_results, launched, must_be_up_to_date
from afterword.interfaces.api.operations import PerServer
from afterword.interfaces.api.server import Answers
from afterword.model import Definitions
from afterword.workspace.latest import Answer, Latest
from afterword.workspace.live import Live

KEPT = 500
"""So many answers are kept."""
COUNTED_AT_ONCE = 2
T = TypeVar("T")

_KEPT = PerServer[Answers, Latest[Any]](lambda server: Latest(KEPT, COUNTED_AT_ONCE, server.data.precedence))


def latest_report(server: Answers, campaign: str, patience: float) -> Answer[Mapping[str, Any]]:
    """Return a campaign's part of the report with `as_of`; see `latest`."""

    def ask(live: Live, definitions: Definitions, now: int) -> Mapping[str, Any]:
        return live.campaign(definitions, now, server.data.histories(), campaign)

    return latest(server, campaign, "report", patience, ask)


def latest(
    server: Answers, campaign: str, what: Hashable, patience: float, ask: Callable[[Live, Definitions, int], T]
) -> Answer[T]:
    """Return an answer about a campaign, or the last one if a new one takes longer than a moment.

    An older one is of the same definition.

    Args:
        server: has the results.
        campaign: its id.
        what: is asked; anything else than the same thing is another question.
        patience: how many seconds to wait for a new one.
        ask: given the results, the definitions and the time.

    Raises:
        Refused: as `from_results`.
        StillMaking: there is none yet.

    """
    stored = launched(server, campaign)
    must_be_up_to_date(server)
    workspace = server.data.metadata.workspace()
    name = (what, campaign, stored.updated_at, workspace.timezone, workspace.currency)
    answer = _KEPT.of(server).ask(
        name,
        server.data.live.state.version,
        server.clock,
        lambda: from_results(server, campaign, ask),
        patience=patience,
    )
    return cast(Answer[T], answer)
