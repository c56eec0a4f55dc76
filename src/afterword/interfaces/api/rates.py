"""The workspace's exchange rates over Afterword's own API: listed, taken, removed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from typing import Any

from starlette.responses import Response

from afterword.errors import UserError
from afterword.interfaces.api import rate_types as types
from afterword.interfaces.api.answers import answer
from afterword.interfaces.api.bodies import fields_of
from afterword.interfaces.api.faults import bad_request
from afterword.interfaces.api.openapi import OURS
from afterword.interfaces.api.operations import Answered, Body, Call, Operation
from afterword.interfaces.api.parameters import Text
from afterword.interfaces.api.server import Answers
from afterword.money import parse_currency
from afterword.store.exchange_rates import COLUMNS, ExchangeRate, Taken, read_rate
from afterword.store.metadata_database import MetadataUnavailable
from afterword.store.permissions import Permission
from afterword.workspace.live.converting import Converted, conversions_of

PATH = "/api/exchange-rates"
OF = Text("currency", "only the rates of this currency", example="NOK")
CURRENCY = Text("currency", "whose rates", required=True, example="NOK")
FIRST = Text("from", "the first day", required=True, example="2026-03-01")
LAST = Text("to", "the last day", required=True, example="2026-03-31")


def converted(server: Answers, rates: Sequence[ExchangeRate]) -> list[Converted]:
    """Return how many purchases there are in each foreign currency, and how many have no rate."""
    workspace = server.data.metadata.workspace()
    cursor = server.data.facts.cursor()
    try:
        return conversions_of(cursor, rates, workspace.currency, workspace.timezone)
    finally:
        cursor.close()


def take_rates(server: Answers, rates: Sequence[ExchangeRate]) -> Taken:
    """Take rates; all results follow. Raises `UserError`."""
    metadata = server.data.metadata
    return metadata.exchange_rates.take(rates, metadata.workspace().currency, server.clock())


async def _listed(server: Answers, call: Call) -> Response:
    return answer(200, await asyncio.to_thread(_list, server, call.parameters.get(OF.name)))


def _list(server: Answers, of: str | None) -> dict[str, Any]:
    found = server.data.metadata.exchange_rates.list()
    try:
        wanted = None if of is None else parse_currency(of)
    except UserError as error:
        raise bad_request(str(error)) from None
    shown = [one for one in found if wanted in (None, one.currency)]
    return {
        "currency": server.data.metadata.workspace().currency,
        "rates": [{"date": one.day.isoformat(), "currency": one.currency, "rate": f"{one.rate:f}"} for one in shown],
        "currencies": [asdict(one) for one in converted(server, found) if wanted in (None, one.currency)],
    }


async def _taken(server: Answers, call: Call) -> Response:
    said = fields_of(await call.body(), ("rates",)).get("rates")
    if not isinstance(said, list):
        raise bad_request("rates is missing, must be a list of objects with date, currency and rate")
    found = []
    for number, one in enumerate(said):
        if not isinstance(one, dict) or not all(isinstance(one.get(name), str) for name in COLUMNS):
            raise bad_request(f"rates[{number}] must be an object with date, currency and rate, each as text")
        try:
            found.append(read_rate(one["date"], one["currency"], one["rate"]))
        except UserError as error:
            raise bad_request(f"rates[{number}]: {error}") from None
    try:
        return answer(200, asdict(await asyncio.to_thread(take_rates, server, found)))
    except MetadataUnavailable:
        raise
    except UserError as error:
        raise bad_request(str(error)) from None


async def _removed(server: Answers, call: Call) -> Response:
    try:
        currency = parse_currency(CURRENCY.read(call.parameters))
        first, last = (date.fromisoformat(one.read(call.parameters)) for one in (FIRST, LAST))
    except UserError as error:
        raise bad_request(str(error)) from None
    except ValueError:
        raise bad_request("from and to must be days such as 2026-03-31") from None
    removed = await asyncio.to_thread(server.data.metadata.exchange_rates.remove, currency, first, last)
    return answer(200, {"removed": removed})


EXAMPLE = {"date": "2026-03-31", "currency": "NOK", "rate": "0.095"}
_SLOW = {504: "there was no answer in time"}
OPERATIONS = (
    Operation(
        "GET",
        PATH,
        "List the exchange rates, and how many purchases have none (rule 27)",
        _listed,
        OURS,
        (Answered(200, "all of them, by currency and day", types.AllRates),),
        Permission.API_READ,
        (OF,),
        refusals=_SLOW,
    ),
    Operation(
        "PUT",
        PATH,
        "Take exchange rates, in place of those of the same currency and day",
        _taken,
        OURS,
        (Answered(200, "what became of them; all of them or none", types.TakenRates),),
        Permission.ADMIN,
        body=Body(types.NewRates, {"rates": [EXAMPLE]}),
        refusals=_SLOW,
        about="All revenue, also that of days long past, is converted anew within seconds.",
    ),
    Operation(
        "DELETE",
        PATH,
        "Remove the exchange rates of a currency from one day to another",
        _removed,
        OURS,
        (Answered(200, "how many were removed", types.RemovedRates),),
        Permission.ADMIN,
        (CURRENCY, FIRST, LAST),
        refusals=_SLOW,
        about="What has no rate is shown apart in its own currency.",
    ),
)
