"""The last report of a campaign, for pages: given at once, and counted anew behind them when results have changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from afterword.interfaces.api.campaigns import from_results, launched, must_be_up_to_date
from afterword.interfaces.api.operations import PerServer
from afterword.interfaces.api.server import Answers
from afterword.workspace.latest import Answer, Latest

KEPT = 500
"""Of so many campaigns the last report is kept."""
COUNTED_AT_ONCE = 2

_KEPT = PerServer[Answers, Latest[Mapping[str, Any]]](lambda _server: Latest(KEPT, COUNTED_AT_ONCE))


def latest_report(server: Answers, campaign: str, patience: float) -> Answer[Mapping[str, Any]]:
    """Return a campaign's part of the report with `as_of`, or the last one if a new one takes longer than a moment.

    An older one is of the same definition.

    Args:
        server: has the results.
        campaign: its id.
        patience: how many seconds to wait for a new one.

    Raises:
        Refused: as `from_results`.
        StillMaking: there is none yet.

    """
    stored = launched(server, campaign)
    must_be_up_to_date(server)

    def make() -> Mapping[str, Any]:
        histories = server.data.histories()
        return from_results(
            server, campaign, lambda live, definitions, now: live.campaign(definitions, now, histories, campaign)
        )

    workspace = server.data.metadata.workspace()
    name = (campaign, stored.updated_at, workspace.timezone, workspace.currency)
    return _KEPT.of(server).ask(name, server.data.live.state.version, server.clock, make, patience=patience)
