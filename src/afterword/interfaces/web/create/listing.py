"""Drafts on the overview: what was begun, by whom, and when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from afterword.errors import UserError
from afterword.interfaces.web import words
from afterword.interfaces.web.create.form import Kept
from afterword.interfaces.web.create.people import moment_in, who
from afterword.interfaces.web.links import link
from afterword.interfaces.web.visits import Visit, Web


@dataclass(frozen=True, slots=True)
class Begun:
    """A draft."""

    title: str
    about: str
    resume: str
    discard: str


def begun(web: Web, visit: Visit) -> Sequence[Begun]:
    """Return the drafts, the last changed first; none for who cannot go on with them."""
    if not visit.role.includes(words.EDITOR):
        return ()
    found, names, zone = [], dict[str, str](), web.server.data.metadata.workspace().timezone
    for one in web.server.data.metadata.drafts.list():
        what = f'Change of "{one.of}"' if one.of else "New campaign"
        if one.updated_by not in names:
            names[one.updated_by] = who(web, visit, one.updated_by)
        about = f"{what}, saved by {names[one.updated_by]}, {moment_in(zone, one.updated_at)}"
        try:
            title = Kept.from_document(one.document).form.title
        except UserError:  # made over the API, where anything can be kept
            title = str(one.document.get("name") or one.id)
        found.append(Begun(title, about, link("/draft", id=one.id, step="review"), link("/draft/discard", id=one.id)))
    return found
