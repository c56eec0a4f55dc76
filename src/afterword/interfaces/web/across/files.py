"""The table of campaigns as a file, exact, and safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from starlette.responses import Response

from afterword.interfaces.web.across.answering import VIEWS
from afterword.interfaces.web.details.grids import FEW
from afterword.interfaces.web.rendering import HEADERS
from afterword.reports.render_csv import guarded
from afterword.store.accounts import Role

NAME = "conversions.csv"


def file_of(told: Mapping[str, Any], role: Role) -> Response:
    """Answer with a row for each campaign and one for what no campaign had; what a role may not see is empty."""
    text = io.StringIO()
    writer = csv.writer(text)
    views = [f"{what}_{view}" for what in ("conversions", "revenue") for view in VIEWS]
    writer.writerow(["campaign_id", "campaign_name", "kind", *views, "currency"])
    for one in told["campaigns"]:
        hidden = [_is_few(one["views"][view]["conversions"], role) for view in VIEWS]
        few = _is_few(one["views"]["every"]["conversions"], role)
        cells = [
            "" if hide or (what == "revenue" and few) else one["views"][view][what]
            for what in ("conversions", "revenue")
            for view, hide in zip(VIEWS, hidden, strict=True)
        ]
        writer.writerow([guarded(one["id"]), guarded(one["name"]), one["kind"], *cells, told["currency"]])
    total = told["total"]
    for name in ("touched", "untouched"):
        few = _is_few(total[name], role)
        conversions, revenue = ("", "") if few else (total[name], total[f"revenue_{name}"]["amount"])
        both = [conversions] * len(VIEWS) + [revenue] * len(VIEWS)
        writer.writerow(["", "", name, *both, told["currency"]])
    headers = {**HEADERS, "content-disposition": f'attachment; filename="{NAME}"'}
    return Response(text.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


def _is_few(count: str | int, role: Role) -> bool:
    return 0 < Decimal(count) < FEW and not role.includes(Role.ANALYST)
