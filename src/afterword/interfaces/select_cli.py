"""`afterword select`: what Intelligent Selection decides on a campaign's shares."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from afterword.errors import UserError
from afterword.interfaces import options, output
from afterword.interfaces.client import quoted
from afterword.interfaces.reading_cli import asked_directory
from afterword.settings import DATA

if TYPE_CHECKING:
    from afterword.selection.bandit import Decision

HEADINGS = ("variant", "share before", "share", "users", "converted", "still open", "expected rate", "best with")
KEPT = "unchanged"


def select(
    context: typer.Context,
    campaign: options.Campaign,
    apply: Annotated[
        bool, typer.Option("--apply", help="Let the shares be the campaign's at once; needs a data directory.")
    ] = False,
    seed: Annotated[
        int | None,
        typer.Option("--seed", metavar="N", min=0, help="For the random draws. Not set: from campaign and time."),
    ] = None,
    results: options.ResultsDir = Path("./afterword-results"),
    data: options.AskedData = None,
    memory: options.Memory = None,
    metadata: options.MetadataUrl = None,
    as_json: options.AsJson = False,
) -> None:
    """Decide on the shares of a campaign's next send.

    By what users have done so far, open windows allowed for. Of a results directory it is only shown; in a data
    directory the decision is kept, and with --apply its shares are the campaign's from now on.
    """
    directory = asked_directory(context, data)
    if directory is None:
        if apply:
            raise UserError(
                f"--apply changes the shares of a data directory, named with {DATA.option}; those of a definition file "
                "are yours to change"
            )
        found = _over_files(results, campaign, seed)
    else:
        from afterword.interfaces.directory import api_of

        body = {"action": "decide", "apply": apply} | ({} if seed is None else {"seed": seed})
        with api_of(directory, memory=memory, metadata_url=metadata) as api:
            found = api.post(f"/api/campaigns/{quoted(campaign)}/selection", body)["decision"]
    if as_json:
        output.say_json(found)
        return
    _show(found)


def _over_files(results: Path, campaign_id: str, seed: int | None) -> dict[str, Any]:
    from afterword.interfaces.api.parameters import EPOCH
    from afterword.interfaces.decided import told
    from afterword.workspace.results import open_results
    from afterword.workspace.selecting import made

    opened = open_results(results)
    entry = opened.report(campaign_id).json
    definitions = opened.inputs.definitions
    campaign = definitions.campaigns[definitions.index_of(campaign_id)]
    as_of = (datetime.fromisoformat(opened.json["as_of"]) - EPOCH) // timedelta(microseconds=1)
    decision: Decision = made(campaign, entry, as_of, seed)
    return told(decision)


def _show(found: dict[str, Any]) -> None:
    rows = [dict(zip(HEADINGS, _row(one), strict=True)) for one in found["variants"]]
    named = {one["id"] for one in found["variants"]}
    for name, share in found["shares"].items():
        if name not in named:
            rows.append(dict(zip(HEADINGS, (name, f"{share:g} %", KEPT, *[""] * 5), strict=True)))
    output.say_rows(rows)
    output.say(f"\n{found['reason']}")
    if "number" in found:
        became = "its shares stand" if found["applied_at"] else "its shares wait to be accepted"
        output.say(f"Decision {found['number']}, seed {found['seed']}: {became}.")
    else:
        output.say(f"Seed {found['seed']}. Nothing was kept or changed.")


def _row(one: dict[str, Any]) -> tuple[str, ...]:
    best = one["probability_best"]
    return (
        one["id"],
        f"{one['share_before']:g} %",
        f"{one['share']:g} %",
        f"{one['users']:,}",
        f"{one['converted']:,}",
        f"{one['open']:,}",
        f"{100 * one['rate']:.2f} %" if one["users"] else "–",
        "in training" if best is None else f"{100 * best:.1f} %",
    )
