"""Webhooks through the door: what receivers get, whatever they or the server do meanwhile."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.interfaces.conftest import Serving
from tests.interfaces.nursery import ROOT
from tests.interfaces.receiving import Receiver
from tests.interfaces.serving import Client, Served, campaign, exposures, free_port, purchase, wait_for

DAY = 24 * 3600
SECONDS = 60.0


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver().listening() as receiver:
        yield receiver


def hook(client: Client, receiver: Receiver, of: str, **fields: Any) -> dict[str, Any]:
    """Send the changes of one campaign to a receiver, from the beginning of the feed."""
    body = {"url": receiver.url, "campaigns": [of], "from": "beginning", **fields}
    while (made := client.post("/api/webhooks", body)).status_code == 503:  # before the first results
        time.sleep(0.1)
    assert made.status_code == 201, made.text
    return dict(made.json())


def told(client: Client, webhook: dict[str, Any]) -> dict[str, Any]:
    return dict(client.get(f"/api/webhooks/{webhook['id']}").json())


def buy(client: Client, user: str, name: str, ago: float = 60.0) -> None:
    assert client.post("/api/events", purchase(user, ago, event_id=name)).status_code == 201


def expose(client: Client, of: str, *users: str) -> None:
    assert client.post("/api/exposures", exposures(users, of=of)).status_code == 201


def got(receiver: Receiver, *changes: str) -> bool:
    """Return whether these were received in this order, each as `+conversion` or `-conversion`."""
    signs = {"conversion": "+", "retraction": "-"}
    return [f"{signs[kind]}{name}" for kind, name in receiver.kinds] == list(changes)


def wait_until_got(receiver: Receiver, *changes: str) -> None:
    try:
        wait_for(lambda: got(receiver, *changes), SECONDS)
    except AssertionError:
        raise AssertionError(f"{receiver.kinds}, not {changes}") from None


def test_a_late_fact_takes_back_what_was_told(client: Client, receiver: Receiver) -> None:
    client.launch(campaign("hook-late"))
    webhook = hook(client, receiver, "hook-late")
    expose(client, "hook-late", "l-1", "l-2")
    buy(client, "l-1", "e-1")
    wait_until_got(receiver, "+hook-late/A/x-hook-late-l-1/e-1")
    buy(client, "l-1", "e-0", ago=600)  # it happened earlier, so this one converts
    wait_until_got(
        receiver,
        "+hook-late/A/x-hook-late-l-1/e-1",
        "-hook-late/A/x-hook-late-l-1/e-1",
        "+hook-late/A/x-hook-late-l-1/e-0",
    )
    assert all(one.is_signed_with(webhook["secret"]) for one in receiver.received)
    assert {one.content["webhook_id"] for one in receiver.received} == {webhook["id"]}
    assert [one.headers["webhook-id"] for one in receiver.received] == [one.id for one in receiver.received]
    assert {one.headers["content-type"] for one in receiver.received} == {"application/json"}
    there: dict[str, dict[str, Any]] = {}
    for change in receiver.changes:
        if change["kind"] == "conversion":
            there[change["conversion_id"]] = change
        else:
            del there[change["conversion_id"]]
    users = client.get("/api/campaigns/hook-late/users?variant=a").json()["users"]
    assert [change["user_id"] for change in there.values()] == [user["user_id"] for user in users]
    wait_for(lambda: told(client, webhook)["delivered_at"] is not None, SECONDS)
    assert (told(client, webhook)["status"], told(client, webhook)["last_error"]) == ("active", None)


def test_a_delivery_that_fails_comes_again_as_the_same(client: Client, receiver: Receiver) -> None:
    client.launch(campaign("hook-500"))
    receiver.answers(500, 302, location="http://127.0.0.1:1/", retry_after="soon")
    webhook = hook(client, receiver, "hook-500")
    with Receiver().listening() as other:
        hook(client, other, "hook-500")
        expose(client, "hook-500", "f-1", "f-2")
        buy(client, "f-1", "f-e-1")
        wait_until_got(other, "+hook-500/A/x-hook-500-f-1/f-e-1")
        wait_until_got(receiver, "+hook-500/A/x-hook-500-f-1/f-e-1")
    assert [one.status for one in receiver.received] == [500, 302, 200]
    assert len({one.id for one in receiver.received}) == 1
    assert len({one.headers["webhook-timestamp"] for one in receiver.received}) > 1
    assert all(one.is_signed_with(webhook["secret"]) for one in receiver.received)
    buy(client, "f-2", "f-e-2")
    wait_for(lambda: len(receiver.changes) == 2, SECONDS)
    assert len({one.id for one in receiver.received}) == 2


def test_who_is_too_busy_says_when_to_come_again(client: Client, receiver: Receiver) -> None:
    client.launch(campaign("hook-429"))
    receiver.answers(429, retry_after="3000")
    webhook = hook(client, receiver, "hook-429")
    expose(client, "hook-429", "b-1")
    buy(client, "b-1", "b-e-1")
    wait_for(lambda: told(client, webhook)["failures"] == 1, SECONDS)
    found = told(client, webhook)
    assert (found["status"], found["last_error"]) == ("failing", "the receiver answered 429")
    since, then = (datetime.fromisoformat(found[name]) for name in ("failing_since", "next_attempt"))
    assert (then - since).total_seconds() >= 2999
    assert client.post(f"/api/webhooks/{webhook['id']}/resume").json()["status"] == "active"
    wait_until_got(receiver, "+hook-429/A/x-hook-429-b-1/b-e-1")


def test_who_is_gone_is_left_alone_until_it_is_resumed(client: Client, receiver: Receiver) -> None:
    client.launch(campaign("hook-410"))
    receiver.answers(410)
    webhook = hook(client, receiver, "hook-410")
    expose(client, "hook-410", "g-1", "g-2")
    buy(client, "g-1", "g-e-1")
    wait_for(lambda: told(client, webhook)["status"] == "paused", SECONDS)
    assert told(client, webhook)["last_error"] == "paused: the receiver answered 410, it wants no more deliveries"
    buy(client, "g-2", "g-e-2")
    client.loaded()
    assert len(receiver.received) == 1
    assert client.post(f"/api/webhooks/{webhook['id']}/resume", {}).status_code == 200
    wait_until_got(receiver, "+hook-410/A/x-hook-410-g-1/g-e-1", "+hook-410/A/x-hook-410-g-2/g-e-2")


def test_who_hangs_holds_up_neither_results_nor_others(client: Client, receiver: Receiver) -> None:
    client.launch(campaign("hook-hang"))
    receiver.hanging.clear()
    hook(client, receiver, "hook-hang")
    with Receiver().listening() as other:
        hook(client, other, "hook-hang")
        expose(client, "hook-hang", "h-1", "h-2")
        buy(client, "h-1", "h-e-1")
        wait_for(lambda: len(receiver.received) == 1, SECONDS)
        buy(client, "h-2", "h-e-2")
        wait_until_got(other, "+hook-hang/A/x-hook-hang-h-1/h-e-1", "+hook-hang/A/x-hook-hang-h-2/h-e-2")
        assert client.report("hook-hang")["variants"][0]["conversions"]["A"]["converted"] == 2
        assert [one.status for one in receiver.received] == [200]  # still held
    receiver.hanging.set()
    wait_until_got(receiver, "+hook-hang/A/x-hook-hang-h-1/h-e-1", "+hook-hang/A/x-hook-hang-h-2/h-e-2")


def test_who_was_away_gets_all_in_order(client: Client) -> None:
    client.launch(campaign("hook-away"))
    receiver = Receiver()
    with receiver.listening():
        webhook = hook(client, receiver, "hook-away")
    users = [f"w-{number}" for number in range(250)]
    expose(client, "hook-away", *users)
    bought = [purchase(user, event_id=f"of-{user}") for user in users]
    assert client.post("/api/events", {"events": bought}).status_code == 201
    wait_for(lambda: told(client, webhook)["failures"] > 0, SECONDS)
    assert told(client, webhook)["last_error"] == "no connection to the receiver: Connection refused"
    name = f'afterword_webhook_backlog{{webhook="{webhook["id"]}"}}'
    wait_for(lambda: name in client.http.get("/metrics").text, SECONDS)
    with receiver.listening():
        wait_for(lambda: len(receiver.changes) == 250, SECONDS)
        sizes = [len(one.content["changes"]) for one in receiver.received]
    assert max(sizes) == 100
    numbers = [change["sequence"] for change in receiver.changes]
    assert numbers == sorted(set(numbers))
    assert {change["user_id"] for change in receiver.changes} == set(users)
    after = client.get("/api/conversions/changes?campaign=hook-away").json()["changes"]
    assert after == receiver.changes


@pytest.mark.slow
def test_a_server_that_is_killed_sends_the_same_again(serving: Serving, receiver: Receiver) -> None:
    served = serving()
    client = served.start()
    client.launch(campaign())
    webhook = hook(client, receiver, "cart-rescue")
    receiver.hanging.clear()
    expose(client, "cart-rescue", "k-1", "k-2")
    buy(client, "k-1", "k-e-1")
    wait_for(lambda: len(receiver.received) == 1, SECONDS)
    buy(client, "k-2", "k-e-2")  # comes while the first is under way, and must not slip into it
    client.loaded()
    served.kill()
    served.kill_answering()
    served.wait_for_answering()
    receiver.hanging.set()
    client = served.start()
    wait_until_got(receiver, "+cart-rescue/A/x-cart-rescue-k-1/k-e-1", "+cart-rescue/A/x-cart-rescue-k-2/k-e-2")
    first, again, *_ = receiver.received
    assert first.id == again.id
    assert first.content["changes"] == again.content["changes"]
    assert webhook["secret"] not in served.err.read_text()
    assert served.stop() == 0


@pytest.mark.slow
def test_after_three_days_it_is_paused_and_nothing_is_lost(serving: Serving, receiver: Receiver) -> None:
    served = serving()
    client = served.start()
    client.launch(campaign())
    webhook = hook(client, receiver, "cart-rescue")
    receiver.answers(*[503] * 1000)
    expose(client, "cart-rescue", "d-1")
    buy(client, "d-1", "d-e-1")
    wait_for(lambda: told(client, webhook)["failures"] > 0, SECONDS)
    assert told(client, webhook)["status"] == "failing"
    served.fault("clock", 3 * DAY + 60)
    wait_for(lambda: told(client, webhook)["status"] == "paused", SECONDS)
    assert told(client, webhook)["last_error"] == "paused after three days without success: the receiver answered 503"
    receiver.answers()
    client.post(f"/api/webhooks/{webhook['id']}/resume")
    wait_until_got(receiver, "+cart-rescue/A/x-cart-rescue-d-1/d-e-1")
    wait_for(lambda: told(client, webhook)["status"] == "active", SECONDS)
    # What all have had goes after a month; who then comes too late is told what to do.
    beginning = client.get("/api/conversions/changes?limit=1").json()
    assert len(beginning["changes"]) == 1
    client.send("PUT", f"/api/webhooks/{webhook['id']}", {"url": receiver.url, "paused": True})
    served.fault("clock", 40 * DAY)
    wait_for(lambda: client.get("/api/conversions/changes").status_code == 410, SECONDS)
    gone = client.get("/api/conversions/changes").json()["message"]
    assert "are no longer kept, and 0 were read: start from an export of the conversions" in gone
    assert client.get(f"/api/conversions/changes?cursor={beginning['cursor']}").json()["changes"] == []
    refused = client.post("/api/webhooks", {"url": receiver.url, "from": "beginning"})
    assert (refused.status_code, refused.json()["message"]) == (410, gone)


def test_a_test_tells_what_the_receiver_answers(client: Client, receiver: Receiver) -> None:
    client.launch(campaign("hook-test"))
    webhook = hook(client, receiver, "hook-test")
    path = f"/api/webhooks/{webhook['id']}/test"
    assert client.post(path).json()["received"] is True
    (one,) = receiver.received
    assert one.is_signed_with(webhook["secret"])
    assert one.content["changes"] == []
    receiver.answers(404)
    answered = client.post(path).json()
    assert (answered["received"], answered["status"]) == (False, 404)
    assert answered["message"] == "the receiver answered 404"
    moved = {"url": "http://127.0.0.1:1/", "campaigns": ["hook-test"]}
    assert client.put(f"/api/webhooks/{webhook['id']}", moved).status_code == 200
    answered = client.post(path).json()
    assert (answered["received"], answered["status"]) == (False, None)


def test_a_webhook_is_shown_without_its_secret_and_deleted(client: Client, receiver: Receiver) -> None:
    client.launch(campaign("hook-life"))
    made = hook(client, receiver, "hook-life", conversion_events=["B", "A", "A"], **{"from": "now"})
    assert made["secret"].startswith("whsec_")
    shown = {name: value for name, value in made.items() if name != "secret"}
    assert told(client, made) == shown
    assert shown["conversion_events"] == ["A", "B"]
    assert shown in client.get("/api/webhooks").json()["webhooks"]
    assert made["secret"][6:] not in client.get("/api/webhooks").text
    place = f"/api/webhooks/{made['id']}"
    paused = client.put(place, {"url": receiver.url, "paused": True}).json()
    assert (paused["status"], paused["campaigns"], paused["conversion_events"]) == ("paused", None, None)
    assert client.put(place, {"url": receiver.url}).json()["status"] == "paused"
    assert client.put(place, {"url": receiver.url, "paused": False}).json()["status"] == "active"
    assert client.send("DELETE", place).status_code == 200
    assert client.get(place).status_code == 404
    assert client.get(place).json()["message"] == f'there is no webhook "{made["id"]}"'


def test_a_change_of_what_is_wanted_holds_from_the_position_on(client: Client, receiver: Receiver) -> None:
    client.launch(campaign("hook-put"))
    client.launch(campaign("hook-put-2"))
    webhook = hook(client, receiver, "hook-put")
    for of in ("hook-put", "hook-put-2"):
        expose(client, of, f"{of}-1", f"{of}-2")
        buy(client, f"{of}-1", f"{of}-e1")
    wait_until_got(receiver, "+hook-put/A/x-hook-put-hook-put-1/hook-put-e1")
    client.loaded()
    wait_for(lambda: told(client, webhook)["cursor"] == _end(client), SECONDS)
    client.put(f"/api/webhooks/{webhook['id']}", {"url": receiver.url, "campaigns": ["hook-put-2"]})
    buy(client, "hook-put-2-2", "hook-put-2-e2")
    wait_until_got(
        receiver,
        "+hook-put/A/x-hook-put-hook-put-1/hook-put-e1",
        "+hook-put-2/A/x-hook-put-2-hook-put-2-2/hook-put-2-e2",
    )


def _end(client: Client) -> str:
    return str(client.get("/api/conversions/changes?cursor=now").json()["cursor"])


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        pytest.param({}, "missing required field `url`", id="no-url"),
        pytest.param({"url": "ftp://h/"}, 'url begins with "ftp:", must begin with https:// or http://', id="scheme"),
        pytest.param({"url": "https:///x"}, "url names no host", id="no-host"),
        pytest.param({"url": "http://h:port/"}, "url cannot be read: ", id="port"),
        pytest.param({"url": "http://u:hush@h/"}, "url holds a user name or password", id="password"),
        pytest.param({"url": "http://h/#x"}, "url has a part after #", id="fragment"),
        pytest.param({"url": "http://h/\r\nx: y"}, "url holds characters that are not plain ASCII", id="newline"),
        pytest.param({"url": f"http://h/{'x' * 2000}"}, "url has 2009 characters, at most 2000", id="long"),
        pytest.param(
            {"url": "http://h/", "campaigns": ["warn"]}, 'unknown campaign "warn", did you mean "warm"?', id="c"
        ),
        pytest.param({"url": "http://h/", "campaigns": []}, "campaigns is empty", id="no-campaigns"),
        pytest.param(
            {"url": "http://h/", "conversion_events": ["E"]}, 'has "E", must be letters of A to D', id="letter"
        ),
        pytest.param({"url": "http://h/", "from": "then"}, '"then" is no cursor', id="from"),
        pytest.param({"url": "http://h/", "secret": "x"}, "unknown field `secret`", id="own-secret"),
    ],
)
def test_a_webhook_that_cannot_be_is_refused(client: Client, body: dict[str, Any], sentence: str) -> None:
    answer = client.post("/api/webhooks", body)
    assert answer.status_code == 400
    assert sentence in answer.json()["message"]
    assert "hush" not in answer.text


@pytest.mark.parametrize(
    ("query", "status", "sentence"),
    [
        ("limit=0", 400, 'limit is "0", must be a whole number from 1 to 10,000'),
        ("limit=1e3", 400, 'limit is "1e3", must be a whole number from 1 to 10,000'),
        ("limit=20000", 400, 'limit is "20000", must be a whole number from 1 to 10,000'),
        ("cursor=x", 400, '"x" is no cursor'),
        ("cursor=1-0", 410, "this is no place in the feed, for the database was begun again or restored"),
        ("campaign=warn", 404, 'unknown campaign "warn"'),
    ],
)
def test_changes_that_cannot_be_read_are_refused(client: Client, query: str, status: int, sentence: str) -> None:
    client.loaded()
    answer = client.get(f"/api/conversions/changes?{query}")
    assert answer.status_code == status
    assert sentence in answer.json()["message"]


def test_changes_are_read_page_by_page_and_from_now(client: Client, shared: Served) -> None:
    client.launch(campaign("pages"))
    users = [f"page-{number}" for number in range(5)]
    expose(client, "pages", *users)
    now = _end(client)
    client.post("/api/events", {"events": [purchase(user, event_id=f"of-{user}") for user in users]})
    client.loaded()
    wait_for(lambda: len(client.get("/api/conversions/changes?campaign=pages").json()["changes"]) == 5, SECONDS)
    found: list[str] = []
    cursor, more = now, True
    while more:
        page = client.get(f"/api/conversions/changes?campaign=pages&limit=2&cursor={cursor}").json()
        assert len(page["changes"]) <= 2
        found += [change["user_id"] for change in page["changes"]]
        cursor, more = page["cursor"], page["more"]
    assert sorted(found) == users
    assert client.get(f"/api/conversions/changes?campaign=pages&cursor={cursor}").json()["changes"] == []


def test_the_receiver_of_the_page_works(client: Client, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "webhooks.md").read_text(encoding="utf-8")
    code = re.search(r"^```python receiver.py\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert code is not None
    (tmp_path / "receiver.py").write_text(code[1], encoding="utf-8")
    client.launch(campaign("hook-page"))
    port = free_port()
    made = client.post("/api/webhooks", {"url": f"http://127.0.0.1:{port}/", "campaigns": ["hook-page"]}).json()
    out = tmp_path / "out.txt"
    with out.open("w") as file:
        command = [sys.executable, str(tmp_path / "receiver.py"), str(port)]
        environment = {**os.environ, "WEBHOOK_SECRET": made["secret"]}
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.DEVNULL, env=environment)
    try:
        path = f"/api/webhooks/{made['id']}/test"
        wait_for(lambda: client.post(path).json()["status"] == 204, SECONDS)
        expose(client, "hook-page", "pat")
        buy(client, "pat", "pat-2")
        wait_for(lambda: out.read_text() == "conversion pat 1\n", SECONDS)
        buy(client, "pat", "pat-1", ago=600)
        wait_for(lambda: out.read_text().endswith("\nretraction pat 0\nconversion pat 1\n"), SECONDS)
        forged = httpx.post(
            f"http://127.0.0.1:{port}/",
            content=b'{"changes": []}',
            headers={"webhook-id": "x", "webhook-timestamp": str(int(time.time())), "webhook-signature": "v1,AAAA"},
        )
        assert forged.status_code == 401
    finally:
        process.kill()
        process.wait()
