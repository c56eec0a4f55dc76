"""PyPI's `braze-client`, unmodified, against a real server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from braze.client import (  # type: ignore[import-untyped]  # has no types of its own
    BrazeClient,
    BrazeClientError,
    BrazeInternalServerError,
    BrazeRateLimitError,
)

from tests.interfaces.clients import told, watched
from tests.interfaces.conftest import Serving
from tests.interfaces.serving import Client, instant, wait_for


@contextmanager
def speaking(address: str, key: str) -> Iterator[BrazeClient]:
    client = BrazeClient(api_key=key, api_url=address)
    with client.session:
        yield client


@pytest.fixture
def braze(client: Client) -> Iterator[BrazeClient]:
    with speaking(client.address, client.key) as found:
        yield found


def bought(user: Any, price: float = 2.5, **fields: Any) -> dict[str, Any]:
    named = {"external_id": user, "product_id": "p", "currency": "EUR", "price": price, "time": instant(60)}
    return {**named, **fields}


def test_what_it_tracks_counts(client: Client, braze: BrazeClient) -> None:
    watched(client, "braze-client", ["bc-1", "bc-2", "1017"])
    answer = braze.user_track(
        attributes=[{"external_id": "bc-1", "first_name": "Ann", "shoe_size": 41, "email": "ann@example.org"}],
        events=[
            {"external_id": "bc-2", "name": "added_to_cart", "time": instant(60), "properties": {"total": 9.5}},
            {"external_id": 1017, "name": "added_to_cart", "time": instant(60), "app_id": "shop"},
        ],
        purchases=[bought("bc-1", quantity=2), bought("bc-1"), bought(1017, price=1)],
    )
    counts = {"attributes_processed": 1, "events_processed": 2, "purchases_processed": 3}
    assert answer == {"errors": [], "message": "success", "status_code": 201, "success": True, **counts}
    assert told(client, "braze-client") == ([2, 2, 0, 0], {"EUR": 8.5})
    exported = braze.user_export(external_ids=["bc-1", "nobody"], fields_to_export=["external_id", "first_name"])
    assert exported["users"] == [{"external_id": "bc-1", "first_name": "Ann"}]
    assert exported["invalid_user_ids"] == ["nobody"]
    by_address = braze.user_export(email="ann@example.org")
    (found,) = by_address["users"]
    assert found["external_id"] == "bc-1"
    assert found["custom_attributes"] == {"shoe_size": 41}


def test_what_is_bad_is_named_and_no_success(client: Client, braze: BrazeClient) -> None:
    watched(client, "braze-errors", ["be-1"])
    answer = braze.user_track(purchases=[bought("be-1", quantity=0), bought("be-1")])
    assert not answer["success"]
    assert (answer["message"], answer["purchases_processed"]) == ("success", 1)
    assert answer["errors"] == [{"type": "'quantity' is not valid", "input_array": "purchases", "index": 0}]
    with pytest.raises(BrazeClientError) as raised:
        braze.user_track(events=[{"name": "x"}])
    assert raised.value.args[0].startswith("Valid data must be provided")
    assert len(raised.value.args[1]) == 1
    assert told(client, "braze-errors") == ([1, 0, 0, 0], {"EUR": 2.5})


def test_a_wrong_key_is_said(client: Client) -> None:
    with speaking(client.address, "nonsense") as braze, pytest.raises(BrazeClientError, match="Invalid API key: "):
        braze.user_track(events=[{"external_id": "u", "name": "x", "time": instant()}])


def test_it_does_not_take_a_message_for_sent(braze: BrazeClient) -> None:
    with pytest.raises(BrazeInternalServerError):
        braze.campaign_trigger_schedule_create("c", {"time": instant(-60)}, recipients=[{"external_user_id": "u"}])


def test_it_waits_as_the_rate_limit_says_and_loses_nothing(serving: Serving) -> None:
    served = serving(track_rate=[4, 1.0])
    client = served.start()
    watched(client, "braze-rate", ["br-1"])
    with speaking(served.address, client.key) as braze:
        for _ in range(12):
            assert braze.user_track(purchases=[bought("br-1", price=1)])["success"]
    assert told(client, "braze-rate") == ([1, 0, 0, 0], {"EUR": 12.0})


def test_it_is_told_when_to_come_again(serving: Serving) -> None:
    served = serving(track_rate=[1, 60.0])
    client = served.start()
    with speaking(served.address, client.key) as braze:
        assert braze.user_track(purchases=[bought("u")])["success"]
        with pytest.raises(BrazeRateLimitError) as raised:
            braze.user_track(purchases=[bought("u")])
    assert 50 < raised.value.reset_epoch_s - time.time() < 70


@pytest.mark.slow
def test_what_it_could_not_bring_in_counts_once_when_it_comes_again(serving: Serving) -> None:
    served = serving()
    client = served.start()
    watched(client, "braze-again", ["ba-1"])
    purchases = [bought("ba-1", event_id="once"), bought("ba-1", event_id="twice")]
    with speaking(served.address, client.key) as braze:
        assert braze.user_track(purchases=purchases[:1])["success"]
        served.fault("full-log")
        with pytest.raises(BrazeInternalServerError):  # after three tries
            braze.user_track(purchases=purchases)
        served.mend()
        wait_for(lambda: client.get("/readyz").status_code == 200, 15)
        assert braze.user_track(purchases=purchases)["success"]
    assert told(client, "braze-again") == ([1, 0, 0, 0], {"EUR": 5.0})
