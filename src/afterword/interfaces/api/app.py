"""The application that answers for facts and results, and all that a server answers, described."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from starlette.applications import Starlette
from starlette.routing import BaseRoute

from afterword.interfaces.api import (
    arriving,
    audit_log,
    backups,
    braze_export,
    braze_reading,
    braze_usage,
    breakdowns,
    campaigns,
    changes,
    crediting,
    day_series,
    deletions,
    drafts,
    explorations,
    exports,
    holdouts,
    openapi,
    overview,
    people,
    planning,
    previews,
    rates,
    recomputing,
    seen,
    selection,
    webhooks,
)
from afterword.interfaces.api.application import application
from afterword.interfaces.api.operations import Operation
from afterword.interfaces.api.receiving import TAKING, receiving_routes
from afterword.interfaces.api.server import Answers, Reading, Server
from afterword.interfaces.oidc.pending import Pending
from afterword.interfaces.oidc.provider import Provider
from afterword.interfaces.web.routes import web_routes
from afterword.interfaces.web.visits import Web

ASKING = (
    *campaigns.OPERATIONS,
    *changes.OPERATIONS,
    *webhooks.OPERATIONS,
    *day_series.OPERATIONS,
    *exports.OPERATIONS,
    *explorations.OPERATIONS,
    *crediting.OPERATIONS,
    *overview.OPERATIONS,
    *breakdowns.OPERATIONS,
    *selection.OPERATIONS,
    *planning.OPERATIONS,
    *holdouts.OPERATIONS,
    *braze_reading.OPERATIONS,
    *braze_usage.OPERATIONS,
    *braze_export.OPERATIONS,
    *recomputing.OPERATIONS,
    *backups.OPERATIONS,
    *deletions.OPERATIONS,
    *arriving.OPERATIONS,
    *seen.OPERATIONS,
    *previews.OPERATIONS,
    *people.OPERATIONS,
    *drafts.OPERATIONS,
    *audit_log.OPERATIONS,
    *rates.OPERATIONS,
)
"""What reads facts and results."""
DESCRIPTION = openapi.described([*TAKING, *ASKING])
DESCRIBED: tuple[Operation[Any], ...] = (*TAKING, *ASKING, DESCRIPTION)
"""Everything that a server answers."""


def make_app(server: Server) -> Starlette:
    """Return the whole application in one process."""
    return application(server, [*receiving_routes(server), *reading_routes(server)])


def make_reading_app(server: Reading) -> Starlette:
    """Return the application that answers for facts and results."""
    return application(server, reading_routes(server))


def reading_routes(server: Answers) -> list[BaseRoute]:
    """Return the routes that read facts and results, the pages, and the description of all."""
    operations: tuple[Operation[Answers], ...] = (*ASKING, DESCRIPTION)
    web = Web(server, os.urandom)
    if (oidc := server.policy.oidc) is not None:
        web = replace(web, provider=Provider(oidc), pending=Pending())
    return [*(each.route(server) for each in operations), *web_routes(web)]
