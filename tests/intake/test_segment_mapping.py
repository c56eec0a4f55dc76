"""Which call of Segment's protocol becomes what, message by message."""

from __future__ import annotations

from typing import Any

import pytest

from afterword.intake.accepted import Attributes, Merge
from afterword.intake.segment import Policy, read_batch
from tests.intake.segment_world import NOW, SECOND, SENT, event, facts, message, micros, plain, read, rejection, track

IOS = {"app": {"name": "Shop", "namespace": "com.example.shop", "version": "3.7.0"}, "device": {"id": "d-1"}}


def test_a_track_call_is_a_custom_event() -> None:
    found = event(track("added_to_cart", {"cart": {"total": 50}, "sku": "s"}, context=IOS))
    assert (found.item, found.kind, found.name, found.event_id) == (0, "custom", "added_to_cart", "m-1")
    assert (found.user_id, found.occurred_at, found.corrected) == ("ann", micros(SENT), False)
    assert (found.app_id, found.app_version, found.device_id) == ("com.example.shop", "3.7.0", "d-1")
    assert plain(found.properties) == {"cart": {"total": 50}, "sku": "s"}


@pytest.mark.parametrize(
    ("name", "properties", "context", "kind", "columns"),
    [
        pytest.param("Application Opened", {}, IOS, "session", {"app_version": "3.7.0"}, id="opened"),
        pytest.param("Application Opened", {"version": "2"}, {}, "session", {"app_version": "2"}, id="own-version"),
        pytest.param("Application Opened", {"version": "2"}, IOS, "session", {"app_version": "3.7.0"}, id="of-the-app"),
        pytest.param("Application Opened", {}, {}, "session", {"app_version": None}, id="no-version"),
        pytest.param("Application Opened", {"version": 4}, {}, "session", {"app_version": "4"}, id="version-as-number"),
        pytest.param("application opened", {}, {}, "custom", {"name": "application opened"}, id="names-are-exact"),
        pytest.param("Application Installed", {"version": "1"}, {}, "custom", {"app_version": None}, id="installed"),
        pytest.param(
            "Application Updated",
            {"previous_version": "1.2", "version": "1.3"},
            IOS,
            "upgrade",
            {"from_version": "1.2", "app_version": "1.3", "app_id": "com.example.shop", "device_id": "d-1"},
            id="updated",
        ),
        pytest.param(
            "Application Updated",
            {"previous_version": "1.2"},
            IOS,
            "upgrade",
            {"from_version": "1.2", "app_version": "3.7.0"},
            id="updated-to-the-version-of-the-app",
        ),
        pytest.param(
            "Application Updated", {"version": "1.3"}, {}, "custom", {"from_version": None}, id="from-nothing"
        ),
        pytest.param("Email Opened", {"campaign_id": "c"}, {}, "custom", {"campaign_id": None}, id="foreign-campaign"),
        pytest.param("Order Updated", {"order_id": "o"}, {}, "custom", {"order_id": None}, id="order-updated"),
    ],
)
def test_what_a_track_call_becomes(
    name: str, properties: dict[str, Any], context: dict[str, Any], kind: str, columns: dict[str, Any]
) -> None:
    found = event(track(name, properties, context=context))
    assert found.kind == kind
    assert {column: getattr(found, column) for column in columns} == columns


def test_a_version_written_as_a_number_keeps_its_digits() -> None:
    body = (
        b'{"batch":[{"type":"track","event":"Application Opened","userId":"ann","messageId":"m",'
        b'"timestamp":"2024-12-01T09:30:00Z","properties":{"version":1.10}}]}'
    )
    assert read_batch(body, NOW).accepted.events[0].app_version == "1.10"


