"""What reports exposures to this campaign, ready to copy."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from afterword.interfaces.web.create.defining import channels_of
from afterword.interfaces.web.create.form import Form


@dataclass(frozen=True, slots=True)
class Snippet:
    """Something to copy."""

    id: str
    title: str
    about: str
    text: str


def snippets(form: Form, now: int) -> Sequence[Snippet]:
    """Return what fits the campaign, with its own ids and times of now (epoch microseconds)."""
    at = datetime.fromtimestamp(now // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:00Z")
    id_ = form.id or "CAMPAIGN"
    variant = form.variants[0].id if form.variants else "a"
    channels = channels_of(form)
    exposure: dict[str, Any] = {"user_id": "ann", "campaign_id": id_, "variant_id": variant}
    exposure |= {"channel": channels[0]} if channels else {}
    exposure["exposed_at"] = at
    assign: dict[str, Any] = {"campaign_id": id_, "users": ["ann", "ben"], "record": True}
    assign |= {"channel": channels[0]} if channels else {}
    columns = "user_id,campaign_id,variant_id,channel,exposed_at"
    row = ",".join(_cell(one) for one in ("ann", id_, variant, channels[0] if channels else "", exposure["exposed_at"]))
    found = [
        Snippet(
            "assign",
            "Ask who gets which variant, and record it",
            "The call answers with a variant for each user and reports them as exposed in the same moment. "
            "Send nothing to those in control. Works once the campaign is measured.",
            _curl("/api/assign", assign),
        ),
        Snippet(
            "exposures",
            "Report who was exposed",
            "If another system has chosen the variants: report everyone, control too, at the moment at which the "
            "message was or would have been sent.",
            _curl("/api/exposures", {"exposures": [exposure]}),
        ),
        Snippet(
            "files",
            "Bring files",
            "CSV, NDJSON or Parquet with these columns. What was imported once is not counted twice.",
            f"cat exposures.csv\n{columns}\n{row}\n\nafterword import --exposures exposures.csv --data DATA_DIRECTORY",
        ),
        Snippet(
            "segment",
            "What people do, from Segment",
            "Point Segment's library at this server, with a key that has `segment.write`, for the events that convert. "
            "Exposures come by one of the ways above.",
            'from segment.analytics.client import Client\nclient = Client("KEY", host="https://YOUR-AFTERWORD")\n'
            'client.track("ann", "added_to_cart", {"sku": "tea"})',
        ),
        Snippet(
            "braze",
            "What people do, from what reports to Braze",
            "The same calls, with another address and a key that has `users.track`. Exposures come by one of the "
            "ways above.",
            _curl(
                "/users/track",
                {"events": [{"external_id": "ann", "name": "added_to_cart", "time": at}]},
                content=True,
            ),
        ),
    ]
    if form.kind == "canvas":
        step = form.steps[0].id if form.steps else "STEP"
        message = {"user_id": "ann", "campaign_id": id_, "step_id": step, "received_at": at}
        found.insert(
            2,
            Snippet(
                "steps",
                "Report the messages of the steps",
                "An exposure is the entry; each message of a step is reported when it was sent, so that "
                "steps earn their credit.",
                _curl("/api/step-messages", {"step_messages": [message]}),
            ),
        )
    return found


def _curl(path: str, body: dict[str, Any], *, content: bool = False) -> str:
    kind = " \\\n  -H 'Content-Type: application/json'" if content else ""
    text = shlex.quote(json.dumps(body, ensure_ascii=False))
    return f'curl "$AFTERWORD{path}" -H "Authorization: Bearer $KEY"{kind} \\\n  -d {text}'


def _cell(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if any(one in text for one in ',"\n\r') else text
