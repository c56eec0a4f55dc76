"""`Idempotency-Key`: a request that comes again does nothing and gets the answer that it got before."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.interfaces.conftest import Serving
from tests.interfaces.serving import Client, Served, campaign, exposures, instant, purchase


def track(user: str, *, at: str | None = None, count: int = 2) -> dict[str, object]:
    """Equal purchases without ids: Braze takes each of them, and again when they are sent again."""
    bought = {"external_id": user, "product_id": "p", "currency": "EUR", "price": 5, "time": at or instant(60)}
    return {"purchases": [bought] * count}


def alone(client: Client, user: str) -> str:
    """Launch a campaign with this user alone; return its id."""
    client.launch(campaign(f"of-{user}"))
    client.post("/api/exposures", exposures([user], of=f"of-{user}"))
    return f"of-{user}"


def spent(client: Client, name: str) -> float:
    """Return what a campaign brought in euros, for which there is no rate."""
    client.loaded()
    row = next(one for one in client.report(name)["variants"] if one["id"] == "a")
    return float(row["revenue"]["unconverted"].get("EUR", 0))


def test_again_is_answered_as_before_and_counted_once(client: Client) -> None:
    name, body = alone(client, "idem-1"), track("idem-1")
    answers = [client.post("/users/track", body, Idempotency_Key="again-1") for _ in range(3)]
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert answers[0].json() == {"message": "success", "purchases_processed": 2}
    assert spent(client, name) == 10


def test_without_the_key_equal_purchases_are_more_purchases(client: Client) -> None:
    name, body = alone(client, "idem-2"), track("idem-2")
    for _ in range(2):
        assert client.post("/users/track", body).status_code == 201
    assert spent(client, name) == 20


def test_another_key_is_another_request(client: Client, shared: Served) -> None:
    name, body = alone(client, "idem-3"), track("idem-3")
    other = shared.client(shared.make_key("users.track"))
    client.post("/users/track", body, Idempotency_Key="again-3")
    client.post("/users/track", body, Idempotency_Key="again-3b")
    other.post("/users/track", body, Idempotency_Key="again-3")  # of another API key
    assert spent(client, name) == 30


def test_another_body_or_path_under_the_same_key_is_409(client: Client) -> None:
    assert client.post("/users/track", track("idem-4"), Idempotency_Key="again-4").status_code == 201
    position = client.metric("afterword_log_position")
    for path, body in (("/users/track", track("idem-4b")), ("/api/events", track("idem-4"))):
        answer = client.post(path, body, Idempotency_Key="again-4")
        assert answer.status_code == 409
        assert answer.json()["message"] == 'the Idempotency-Key "again-4" was used for another body'
    assert client.metric("afterword_log_position") == position


@pytest.mark.parametrize("key", ["x" * 256, "\xa0"])
def test_a_key_that_cannot_be_kept_is_400(client: Client, key: str) -> None:
    headers = httpx.Headers({**client.bearer(), "Idempotency-Key": key}, encoding="latin-1")
    answer = client.http.post("/users/track", headers=headers)
    assert answer.status_code == 400
    assert "Idempotency-Key" in answer.json()["message"]


def test_a_refusal_is_repeated_too_and_a_broken_body_can_be_mended(client: Client) -> None:
    bad = {"events": [{"user_id": "idem-5"}]}
    answers = [client.post("/api/events", bad, Idempotency_Key="again-5") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [400, 400]
    assert answers[0].content == answers[1].content
    assert client.post("/api/events", b"{", Idempotency_Key="again-5b").status_code == 400
    assert client.post("/api/events", purchase("idem-5"), Idempotency_Key="again-5b").status_code == 201


def test_many_at_once_are_one(client: Client) -> None:
    name, body = alone(client, "idem-6"), track("idem-6")
    together = threading.Barrier(8)

    def send(_: int) -> httpx.Response:
        together.wait()
        return client.post("/users/track", body, Idempotency_Key="again-6")

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(send, range(8)))
    codes = [answer.status_code for answer in answers]
    assert codes.count(201) >= 1
    assert set(codes) <= {201, 409}
    assert all("still worked on" in answer.text for answer in answers if answer.status_code == 409)
    assert spent(client, name) == 10


def test_an_order_of_several_lines_is_kept_whole(client: Client) -> None:
    """One item may stand for several facts, none of which may take the id of another."""
    name = alone(client, "idem-7")
    products = [{"product_id": f"p{n}", "price": 1, "quantity": 1} for n in range(3)]
    properties = {"order_id": "o-7", "currency": "EUR", "total_value": 3, "products": products}
    order = {"external_id": "idem-7", "name": "ecommerce.order_placed", "time": instant(60), "properties": properties}
    for _ in range(2):
        assert client.post("/users/track", {"events": [order]}, Idempotency_Key="again-7").status_code == 201
    assert spent(client, name) == 3


@pytest.mark.parametrize("kind", ["answered", "unanswered"])
def test_a_lost_answer_a_crash_and_a_retry_count_once(serving: Serving, kind: str) -> None:
    served = serving()
    client = served.start()
    name, body = alone(client, "crash"), track("crash")
    if kind == "answered":  # it was acknowledged, and the client never heard of it
        assert client.post("/users/track", body, Idempotency_Key="lost").status_code == 201
    else:  # it is durable, and the server died before the answer was kept
        served.fault("kill-finish", 0)
        with pytest.raises(httpx.TransportError):
            client.post("/users/track", body, Idempotency_Key="lost")
    served.kill()
    served.mend()
    client = served.start()
    again = [client.post("/users/track", body, Idempotency_Key="lost") for _ in range(2)]
    assert [answer.status_code for answer in again] == [201, 201]
    assert client.metric("afterword_log_position") == (2 if kind == "answered" else 3)
    assert spent(client, name) == 10