@pytest.mark.parametrize(
    ("context", "properties", "starts"),
    [
        pytest.param({}, {}, True, id="says-nothing"),
        pytest.param({"page": {"url": "https://a.example/x", "referrer": ""}}, {}, True, id="opened-directly"),
        pytest.param(
            {"page": {"url": "https://a.example/x", "referrer": "https://search.example/"}}, {}, True, id="elsewhere"
        ),
        pytest.param(
            {"page": {"url": "https://a.example/x", "referrer": "https://a.example/"}}, {}, False, id="same-site"
        ),
        pytest.param(
            {"page": {"url": "https://www.a.example/x", "referrer": "http://A.example:80/"}}, {}, False, id="www"
        ),
        pytest.param({}, {"url": "https://a.example/x", "referrer": "https://a.example/"}, False, id="in-properties"),
        pytest.param({"page": {"referrer": "https://a.example/"}}, {}, True, id="no-own-address"),
        pytest.param({"page": {"url": "//[", "referrer": "http://[bad"}}, {}, True, id="no-addresses"),
        pytest.param({"page": {"url": 5, "referrer": ["x"]}}, {}, True, id="no-texts"),
        pytest.param({"page": "x"}, {}, True, id="no-page"),
    ],
)
@pytest.mark.parametrize("call", ["page", "screen"])
def test_what_starts_a_visit(call: str, context: dict[str, Any], properties: dict[str, Any], starts: bool) -> None:
    received = read(message(call, name="Home", context=context, properties=properties))
    assert [found.kind for found in received.accepted.events] == (["session"] if starts else [])
    assert sum(received.unread.values()) == (0 if starts else 1)
    assert received.accepted.rejected == []


def test_name_and_category_of_a_page_are_among_its_properties() -> None:
    found = event(message("page", name="Shoes", category="Shop", properties={"name": "own", "x": 1}))
    assert plain(found.properties) == {"name": "own", "category": "Shop", "x": 1}


@pytest.mark.parametrize(
    ("context", "app_id"),
    [
        pytest.param(IOS, "com.example.shop", id="namespace"),
        pytest.param({"app": {"name": "Shop"}}, "Shop", id="name"),
        pytest.param({"page": {"url": "https://www.shop.example/x"}}, "shop.example", id="host"),
        pytest.param({"app": {"name": ""}, "page": {"url": "/x"}}, None, id="none"),
        pytest.param(None, None, id="no-context"),
    ],
)
def test_the_app(context: dict[str, Any] | None, app_id: str | None) -> None:
    assert event(track("x", context=context)).app_id == app_id


def test_the_app_of_a_page_that_has_its_address_among_its_properties() -> None:
    assert event(message("page", properties={"url": "https://shop.example/"})).app_id == "shop.example"


@pytest.mark.parametrize(
    ("fields", "user_id"),
    [
        pytest.param({"userId": "ann", "anonymousId": "anon"}, "ann", id="user"),
        pytest.param({"userId": "", "anonymousId": "anon"}, "anon", id="empty-user"),
        pytest.param({"anonymousId": "anon"}, "anon", id="anonymous"),
        pytest.param({"userId": 17}, "17", id="integer"),
    ],
)
def test_who_it_was(fields: dict[str, Any], user_id: str) -> None:
    assert event({"type": "track", "event": "x", "timestamp": SENT, **fields}).user_id == user_id


def test_ids_that_are_null_are_missing() -> None:
    sent = track("x") | {"userId": None, "anonymousId": "anon", "messageId": None, "context": None, "properties": None}
    found = event(sent)
    assert (found.user_id, found.properties) == ("anon", None)
    assert rejection(sent | {"anonymousId": None}) == (
        "missing_field",
        "userId is missing, and so is anonymousId: a message must have one",
    )


@pytest.mark.parametrize(
    ("fields", "values"),
    [
        pytest.param({"traits": {"plan": "pro", "age": 3}}, {"plan": "pro", "age": 3}, id="traits"),
        pytest.param({"context": {"traits": {"plan": "pro"}}}, {"plan": "pro"}, id="under-context"),
        pytest.param({"traits": {"a": 1}, "context": {"traits": {"a": 2, "b": 3}}}, {"a": 1, "b": 3}, id="both"),
        pytest.param({"traits": {"a": None}}, {"a": None}, id="null-removes"),
    ],
)
def test_identify_is_attributes(fields: dict[str, Any], values: dict[str, Any]) -> None:
    (found,) = facts(message("identify", **fields)).attributes
    assert (found.user_id, plain(found.values)) == ("ann", values)


@pytest.mark.parametrize("traits", [{}, [], None])
def test_identify_without_traits_says_nothing(traits: Any) -> None:
    received = read(message("identify", traits=traits))
    assert received.accepted.attributes == []
    assert received.unread == {"an identify without traits says nothing": 1}


def test_group_is_an_attribute_of_the_user() -> None:
    (found,) = facts(message("group", groupId=7, traits={"name": "Initech"})).attributes
    assert found == Attributes(0, "ann", found.values)
    assert plain(found.values) == {"group_id": "7"}


