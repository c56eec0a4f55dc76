"""Exchange rates: by what revenue in other currencies is converted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from starlette.responses import Response

from afterword.errors import UserError
from afterword.interfaces.api.rates import converted, take_rates
from afterword.interfaces.web import written
from afterword.interfaces.web.links import link
from afterword.interfaces.web.rendering import go
from afterword.interfaces.web.settings.tabs import settings_page
from afterword.interfaces.web.visits import Visit, Web
from afterword.reports import wording
from afterword.store.exchange_rates import read_csv, read_rate

PATH = "/settings/rates"
SHOWN = 60
WORDS = {"added": "added", "replaced": "replaced", "same": "the same as before", "removed": "removed"}


@dataclass(frozen=True, slots=True)
class OfCurrency:
    """A currency, and what its rates do."""

    currency: str
    rates: str
    days: str
    purchases: str
    without: str
    missing: bool
    address: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A rate."""

    day: str
    currency: str
    rate: str


@dataclass(frozen=True, slots=True)
class ExchangeRatesView:
    """What the page shows."""

    reporting: str
    currencies: Sequence[OfCurrency]
    chosen: str
    latest: Sequence[Shown]
    """The latest rates of the chosen currency, or of all."""
    more: int
    done: str
    error: str = ""
    typed: dict[str, str] = field(default_factory=dict)


def show(web: Web, visit: Visit) -> Response:
    """Show the rates, and how much revenue has none."""
    return _page(web, visit)


def take(web: Web, visit: Visit) -> Response:
    """Take one rate from the fields, or many from lines of CSV."""
    lines = visit.form.get("lines", [""])[-1].strip()
    try:
        if lines:
            rates = read_csv(lines)
        else:
            rates = [read_rate(visit.sent("date"), visit.sent("currency"), visit.sent("rate"))]
        taken = take_rates(web.server, rates)
    except UserError as error:
        typed = {"lines": lines, **{name: visit.sent(name) for name in ("date", "currency", "rate")}}
        return _page(web, visit, str(error), typed, 400)
    detail = {"added": taken.added, "replaced": taken.replaced}
    web.server.data.metadata.audit.add(visit.now, visit.account.id, "rates.taken", "workspace", detail)
    said = {"added": taken.added, "replaced": taken.replaced, "same": taken.same}
    return go(link(PATH, **{name: str(count) for name, count in said.items()}))


def remove(web: Web, visit: Visit) -> Response:
    """Remove the rates of a currency from one day to another."""
    metadata = web.server.data.metadata
    currency = visit.sent("currency").upper()
    try:
        first, last = date.fromisoformat(visit.sent("from")), date.fromisoformat(visit.sent("to"))
    except ValueError:
        return _page(web, visit, "From and to must be days.", {}, 400)
    removed = metadata.exchange_rates.remove(currency, first, last)
    detail = {"currency": currency, "from": first.isoformat(), "to": last.isoformat(), "removed": removed}
    metadata.audit.add(visit.now, visit.account.id, "rates.removed", "workspace", detail)
    return go(link(PATH, removed=str(removed)))


def _page(web: Web, visit: Visit, error: str = "", typed: dict[str, str] | None = None, status: int = 200) -> Response:
    found = web.server.data.metadata.exchange_rates.list()
    chosen = visit.asked("of")
    newest = sorted((one for one in found if chosen in ("", one.currency)), key=lambda one: one.day, reverse=True)
    currencies = [
        OfCurrency(
            currency=one.currency,
            rates=written.number(one.rates),
            days=f"{written.day(one.first, year=True)} to {written.day(one.last, year=True)}"
            if one.first and one.last
            else wording.NOTHING,
            purchases=written.number(one.purchases),
            without=written.number(one.without),
            missing=one.without > 0,
            address=link(PATH, of=one.currency),
        )
        for one in converted(web.server, found)
    ]
    view = ExchangeRatesView(
        reporting=web.server.data.metadata.workspace().currency,
        currencies=currencies,
        chosen=chosen,
        latest=[
            Shown(written.day(one.day.isoformat(), year=True), one.currency, written.rewritten(f"{one.rate:f}"))
            for one in newest[:SHOWN]
        ],
        more=max(0, len(newest) - SHOWN),
        done=_done(visit),
        error=error,
        typed={"date": "", "currency": "", "rate": "", "lines": "", **(typed or {})},
    )
    return settings_page("settings_rates.html.j2", visit, "Exchange rates", status, view=view)


def _done(visit: Visit) -> str:
    asked = {name: visit.asked(name) for name in WORDS}
    counts = {name: int(text) for name, text in asked.items() if text.isascii() and text.isdecimal()}
    parts = [f"{written.number(count)} {WORDS[name]}" for name, count in counts.items() if count]
    return f"{', '.join(parts)}." if parts else ""
