"""Sessions: whose they are, and when they end."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from afterword.store.accounts import Role, UnknownAccount
from afterword.store.sessions import FRESH_MICROSECONDS, IDLE_MICROSECONDS, LONGEST_MICROSECONDS, SEEN_MICROSECONDS
from tests.store.people_world import DAY, HOUR, MINUTE, SECOND, People, people_at


@pytest.fixture
def people(place: str) -> Iterator[People]:
    with people_at(place) as opened:
        yield opened


def test_a_session_is_found_by_its_secret(people: People) -> None:
    ann = people.add()
    secret = people.signed_in(ann, 20)
    found = people.sessions.find(secret, 21)
    assert found is not None
    assert (found.account.id, found.account.last_seen_at) == (ann.id, 20)
    [session] = people.sessions.list(ann.id)
    assert (session.id, session.created_at, session.seen_at) == (found.session_id, 20, 20)
    again, other = people.sessions.find(secret, 22), people.sessions.find(people.signed_in(ann), 22)
    assert again is not None
    assert other is not None
    assert found.csrf == again.csrf != other.csrf
    assert found.csrf not in secret


WRONG: list[Callable[[str], str]] = [
    lambda secret: "",
    lambda secret: secret[:-1],
    lambda secret: secret + "\n",
    lambda secret: secret[:-1] + ("b" if secret[-1] == "a" else "a"),
    lambda secret: secret[:21] + "a" * 52,
    lambda secret: "aws_" + "z" * 16 + secret[20:],
    lambda secret: "\ud800" + secret[1:],
]


def test_what_is_not_the_secret_finds_nothing_and_ends_nothing(people: People) -> None:
    secret = people.signed_in(people.add())
    for change in WRONG:
        assert people.sessions.find(change(secret), 21) is None
        people.sessions.end(change(secret), 22)
        assert people.sessions.find(secret, 23) is not None
        assert people.sessions.find(change(secret), 24) is None


def test_nobody_and_who_is_disabled_begin_none(people: People) -> None:
    people.add()
    ben = people.add("ben@example.com")
    people.accounts.disable(ben.id, 15)
    for account_id in ("p9", ben.id):
        with pytest.raises(UnknownAccount):
            people.sessions.begin(account_id, 20, os.urandom)


def test_a_session_that_is_left_ends(people: People) -> None:
    ann = people.add()
    secret = people.signed_in(ann, 0)
    assert people.sessions.find(secret, IDLE_MICROSECONDS - 1) is not None
    assert people.sessions.find(secret, 2 * IDLE_MICROSECONDS - 2) is not None
    assert people.sessions.find(secret, 3 * IDLE_MICROSECONDS - 2) is None
    assert people.sessions.find(people.signed_in(ann, 0), IDLE_MICROSECONDS) is None


def test_no_session_lasts_longer_than_thirty_days(people: People) -> None:
    secret = people.signed_in(people.add(), 0)
    for at in range(0, LONGEST_MICROSECONDS, 6 * HOUR):
        assert people.sessions.find(secret, at) is not None
    assert people.sessions.find(secret, LONGEST_MICROSECONDS - 1) is not None
    assert people.sessions.find(secret, LONGEST_MICROSECONDS) is None
    assert LONGEST_MICROSECONDS == 30 * DAY


def test_when_it_was_seen_is_written_once_a_minute(people: People) -> None:
    ann = people.add()
    secret = people.signed_in(ann, 0)
    for at, written in ((SEEN_MICROSECONDS - 1, 0), (MINUTE + 5, MINUTE + 5), (2 * MINUTE, MINUTE + 5)):
        assert people.sessions.find(secret, at) is not None
        assert [one.seen_at for one in people.sessions.list(ann.id)] == [written]
        assert people.accounts.get(ann.id).last_seen_at == written


def test_an_ended_session_is_gone_at_once(people: People) -> None:
    ann = people.add()
    first, second, third = (people.signed_in(ann) for _ in range(3))
    signed = [people.sessions.find(secret, 21) for secret in (first, second, third)]
    people.sessions.end(first, 22)
    assert people.sessions.find(first, 22) is None
    assert signed[1] is not None
    assert not people.sessions.end_one("p2", signed[1].session_id, 23)
    assert people.sessions.find(second, 23) is not None
    assert people.sessions.end_one(ann.id, signed[1].session_id, 23)
    assert people.sessions.find(second, 23) is None
    assert people.sessions.end_all(ann.id, 24) == 1
    assert people.sessions.find(third, 24) is None
    assert people.sessions.list(ann.id) == []


ENDINGS = [
    pytest.param(lambda people, who: people.accounts.set_password(who, "another password", 22), id="password"),
    pytest.param(lambda people, who: people.accounts.set_role(who, Role.VIEWER, 22), id="role"),
    pytest.param(lambda people, who: people.accounts.disable(who, 22), id="disabled"),
]


@pytest.mark.parametrize("change", ENDINGS)
def test_a_change_ends_all_sessions_of_the_person(people: People, change: Callable[[People, str], object]) -> None:
    ann, ben = people.add(), people.add("ben@example.com")
    secrets, other = [people.signed_in(ben) for _ in range(2)], people.signed_in(ann)
    assert all(people.sessions.find(secret, 21) for secret in secrets)
    change(people, ben.id)
    assert [people.sessions.find(secret, 22) for secret in secrets] == [None, None]
    assert people.sessions.find(other, 22) is not None
    if (account := people.accounts.get(ben.id)).disabled_at is not None:
        people.accounts.enable(account.id, 23)
    assert people.sessions.find(secrets[0], 24) is None


def test_the_same_role_ends_nothing(people: People) -> None:
    ann = people.add()
    secret = people.signed_in(ann)
    people.accounts.set_role(ann.id, Role.ADMIN, 21)
    assert people.sessions.find(secret, 22) is not None


def test_another_process_that_ends_one_is_heard_within_a_second(place: str) -> None:
    with people_at(place) as server, people_at(place) as other:
        ann = server.add()
        secret = server.signed_in(ann)
        assert server.sessions.find(secret, 21) is not None
        other.accounts.set_password(ann.id, "another password", 22)
        assert server.sessions.find(secret, 21 + FRESH_MICROSECONDS) is None


def test_a_known_session_is_not_asked_for_again(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = people.signed_in(people.add(), 20)
    assert people.sessions.find(secret, 21) is not None
    monkeypatch.setattr("afterword.store.metadata_database.Database.reading", None)
    assert people.sessions.find(secret, 21 + FRESH_MICROSECONDS - 1) is not None


def test_a_clock_that_was_set_back_makes_nothing_last_longer(place: str) -> None:
    with people_at(place) as server, people_at(place) as other:
        ann = server.add()
        secret = server.signed_in(ann, 900 * SECOND)
        assert server.sessions.find(secret, 1000 * SECOND) is not None
        other.sessions.end_all(ann.id, 12)
        assert server.sessions.find(secret, 950 * SECOND) is None