def test_alias_is_a_merge() -> None:
    assert facts(message("alias", previousId="anon")).merges == [Merge(0, "anon", "ann")]
    assert facts(message("alias", previousId="a", userId=None, anonymousId="b")).merges == [Merge(0, "a", "b")]
    (rejected,) = facts(message("alias")).rejected
    assert (rejected.kind, rejected.message) == ("merges", "previousId is missing, which an alias call must have")


def test_the_context_of_the_batch_is_that_of_messages_without_one_of_their_own() -> None:
    first, second = facts(
        track("x"), track("x", messageId="m-2", context={"device": {"id": "d-2"}}), context=IOS
    ).events
    assert (first.app_id, first.device_id) == ("com.example.shop", "d-1")
    assert (second.app_id, second.device_id) == ("com.example.shop", "d-2")


def test_traits_of_the_batch_are_nobodys() -> None:
    received = read(message("identify"), context={"traits": {"a": 1}})
    assert (received.accepted.attributes, len(received.unread)) == ([], 1)


def test_empty_objects_as_php_writes_them() -> None:
    found = event(track("x") | {"properties": [], "context": []})
    assert found.properties is None


class TestClock:
    """`timestamp = receivedAt - (sentAt - originalTimestamp)`."""

    def test_a_wrong_clock_is_corrected(self) -> None:
        found = event(track("x", timestamp="1999-01-01T00:00:00Z"), sentAt="1999-01-01T00:00:10Z")
        assert (found.occurred_at, found.corrected) == (NOW - 10 * SECOND, True)

    def test_the_original_timestamp_is_the_clients(self) -> None:
        sent = track("x", originalTimestamp="2024-12-01T11:00:00Z", sentAt="2024-12-01T11:00:03Z")
        assert event(sent).occurred_at == NOW - 3 * SECOND

    def test_a_message_may_say_itself_when_it_was_sent(self) -> None:
        sent = track("x", timestamp="2024-12-01T11:00:00Z", sentAt="2024-12-01T11:00:01Z")
        assert event(sent, sentAt="2024-12-01T11:59:00Z").occurred_at == NOW - SECOND

    def test_what_another_server_has_corrected_is_not_corrected_again(self) -> None:
        sent = track("x", originalTimestamp="2020-01-01T00:00:00Z", sentAt="2020-01-01T00:00:01Z")
        found = event(sent | {"receivedAt": "2024-12-01T10:00:00Z"})
        assert (found.occurred_at, found.corrected) == (micros(SENT), False)

    def test_without_sent_at_the_time_is_as_it_was_sent(self) -> None:
        found = event(track("x"))
        assert (found.occurred_at, found.corrected) == (micros(SENT), False)
        assert event(track("x", sentAt=""), sentAt=None).corrected is False

    def test_without_a_time_it_is_that_of_receipt(self) -> None:
        found = event(track("x", timestamp=None), sentAt="2024-12-01T11:00:00Z")
        assert (found.occurred_at, found.corrected, found.once) == (NOW, True, True)

    @pytest.mark.parametrize(
        ("timestamp", "sent_at", "skew", "kept"),
        [
            pytest.param("2024-12-01T12:05:00Z", None, 300, True, id="at-the-bound"),
            pytest.param("2024-12-01T12:05:00.000001Z", None, 300, False, id="past-the-bound"),
            pytest.param("2024-12-01T12:00:01Z", None, 0, False, id="no-skew-allowed"),
            pytest.param("2030-01-01T00:00:00Z", "2030-01-01T00:00:01Z", 300, True, id="the-whole-clock-is-ahead"),
            pytest.param("2024-12-01T12:06:00Z", "2024-12-01T12:00:00Z", 300, False, id="later-than-it-was-sent"),
        ],
    )
    def test_the_future_is_rejected(self, timestamp: str, sent_at: str | None, skew: int, kept: bool) -> None:
        accepted = facts(track("x", timestamp=timestamp), sentAt=sent_at, policy=Policy(skew=skew * SECOND))
        assert [found.reason.value for found in accepted.rejected] == ([] if kept else ["in_future"])

    def test_the_sentence_about_the_future(self) -> None:
        assert rejection(track("x", timestamp="2025-12-01T12:00:00Z")) == (
            "in_future",
            'timestamp "2025-12-01T12:00:00Z" is more than 300 s later than its receipt',
        )

    def test_what_was_sent_before_1970_is_no_time(self) -> None:
        sent = track("x", timestamp="1970-01-01T00:00:00Z")
        assert rejection(sent, sentAt="2100-01-01T00:00:00Z")[0] == "bad_time"
