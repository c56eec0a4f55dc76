"""The workspace, its holdouts, and how far the erasing of deleted persons is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response

from afterword.errors import UserError
from afterword.interfaces.api.deletions import status_of
from afterword.interfaces.api.faults import Refused
from afterword.interfaces.api.holdouts import create_holdout, told
from afterword.interfaces.web import written
from afterword.interfaces.web.rendering import go
from afterword.interfaces.web.settings.tabs import settings_page
from afterword.interfaces.web.visits import Visit, Web
from afterword.model import Workspace
from afterword.reports import wording


@dataclass(frozen=True, slots=True)
class Place:
    """Time zone and currency."""

    timezone: str
    currency: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class Held:
    """A holdout."""

    name: str
    share: str
    begins: str
    ends: str
    state: str


@dataclass(frozen=True, slots=True)
class Holdouts:
    """All of them, and the form for another."""

    holdouts: Sequence[Held]
    name: str = ""
    share: str = "5"
    until: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Deletions:
    """How far the erasing of deleted persons is."""

    persons: str
    stage: str
    since: str
    due: str
    failure: str


def show(web: Web, visit: Visit) -> Response:
    """Show time zone and currency."""
    workspace = web.server.data.metadata.workspace()
    return _place(visit, Place(workspace.timezone, workspace.currency))


def change(web: Web, visit: Visit) -> Response:
    """Set time zone and currency."""
    metadata = web.server.data.metadata
    typed = Workspace(visit.sent("timezone"), visit.sent("currency").upper())
    try:
        kept = metadata.set_workspace(typed, visit.now)
    except UserError as error:
        return _place(visit, Place(typed.timezone, typed.currency, str(error)), 400)
    detail = {"timezone": kept.timezone, "currency": kept.currency}
    metadata.audit.add(visit.now, visit.account.id, "workspace.changed", "workspace", detail)
    return go("/settings")


def show_holdouts(web: Web, visit: Visit) -> Response:
    """Show the holdouts."""
    return settings_page("settings_holdouts.html.j2", visit, "Holdouts", view=Holdouts(_holdouts(web, visit)))


def make_holdout(web: Web, visit: Visit) -> Response:
    """Make a holdout, which cannot be changed afterwards."""
    name, share, until = visit.sent("name"), visit.sent("share"), visit.sent("until")
    try:
        said = {"name": name, "share": _share(share), "until": until or None}
        made = create_holdout(web.server, said)
    except (Refused, UserError) as error:
        view = Holdouts(_holdouts(web, visit), name, share, until, str(error))
        return settings_page("settings_holdouts.html.j2", visit, "Holdouts", 400, view=view)
    web.server.data.metadata.audit.add(visit.now, visit.account.id, "holdout.created", made.name, {"share": share})
    return go("/settings/holdouts")


def show_deletions(web: Web, visit: Visit) -> Response:
    """Show how far it is."""
    status = status_of(web.server)
    view = Deletions(
        persons=written.number(status["deletions"]),
        stage=str(status["stage"]).replace("_", " "),
        since=written.moment(status["since"]) if status["since"] else wording.NOTHING,
        due=written.moment(status["due"]) if status["due"] else wording.NOTHING,
        failure=status["failure"] or "",
    )
    return settings_page("settings_deletions.html.j2", visit, "Deletions", view=view)


def erase_now(web: Web, visit: Visit) -> Response:
    """Rid log and files of deleted persons now."""
    web.server.data.cleaning.ask()
    web.server.data.metadata.audit.add(visit.now, visit.account.id, "deletions.asked", "workspace", {})
    return go("/settings/deletions")


def _place(visit: Visit, view: Place, status: int = 200) -> Response:
    return settings_page("settings_workspace.html.j2", visit, "Workspace", status, view=view)


def _share(text: str) -> float | str:
    try:
        return float(text.removesuffix("%").strip())
    except ValueError:
        return text


def _holdouts(web: Web, visit: Visit) -> list[Held]:
    found = [told(one, visit.now) for one in web.server.data.metadata.holdouts.list()]
    return [
        Held(
            name=one["name"],
            share=written.rewritten(f"{one['share']:g}{wording.NARROW}%"),
            begins=written.moment(one["from"]),
            ends=written.moment(one["until"]),
            state=one["state"].title(),
        )
        for one in found
    ]
