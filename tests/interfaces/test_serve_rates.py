"""Exchange rates of a running server: taken and removed, and all revenue follows."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from afterword.interfaces.web.visits import COOKIE
from afterword.store.accounts import Role
from afterword.store.metadata import FILE_NAME, open_metadata
from tests.interfaces.serving import Client, Served, campaign, exposures, instant, purchase, wait_for

PATH, PAGE = "/api/exchange-rates", "/settings/rates"
TODAY = instant(60)[:10]


@pytest.fixture(scope="module")
def paid(shared: Served) -> Iterator[Client]:
    """Somebody pays 95 kronor after a message."""
    client = shared.clients[0]
    client.launch(campaign("rated"))
    client.post("/api/exposures", exposures(["rated-ann"], of="rated"))
    client.post("/api/events", purchase("rated-ann", price="95", currency="SEK"))
    client.loaded()
    yield client
    client.send("DELETE", f"{PATH}?currency=SEK&from=2000-01-01&to=2100-01-01")


def revenue(client: Client) -> tuple[str, dict[str, str]]:
    told = client.report("rated")["total"]["revenue"]
    return told["amount"], told["unconverted"]


def take(client: Client, *rates: tuple[str, str]) -> dict[str, Any]:
    answer = client.put(PATH, {"rates": [{"date": day, "currency": "sek", "rate": rate} for day, rate in rates]})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_revenue_follows_the_rates(paid: Client) -> None:
    """Rule 27: what has no rate is shown apart; the latest rate on or before the day counts, at most 7 days old."""
    assert revenue(paid) == ("0.00", {"SEK": "95.00"})
    assert take(paid, (instant(20 * 86_400)[:10], "0.5")) == {"added": 1, "replaced": 0, "same": 0}
    [of] = paid.get(f"{PATH}?currency=SEK").json()["currencies"]
    assert (of["purchases"], of["without"], of["rates"]) == (1, 1, 1)  # it is too old
    assert take(paid, (TODAY, "0.0900")) == {"added": 1, "replaced": 0, "same": 0}
    wait_for(lambda: revenue(paid) == ("8.55", {}), 20)
    assert take(paid, (TODAY, "0.09"), (instant(20 * 86_400)[:10], "0.6")) == {"added": 0, "replaced": 1, "same": 1}
    assert take(paid, (TODAY, "0.1"))["replaced"] == 1
    wait_for(lambda: revenue(paid) == ("9.50", {}), 20)
    told = paid.get(f"{PATH}?currency=SEK").json()
    assert [one["rate"] for one in told["rates"]] == ["0.6", "0.1"]
    assert told["currencies"][0]["without"] == 0
    answer = paid.send("DELETE", f"{PATH}?currency=SEK&from={TODAY}&to={TODAY}")
    assert answer.json() == {"removed": 1}
    wait_for(lambda: revenue(paid) == ("0.00", {"SEK": "95.00"}), 20)


@pytest.mark.parametrize(
    ("rates", "sentence"),
    [
        ([], "there are 0 rates, must be from 1 to 50,000"),
        ("x", "rates is missing"),
        ([{"date": TODAY}], "rates[0] must be an object with date, currency and rate"),
        ([{"date": "31.3.2026", "currency": "SEK", "rate": "1"}], 'rates[0]: date is "31.3.2026", must be a day'),
        ([{"date": TODAY, "currency": "kronor", "rate": "1"}], 'rates[0]: currency is "kronor", must be a code'),
        ([{"date": TODAY, "currency": "SEK", "rate": "0.0"}], 'rate is "0.0", must be a number above 0'),
        ([{"date": TODAY, "currency": "SEK", "rate": "1e3"}], 'rate is "1e3", must be a number above 0'),
        ([{"date": TODAY, "currency": "SEK", "rate": each} for each in "12"], "SEK has two rates on"),
    ],
    ids=str,
)
def test_rates_that_cannot_be_are_400_in_words(paid: Client, rates: Any, sentence: str) -> None:
    answer = paid.put(PATH, {"rates": rates})
    assert answer.status_code == 400
    assert sentence in answer.json()["message"]


def test_the_page_takes_lines_and_says_what_they_do(paid: Client, shared: Served) -> None:
    with open_metadata(shared.data / FILE_NAME, create=False) as metadata:
        now = time.time_ns() // 1000
        account = metadata.accounts.create("rates@example.com", "Rates", Role.ADMIN, now, "correct horse battery")
        cookie = {"Cookie": f"{COOKIE}={metadata.sessions.begin(account.id, now, os.urandom)}"}
    http = paid.http
    token = re.findall(r'name="csrf" value="(\w+)"', http.get(PAGE, headers=cookie).text)[0]

    def send(path: str = PAGE, **typed: str) -> httpx.Response:
        return http.post(path, data={"csrf": token, **typed}, headers=cookie)

    wrong = send(lines=f"date,currency,rate\n{TODAY},SEK,0.2\n{TODAY},SEK,abc")
    assert (wrong.status_code, "line 3: rate is &#34;abc&#34;" in wrong.text) == (400, True)
    assert f"{TODAY},SEK,0.2" in wrong.text  # as typed
    assert "lacks rate" in send(lines="date,currency\n").text
    done = send(lines=f"\ufeffCurrency,Date,Rate\r\nSEK,{TODAY},0.2\r\n")
    page = http.get(done.headers["location"], headers=cookie).text
    assert "1 added." in page
    assert re.search(r"SEK</a></th><td>\d+</td><td>[^<]+</td><td>1</td><td>0</td>", page)
    wait_for(lambda: revenue(paid) == ("19.00", {}), 20)
    assert send(date=TODAY, currency="SEK", rate="0.3").status_code == 303
    gone = send(f"{PAGE}/remove", **{"currency": "sek", "from": TODAY, "to": TODAY})
    assert "1 removed." in http.get(gone.headers["location"], headers=cookie).text
    with open_metadata(shared.data / FILE_NAME, create=False) as metadata:
        said = [(one.action, one.detail.get("removed")) for one in metadata.audit.list(3) if one.actor == account.id]
        assert said == [("rates.removed", 1), ("rates.taken", None), ("rates.taken", None)]
