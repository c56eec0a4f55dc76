"""`afterword doctor --aa`: how often one's own data lead to a verdict by chance."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from afterword.interfaces import output
from afterword.interfaces.client import quoted
from afterword.interfaces.progress import Meter
from afterword.model import Campaign, Counting, WinnerRule

if TYPE_CHECKING:
    from afterword.selection.permuting import Outcomes, Permuted
    from afterword.workspace.inputs import Inputs

PERMUTATIONS = 1_000
TOLD = ("kind", "description", "status", "version", "created_at", "updated_at", "launched_at", "redefined")
"""What the API says of a campaign besides its definition."""


def permute(
    campaign: str,
    results: Path,
    data: Path | None,
    seed: int,
    memory: str | None,
    metadata: str | None,
    as_json: bool,
) -> None:
    """Do what `afterword doctor --aa` does: over a data directory, or where `data` is None a results directory."""
    from afterword.workspace.verdicts import permute as permute_labels

    with _asked(campaign, results, data, memory, metadata) as (report, definition, outcomes):
        found = permute_labels(report, definition, permutations=PERMUTATIONS, seed=seed, outcomes=outcomes)
        plan = definition.analysis
        alpha = None if plan.rule is WinnerRule.CHI_SQUARED else float(plan.alpha)
    if as_json:
        output.say_json({"campaign": campaign, "seed": seed, "alpha": alpha, **asdict(found)})
    else:
        output.say("\n".join(_lines(campaign, seed, alpha, found)))


def _lines(campaign: str, seed: int, alpha: float | None, found: Permuted) -> Iterator[str]:
    promised = "the chi-squared rule promises nothing" if alpha is None else f"at most {alpha:.1%} is promised"
    users, days = output.counted(found.users, "user"), output.counted(found.days, "day")
    yield f"{campaign}: the labels of {users} over {days} dealt out anew {found.permutations:,} times (seed {seed})"
    yield f"  the verdict names a variant        {found.verdict:6.1%}  ({promised})"
    yield f"  the plain test, looked at daily    {found.plain_daily:6.1%}"
    yield f"  the plain test, once at the end    {found.plain_once:6.1%}"
    yield "Between labels dealt out anew there is no difference: all of these are found by chance."


@contextmanager
def _asked(
    campaign: str, results: Path, data: Path | None, memory: str | None, metadata: str | None
) -> Iterator[tuple[Any, Campaign, Outcomes | None]]:
    """Give a report with the campaign, its definition, and where persons are several units, how each fared."""
    if data is None:
        from afterword.workspace.results import open_results

        opened = open_results(results)
        opened.report(campaign)  # says which campaign is nearest where there is none of this name
        definitions = opened.inputs.definitions
        definition = definitions.campaigns[definitions.index_of(campaign)]
        yield opened.json, definition, _outcomes(opened.inputs, definition)
        return
    from afterword.interfaces.directory import api_of
    from afterword.store.campaign_forms import from_document

    with api_of(data, memory=memory, metadata_url=metadata) as api:
        report = api.get(f"/api/campaigns/{quoted(campaign)}/report")
        told = api.get(f"/api/campaigns/{quoted(campaign)}")
        definition = from_document(told["kind"], {name: value for name, value in told.items() if name not in TOLD})
        yield report, definition, None


def _outcomes(inputs: Inputs, campaign: Campaign) -> Outcomes | None:
    if campaign.counting is Counting.ONCE_PER_USER or not campaign.conversion_events:
        return None
    from afterword.workspace.outcomes import primary_outcomes

    with Meter() as meter:
        return primary_outcomes(inputs, campaign.id, meter)
