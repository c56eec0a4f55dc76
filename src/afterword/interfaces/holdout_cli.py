"""`afterword holdout`: keep a part of all people out of all messages, and see what messaging brought."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from afterword.errors import UserError
from afterword.interfaces import options, output
from afterword.interfaces.arguments import percentage

app = typer.Typer(
    name="holdout", help="Make, list and report global holdouts.", no_args_is_help=True, rich_markup_mode=None
)
Name = Annotated[str, typer.Argument(metavar="NAME", help="The name of the holdout.")]


@app.command()
def create(
    name: Name,
    share: Annotated[str, typer.Option("--share", metavar="PERCENT", help="Of all people, from 0.1 to 15.")],
    until: Annotated[str, typer.Option("--until", metavar="TIME", help="When it has ended: a date or a time.")],
    begins: Annotated[str | None, typer.Option("--from", metavar="TIME", help="When it begins. Not set: now.")] = None,
    data: options.DataDir = Path("./afterword-data"),
    memory: options.Memory = None,
    metadata: options.MetadataUrl = None,
    as_json: options.AsJson = False,
) -> None:
    """Keep a part of all people out of all messages.

    From then on `afterword assign` and POST /api/assign give them no variant of any campaign. It cannot be changed.
    """
    from afterword.interfaces.directory import api_of

    body = {"name": name, "share": percentage("--share", share), "from": begins, "until": until}
    with api_of(data, memory=memory, metadata_url=metadata) as api:
        made = api.post("/api/holdouts", body)
    if as_json:
        output.say_json(made)
    else:
        output.say(f"{made['name']} holds out {made['share']:g} % from {made['from']} until {made['until']}.")


@app.command("list")
def list_holdouts(
    data: options.DataDir = Path("./afterword-data"),
    metadata: options.MetadataUrl = None,
    as_json: options.AsJson = False,
) -> None:
    """List the global holdouts."""
    from afterword.interfaces.client import find_server

    # Without a server nothing but the metadata is opened: reading them needs no room on the disk.
    server = find_server(data)
    found = _kept(data, metadata) if server is None else server.get("/api/holdouts")["holdouts"]
    if as_json:
        output.say_json(found)
        return
    output.say_rows(found)
    output.note(output.counted(len(found), "holdout"))


def _kept(data: Path, metadata: str | None) -> list[dict[str, Any]]:
    from afterword.interfaces.api.holdouts import told
    from afterword.interfaces.keys_cli import open_at
    from afterword.interfaces.moments import now

    with open_at(data, metadata, create=False, listing=True) as opened:
        return [told(holdout, now()) for holdout in opened.holdouts.list()]


@app.command()
def report(
    name: Name,
    campaign: Annotated[
        str | None, typer.Option("--campaign", metavar="CAMPAIGN", help="Count what converts on its conversion event.")
    ] = None,
    event: Annotated[
        str | None, typer.Option("--event", metavar="LETTER", help="Of that campaign. Not set: A, the primary.")
    ] = None,
    conversion_event: Annotated[
        str | None,
        typer.Option(
            "--conversion-event", metavar="JSON", help="Count this instead. Without any of these: any purchase."
        ),
    ] = None,
    data: options.DataDir = Path("./afterword-data"),
    memory: options.Memory = None,
    metadata: options.MetadataUrl = None,
    as_json: options.AsJson = False,
) -> None:
    """Report what all messaging brought.

    Over the persons known before the period's end, whether they were messaged or not, by what they did in the period.
    """
    from afterword.interfaces.client import quoted
    from afterword.interfaces.directory import api_of

    if not name or "/" in name:  # as a part of a path it would lead elsewhere
        raise UserError(f'unknown holdout "{name}": the name of a holdout is not empty and has no slash')
    asked = {"campaign": campaign, "event": event, "conversion_event": conversion_event}
    with api_of(data, memory=memory, metadata_url=metadata) as api:
        found = api.get(f"/api/holdouts/{quoted(name)}/report", asked)
    if as_json:
        output.say_json(found)
    else:
        output.say("\n".join(_lines(found)))


def _lines(found: dict[str, Any]) -> list[str]:
    holdout, currency = found["holdout"], found["currency"]
    sides = {"Held out": found["groups"]["held_out"], "Everyone else": found["groups"]["everyone_else"]}
    lines = [
        f"{holdout['name']}: {holdout['share']:g} % held out from {holdout['from']} until {holdout['until']}, "
        f"as of {found['as_of']}",
        "",
        f"{'':15}{'Known':>12}{'Converted':>12}{'Rate':>10}{f'Revenue ({currency})':>20}",
        *(
            f"{label:15}{side['known']:>12,}{side['converted']:>12,}{_percent(side['rate']):>10}{side['revenue']:>20}"
            for label, side in sides.items()
        ),
        "",
        _brought(found["conversions"], "conversions", "fewer", ""),
        _brought(found["revenue"], "revenue", "less", f" {currency}"),
    ]
    left = found["left_out"]
    if any(left.values()):
        lines.append(
            f"Left out: {left['merged_across']:,} of merged ids on both sides, {left['in_other_holdouts']:,} of other "
            "holdouts."
        )
    return [*lines, *(f"Warning: {warning}." for warning in found["warnings"])]


def _brought(of: dict[str, Any], what: str, less: str, unit: str) -> str:
    """Return how much more or less there was than without messaging; no number where there is none."""
    if of["incremental"] is None or None in (of["incremental_interval"] or [None]):
        return f"What messaging changed in {what} cannot be said: too few persons are known on one of the sides."
    decimals = len(of["incremental"].partition(".")[2]) if isinstance(of["incremental"], str) else 0
    middle, low, high = (
        f"{abs(value):,.{decimals}f}{unit} {less if value < 0 else 'more'}"
        for value in (round(float(told), decimals) for told in (of["incremental"], *of["incremental_interval"]))
    )
    were = "was" if unit else "were"
    return f"With messaging there {were} {middle} {what} than without (95 % interval: {low} to {high})."


def _percent(rate: float | None) -> str:
    return "–" if rate is None else f"{rate:.2%}"
