"""`afterword plan`: how many users and days a difference takes, and what the users that there are can show."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from afterword.errors import UserError
from afterword.interfaces import options, output
from afterword.interfaces.arguments import percentage
from afterword.interfaces.client import quoted
from afterword.interfaces.reading_cli import asked_directory, is_said
from afterword.model import PlanKind

if TYPE_CHECKING:
    from afterword.selection.sizing import Sizing, Wish

HUNDRED = 100
ALONE = ("shares", "variants", "plan", "alpha", "deadline", "minimum")
"""What a campaign's definition says, so that it is not said again."""


def plan(
    context: typer.Context,
    campaign: Annotated[
        str | None,
        typer.Argument(metavar="[CAMPAIGN]", help="A campaign's or Canvas's id. Not set: one that is not defined yet."),
    ] = None,
    rate: Annotated[
        str | None,
        typer.Option(
            "--rate", metavar="PERCENT", help="Which share of users converts anyway. Not set: the campaign's so far."
        ),
    ] = None,
    effect: Annotated[
        str | None,
        typer.Option(
            "--effect",
            metavar="PERCENT",
            help="The smallest effect worth finding, as a part of the rate. Not set: the campaign's, else 2%.",
        ),
    ] = None,
    points: Annotated[
        str | None,
        typer.Option("--points", metavar="PERCENT", help="The same as a difference of rates, in percentage points."),
    ] = None,
    power: Annotated[
        str, typer.Option("--power", metavar="PERCENT", help="With which probability it is to be found.")
    ] = "80%",
    per_day: Annotated[
        float | None,
        typer.Option(
            "--per-day",
            metavar="N",
            help="Users first exposed on a day, in all. Not set: the campaign's, of the last week.",
        ),
    ] = None,
    variants: Annotated[
        int | None,
        typer.Option("--variants", metavar="N", min=2, max=9, help="How many, control included, with equal shares."),
    ] = None,
    shares: Annotated[
        str | None,
        typer.Option("--shares", metavar="P,P...", help="Their shares in percent, control first, such as 10,45,45."),
    ] = None,
    kind: Annotated[
        PlanKind,
        typer.Option(
            "--plan",
            metavar="always_valid|fixed",
            help="Looking whenever one likes, or once when all windows have passed.",
        ),
    ] = PlanKind.ALWAYS_VALID,
    alpha: Annotated[
        float, typer.Option("--alpha", metavar="A", min=0.001, max=0.2, help="The probability to name one wrongly.")
    ] = 0.05,
    deadline: Annotated[
        str, typer.Option("--deadline", metavar="TIME", help="The conversion event's, such as 3 days.")
    ] = "3 days",
    minimum: Annotated[
        int, typer.Option("--minimum", metavar="N", min=1, help="Users per variant before any verdict.")
    ] = 100,
    results: options.ResultsDir = Path("./afterword-results"),
    data: options.AskedData = None,
    memory: options.Memory = None,
    metadata: options.MetadataUrl = None,
    as_json: options.AsJson = False,
) -> None:
    """Say how many users and days a difference takes.

    Per variant and in all, for the verdict `winner` to come; of a campaign with results also what the users whose
    windows have passed can show. Without a campaign, of one with the shares, plan and deadline that are given.
    """
    from afterword.selection.sized import sizing_data
    from afterword.selection.sizing import Wish

    wish = Wish(
        rate=_fraction("--rate", rate),
        relative=_fraction("--effect", effect),
        difference=_fraction("--points", points),
        power=_fraction("--power", power) or 0.0,
        per_day=per_day,
    )
    if campaign is None:
        found = sizing_data(_alone(wish, variants, shares, kind, alpha, deadline, minimum))
    else:
        for name in ALONE:
            if is_said(context, "kind" if name == "plan" else name):
                raise UserError(f'--{name} is what the definition of "{campaign}" says; without a campaign it is given')
        directory = asked_directory(context, data)
        if directory is None:
            found = sizing_data(_over_files(results, campaign, wish))
        else:
            found = _over_data(directory, campaign, wish, memory, metadata)
    if as_json:
        output.say_json(found)
    else:
        _show(found)


def _fraction(option: str, text: str | None) -> float | None:
    """Return a percentage as a fraction; without its sign it would be unclear whether 0.02 is 2 % or 0.02 %."""
    if text is None:
        return None
    if not text.strip().endswith("%"):
        raise UserError(f'{option} is "{text}", must be a percentage with its sign, such as 3%')
    return percentage(option, text) / HUNDRED


def _alone(
    wish: Wish, variants: int | None, shares: str | None, kind: PlanKind, alpha: float, deadline: str, minimum: int
) -> Sizing:
    from dataclasses import replace

    from afterword.durations import parse_deadline
    from afterword.selection.sizing import sized, terms_for

    if variants is not None and shares is not None:
        raise UserError("only one of --variants and --shares can be given: the shares say how many there are")
    if wish.relative is None and wish.difference is None:
        wish = replace(wish, relative=0.02)
    split = _shares(shares) if shares is not None else [1 / (variants or 2)] * (variants or 2)
    return sized(terms_for(split, kind, alpha, parse_deadline(deadline), minimum), wish)


def _shares(text: str) -> list[float]:
    found = [percentage("--shares", one) / HUNDRED for one in text.split(",")]
    if len(found) < 2 or min(found) <= 0 or abs(sum(found) - 1) > 1e-6:
        raise UserError(f'--shares is "{text}", must be at least two percentages above 0 that sum to 100')
    return found


def _over_files(results: Path, campaign: str, wish: Wish) -> Sizing:
    from afterword.workspace.results import open_results
    from afterword.workspace.verdicts import sized as sized_by_results

    opened = open_results(results)
    opened.report(campaign)  # says which campaign is nearest where there is none of this name
    definitions = opened.inputs.definitions
    return sized_by_results(opened.json, definitions.campaigns[definitions.index_of(campaign)], wish)


def _over_data(directory: Path, campaign: str, wish: Wish, memory: str | None, metadata: str | None) -> dict[str, Any]:
    from afterword.interfaces.directory import api_of

    said = {
        "rate": wish.rate,
        "effect": wish.relative,
        "difference": wish.difference,
        "power": wish.power,
        "per_day": wish.per_day,
    }
    asked = {name: repr(value) for name, value in said.items() if value is not None}
    with api_of(directory, memory=memory, metadata_url=metadata) as api:
        found: dict[str, Any] = api.get(f"/api/campaigns/{quoted(campaign)}/plan", asked)
        return found


def _show(found: dict[str, Any]) -> None:
    rows = [
        {"variant": one["id"], "share": f"{one['share']:g} %", "users": _number(one["users"])}
        | ({} if found["collected"] is None else {"windows passed": _number(one["of_age"])})
        for one in found["variants"]
    ]
    output.say_rows(rows)
    output.say("\n" + "\n".join(found["sentences"]))


def _number(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"
