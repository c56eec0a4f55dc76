"""Adds to a report what is decided on it: `reports` counts, `selection` judges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from afterword.model import Campaign, Definitions
from afterword.precedence import give_way
from afterword.reports.person_json import read_json
from afterword.reports.persons import PersonDays
from afterword.selection.experiment import Epoch, Experiment, experiment_of
from afterword.selection.incremental import Reached, incremental_data
from afterword.selection.permuting import Outcomes, Permuted, permuted
from afterword.selection.sizing import Sizing, Wish, sized_by, terms_of
from afterword.selection.told import comparisons_data, forecast_data, verdict_data

MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class History:
    """What a campaign was since its launch, as far as a verdict must know; times are epoch microseconds."""

    redefined_at: tuple[int, ...] = ()
    """When other conversion events or another counting became its definition, the launch left out."""
    shares: tuple[tuple[int, Mapping[str, int]], ...] = ()
    """From when on which shares held, in hundredths of a percent."""


NO_HISTORY = History()


def add_verdicts(
    campaigns: Sequence[dict[str, Any]],
    definitions: Definitions,
    persons: Sequence[PersonDays],
    as_of: int,
    histories: Mapping[str, History] | None = None,
) -> None:
    """Add `verdict`, `comparisons` and `forecast` to each campaign of a report, in place.

    Args:
        campaigns: what report.json says of them, in the order of the definitions.
        definitions: the campaigns.
        persons: sums over persons, in the same order.
        as_of: epoch microseconds.
        histories: of launched campaigns, by id; files have none.

    """
    zone = ZoneInfo(definitions.workspace.timezone)
    for campaign, told, days in zip(definitions.campaigns, campaigns, persons, strict=True):
        give_way()
        history = (histories or {}).get(campaign.id, NO_HISTORY)
        experiment = _experiment(campaign, told, days, as_of, zone, history)
        told["verdict"] = verdict_data(experiment)
        told["comparisons"] = comparisons_data(experiment)
        reached = Reached(told["total"]["exposed"], told["total"]["persons"])
        told["incremental"] = incremental_data(experiment, reached, definitions.workspace.currency)
        told["forecast"] = forecast_data(campaign, told)


def permute(
    report: Mapping[str, Any],
    campaign: Campaign,
    *,
    permutations: int,
    seed: int,
    outcomes: Outcomes | None = None,
) -> Permuted:
    """Deal out the variant labels of a campaign's users anew, and say how often something is found by chance.

    Args:
        report: the content of report.json, with the campaign in it.
        campaign: its definition.
        permutations: how many times.
        seed: of the chance; the same gives the same.
        outcomes: of the campaign's persons, where one is several units.

    Raises:
        UserError: there is nothing to permute.

    """
    told = next(one for one in report["campaigns"] if one["id"] == campaign.id)
    as_of = round(datetime.fromisoformat(report["as_of"]).timestamp() * MICROSECONDS)
    persons = read_json(told["persons"], campaign)
    experiment = _experiment(campaign, told, persons, as_of, ZoneInfo(told["timezone"]), NO_HISTORY)
    return permuted(experiment, permutations, np.random.default_rng(seed), outcomes)


def sized(
    report: Mapping[str, Any], campaign: Campaign, wish: Wish, histories: Mapping[str, History] | None = None
) -> Sizing:
    """Say how many users a campaign's smallest effect takes, and what those it has can show.

    Args:
        report: the content of report.json, with the campaign in it.
        campaign: its definition.
        wish: what is asked for; what it leaves open is as the campaign and its results say.
        histories: of launched campaigns, by id; files have none.

    Raises:
        UserError: there is nothing to plan for.

    """
    terms = terms_of(campaign)
    told = next(one for one in report["campaigns"] if one["id"] == campaign.id)
    as_of = round(datetime.fromisoformat(report["as_of"]).timestamp() * MICROSECONDS)
    history = (histories or {}).get(campaign.id, NO_HISTORY)
    persons = read_json(told["persons"], campaign)
    return sized_by(_experiment(campaign, told, persons, as_of, ZoneInfo(told["timezone"]), history), terms, wish)


def _experiment(
    campaign: Campaign, told: Mapping[str, Any], persons: PersonDays, as_of: int, zone: ZoneInfo, history: History
) -> Experiment:
    first = told["first_exposed_at"]
    exposed_from = datetime.fromisoformat(first).timestamp() * MICROSECONDS if first else None
    return experiment_of(
        campaign,
        told,
        persons,
        _day(as_of, zone),
        redefined=exposed_from is not None and any(at > exposed_from for at in history.redefined_at),
        epochs=epochs_of(history, zone),
    )


def epochs_of(history: History, zone: ZoneInfo) -> list[Epoch]:
    """Return the history of a campaign's shares by day."""
    return [
        Epoch(_day(at, zone), {name: share / 10_000 for name, share in shares.items()}) for at, shares in history.shares
    ]


def _day(at: int, zone: ZoneInfo) -> int:
    """Return the calendar day of a time in a zone, as days since 1970."""
    local = datetime.fromtimestamp(at // MICROSECONDS, UTC).astimezone(zone).date()
    return local.toordinal() - datetime(1970, 1, 1, tzinfo=UTC).toordinal()
