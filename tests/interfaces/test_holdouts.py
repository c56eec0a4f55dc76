"""Global holdouts over the API and the command line: made, obeyed, reported."""

from __future__ import annotations

import json
import re
import shlex
import time
from typing import Any

import pytest

from afterword.interfaces.cli import main
from afterword.selection.holdouts import held_out
from afterword.store.metadata import FILE_NAME, open_metadata
from tests.interfaces.conftest import Serving
from tests.interfaces.serving import Client, Served, campaign, instant

HOUR = 3_600_000_000
REPORT = "/api/holdouts/winter%202000/report"


def said(line: str, capsys: Any) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main(shlex.split(line))
    told = capsys.readouterr()
    return code, told.out, told.err


@pytest.fixture(scope="module")
def known(shared: Served) -> Client:
    """A server with a holdout of long ago; meanwhile two of who was held out bought and forty of them complained.

    Of everyone else twenty bought.
    """
    client = shared.clients[0]
    first = 946_684_800_000_000
    with open_metadata(shared.data / FILE_NAME, create=False) as metadata:
        holdout = metadata.holdouts.create("winter 2000", 1500, first, first + HOUR, first)
    users = [f"holdout-{number}" for number in range(400)]
    held = [name is not None for name in held_out([holdout], users, first)]
    groups = {side: [u for u, of in zip(users, held, strict=True) if of is side] for side in (True, False)}
    at = "2000-01-01T00:30:00Z"
    seen = [{"user_id": user, "kind": "session", "occurred_at": at, "event_id": f"s-{user}"} for user in users]
    bought = [
        {
            "user_id": user, "kind": "purchase", "occurred_at": at, "event_id": f"b-{user}", "price": "10.00",
            "currency": "USD", "product_id": "tea",
        }
        for user in [*groups[True][:2], *groups[False][:20]]
    ]  # fmt: skip
    complained = [
        {"user_id": user, "kind": "custom", "name": "complained", "occurred_at": at, "event_id": f"c-{user}"}
        for user in groups[True][:40]
    ]
    assert client.post("/api/events", {"events": [*seen, *bought, *complained]}).status_code == 201
    client.loaded()
    return client


def test_a_holdout_is_made_listed_and_stays(client: Client) -> None:
    body = {"name": "next century", "share": 2.5, "from": "2101-01-01", "until": "2101-02-01T00:00:00Z"}
    made = client.post("/api/holdouts", body)
    assert made.status_code == 201
    assert made.json() == {
        "name": "next century",
        "share": 2.5,
        "from": "2101-01-01T00:00:00Z",
        "until": "2101-02-01T00:00:00Z",
        "state": "planned",
    }
    assert made.json() in client.get("/api/holdouts").json()["holdouts"]
    again = client.post("/api/holdouts", body | {"share": 3})
    assert (again.status_code, again.json()["message"][:38]) == (409, 'there is a holdout "next century" alre')


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        pytest.param({"share": 20}, "share is 20 %, must be from 0.1 % to 15 %", id="share"),
        pytest.param({"share": 1.005}, "at most two decimals", id="decimals"),
        pytest.param({"share": "5"}, 'share is "5", must be a percentage', id="text"),
        pytest.param({"share": None}, "share is missing", id="no-share"),
        pytest.param({"from": "2020-01-01"}, "from is in the past (2020-01-01 00:00:00 UTC)", id="past"),
        pytest.param({"until": None}, "until is missing: a holdout must end", id="no-end"),
        pytest.param(
            {"until": "2100-01-01"},
            "until is not after from: a holdout from 2101-01-01 00:00:00 UTC until 2100-01-01",
            id="backwards",
        ),
        pytest.param({"name": None}, "name is missing", id="no-name"),
        pytest.param({"name": "a/b"}, "without a slash", id="slash"),
        pytest.param(
            {"name": "x" * 256},
            'the name "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…" has 256 characters, must have at most 255',
            id="long-name",
        ),
        pytest.param({"shares": 5}, 'unknown field "shares", did you mean "share"', id="field"),
    ],
)
def test_a_holdout_that_cannot_be(client: Client, changes: dict[str, object], sentence: str) -> None:
    body = {"name": "not to be", "share": 5, "from": "2101-01-01", "until": "2101-02-01", **changes}
    answer = client.post("/api/holdouts", body)
    assert answer.status_code == 400
    assert sentence in answer.json()["message"]


