"""Who is to be erased, in Afterword's own dialect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from afterword.intake import steps
from afterword.intake.accepted import Accepted, Deletion
from afterword.intake.bodies import SPOILED, Body, RequestError, check_text
from afterword.intake.steps import Draft, draft_of

EXPECTED = "a JSON object with user_ids, a list"
LEAVES = ("counts", "nothing")
MAX_USERS = 1_000


@dataclass(frozen=True, slots=True)
class Deletions:
    """What became of a request to erase persons."""

    accepted: Accepted

    @property
    def status(self) -> int:
        """The status of the answer: 400 if nobody is named."""
        return 201 if self.accepted.deletions else 400

    @property
    def answer(self) -> dict[str, Any]:
        """How many persons will be erased, and which ids cannot be read."""
        rejected = self.accepted.rejected
        return {
            "deleted": len(self.accepted.deletions),
            "message": "success" if self.accepted.deletions else "nobody is named: user_ids must be a list of ids",
            "rejected": [{"item": one.item, "reason": one.reason.value, "message": one.message} for one in rejected],
        }


def read_deletions(body: bytes) -> Deletions:
    """Read the body of `POST /api/users/delete`: `user_ids`, and with `leave` what stays of their facts."""
    parts = Body(check_text(body), EXPECTED)
    fields = parts.fields()
    items = parts.array(fields, "user_ids")
    if items is None:
        raise RequestError("user_ids is missing, must be a list of ids")
    if len(items) > MAX_USERS:
        raise RequestError(f"user_ids has {len(items)} ids, must be at most {MAX_USERS}: send them in parts")
    leave = _leave(Draft(fields))
    accepted = Accepted()
    for item, raw in enumerate(items):
        draft = Draft({"user_id": raw}) if raw is not SPOILED else draft_of(raw)
        draft.need("user_id")
        user = steps.identifier(draft, "user_id")
        if draft.faults or user is None:
            accepted.rejected.append(draft.rejected(item, "deletions"))
        else:
            accepted.deletions.append(Deletion(item, user, leave))
    return Deletions(accepted)


def _leave(draft: Draft) -> str:
    field = draft["leave"]
    if field is None:
        return LEAVES[0]
    if not field.is_text or field.text not in LEAVES:
        raise RequestError(f"leave is {field.shown}, must be one of {', '.join(LEAVES)}")
    return field.text