def test_the_report_has_both_sides(known: Client) -> None:
    told = known.get(REPORT).json()
    held, rest = told["groups"]["held_out"], told["groups"]["everyone_else"]
    assert (held["converted"], rest["converted"]) == (2, 20)
    assert (held["revenue"], rest["revenue"], told["currency"]) == ("20.00", "200.00", "USD")
    assert held["known"] + rest["known"] == 400
    assert told["conversions"]["incremental"] == pytest.approx(20 - 2 * rest["known"] / held["known"])
    assert told["conversion_event"]["kind"] == "purchase"
    assert (told["holdout"]["state"], told["warnings"]) == ("ended", [])


def test_what_was_given_back_is_taken_off_the_purchase(known: Client, shared: Served) -> None:
    first = 946_684_800_000_000 + 2 * HOUR
    with open_metadata(shared.data / FILE_NAME, create=False) as metadata:
        holdout = metadata.holdouts.create("spring 2000", 1500, first, first + HOUR, first)
    users = [f"holdout-{number}" for number in range(400)]
    names = held_out([holdout], users, first)
    held, rest = (
        next(u for u, name in zip(users, names, strict=True) if (name is None) is out) for out in (False, True)
    )
    at, later = "2000-01-01T02:30:00Z", "2020-01-01T00:00:00Z"
    money = [
        {"kind": "purchase", "user_id": held, "event_id": "back-1", "price": "10", "currency": "USD"},
        {"kind": "purchase", "user_id": rest, "event_id": "back-2", "price": "30", "currency": "USD"},
        {"kind": "refund", "user_id": held, "refund_of": "back-1", "price": "4"},
        {"kind": "refund", "user_id": held, "refund_of": "back-1", "price": "1", "currency": "USD"},
        {"kind": "refund", "user_id": rest, "refund_of": "back-2", "price": "20", "occurred_at": later},
        {"kind": "refund", "user_id": rest, "refund_of": "back-2", "price": "3", "currency": "EUR"},
    ]
    events = [{"occurred_at": at, "product_id": "tea", **one} for one in money]
    assert known.post("/api/events", {"events": events}).status_code == 201
    known.loaded()
    groups = known.get("/api/holdouts/spring%202000/report").json()["groups"]
    assert {side: one["revenue"] for side, one in groups.items()} == {"held_out": "5.00", "everyone_else": "10.00"}
    assert {side: one["purchases"] for side, one in groups.items()} == {"held_out": 1, "everyone_else": 1}


def test_what_counts_can_be_said(known: Client) -> None:
    known.launch(campaign("holdout-sessions", conversion_events=[{"kind": "session", "deadline": "1 day"}]))
    found = known.get(f"{REPORT}?campaign=holdout-sessions").json()
    assert {side["rate"] for side in found["groups"].values()} == {1.0}
    asked = json.dumps({"kind": "purchase", "products": ["coffee"]})
    found = known.http.get(REPORT, params={"conversion_event": asked}, headers=known.bearer()).json()
    assert {side["converted"] for side in found["groups"].values()} == {0}
    assert found["groups"]["held_out"]["revenue"] == "20.00"


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        pytest.param({"campaign": "nothing"}, 'unknown campaign "nothing"', id="campaign"),
        pytest.param({"campaign": "warm", "event": "B"}, 'campaign "warm" has the conversion events A', id="letter"),
        pytest.param({"event": "A"}, "name the campaign too", id="event-alone"),
        pytest.param({"campaign": "warm", "conversion_event": "{}"}, "name either", id="both"),
        pytest.param({"conversion_event": "{"}, "conversion_event is no JSON", id="json"),
        pytest.param({"conversion_event": "[]"}, "must be a JSON object", id="list"),
        pytest.param({"conversion_event": '{"kind": "cliks"}'}, "cliks", id="kind"),
        pytest.param(
            {"conversion_event": '{"kind": "upgrade"}'},
            "kind is upgrade, against a holdout it must be one of session,",
            id="upgrade",
        ),
    ],
)
def test_what_cannot_be_counted_is_refused(known: Client, query: dict[str, str], sentence: str) -> None:
    answer = known.http.get(REPORT, params=query, headers=known.bearer())
    assert answer.status_code == 400
    assert sentence in answer.json()["message"]


def test_an_unknown_holdout_is_404(client: Client) -> None:
    answer = client.get("/api/holdouts/nothing/report")
    assert (answer.status_code, answer.json()["message"]) == (404, 'unknown holdout "nothing"')
    answer = client.get(f"/api/holdouts/{'x' * 300}/report")
    assert answer.status_code == 404
    assert '…" has 300 characters, must have at most 255' in answer.text.replace('\\"', '"')


def test_the_command_line_lists_and_reports(known: Client, shared: Served, capsys: Any) -> None:
    code, out, _ = said(f"holdout report 'winter 2000' --data {shared.data}", capsys)
    assert code == 0
    assert "winter 2000: 15 % held out from 2000-01-01T00:00:00Z until 2000-01-01T01:00:00Z" in out
    assert "Everyone else" in out
    (conversions,) = [line for line in out.splitlines() if " conversions than" in line]
    whole = r"With messaging there were \d+ more conversions than without \(95 % interval: \d+ fewer to \d+ more\)\."
    assert re.fullmatch(whole, conversions)
    assert re.search(
        r"With messaging there was [\d.]+ USD more revenue than without \(95 % interval: [\d.]+ USD l", out
    )
    asked = """'{"kind": "custom", "name": "complained"}'"""
    code, out, _ = said(f"holdout report 'winter 2000' --conversion-event {asked} --data {shared.data}", capsys)
    assert code == 0
    assert re.search(r"there were \d+ fewer conversions than without \(95 % interval: \d+ fewer to \d+ fewer\)", out)
    code, out, _ = said(f"holdout list --data {shared.data}", capsys)
    assert code == 0
    assert "winter 2000\t15.0\t2000-01-01T00:00:00Z\t2000-01-01T01:00:00Z\tended" in out


def test_a_share_may_have_its_sign(known: Client, shared: Served, capsys: Any) -> None:
    period = f"--from 2101-01-01 --until 2101-02-01 --data {shared.data}"
    code, out, _ = said(f"holdout create signed --share '2.5 %' {period}", capsys)
    assert (code, out[:24]) == (0, "signed holds out 2.5 % f")
    assert "signed" in {one["name"] for one in known.get("/api/holdouts").json()["holdouts"]}


@pytest.mark.parametrize("share", ["5,5", "nan", "1e400", "five", "", "%"])
def test_a_share_that_is_no_percentage_is_named(share: str, known: Client, shared: Served, capsys: Any) -> None:
    code, out, err = said(f"holdout create none --share '{share}' --until 2101-01-01 --data {shared.data}", capsys)
    assert (code, out) == (2, "")
    assert err == f'--share is "{share}", must be a percentage such as 5, 5% or 2.5%, with a decimal point\n'


def test_a_share_that_is_too_large_is_named(known: Client, shared: Served, capsys: Any) -> None:
    code, _, err = said(f"holdout create none --share 50% --until 2101-01-01 --data {shared.data}", capsys)
    assert (code, err) == (2, "share is 50 %, must be from 0.1 % to 15 %\n")


@pytest.mark.slow
def test_a_holdout_made_on_the_command_line_is_obeyed(serving: Serving, capsys: Any) -> None:
    served = serving()
    client = served.start()
    client.launch(campaign("mail"))
    until = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 3 * 86_400))
    code, out, _ = said(f"holdout create now --share 15 --until {until} --data {served.data}", capsys)
    assert code == 0
    assert out.startswith("now holds out 15 % from ")
    body = {"campaign_id": "mail", "users": [f"u-{n}" for n in range(300)], "record": True}
    told = client.post("/api/assign", body).json()
    held = [each["user_id"] for each in told["assigned"] if each["held_out"] == "now"]
    assert 20 < len(held) < 80
    assert told["recorded"] == 300 - len(held)
    late = client.post("/api/assign", body | {"exposed_at": instant(3600)}).json()
    assert all(each["held_out"] is None for each in late["assigned"])
