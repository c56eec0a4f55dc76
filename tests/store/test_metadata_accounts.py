"""People who sign in: what lets them in, and what does not."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from afterword.errors import UserError
from afterword.store.accounts import AccountRefused, Role, UnknownAccount
from afterword.store.metadata import open_metadata
from afterword.store.metadata_tables import accounts
from afterword.store.sign_ins import FREE_ATTEMPTS, LONGEST_WAIT, wait_after
from tests.store.people_world import CHEAP, DAY, HOUR, PASSWORD, SECOND, People, people_at

OTHER = "another twelve letters"


@pytest.fixture
def people(place: str) -> Iterator[People]:
    with people_at(place) as opened:
        yield opened


def test_who_has_the_password_is_let_in(people: People) -> None:
    assert not people.accounts.any()
    ann = people.accounts.create(" Ann@Example.com ", "Ann", Role.EDITOR, 10, PASSWORD)
    assert people.accounts.any()
    assert (ann.id, ann.email, ann.name, ann.role, ann.created_at) == ("p1", "Ann@Example.com", "Ann", Role.EDITOR, 10)
    assert people.accounts.authenticate("aNN@example.COM", PASSWORD, 11) == ann
    assert people.accounts.get(ann.id) == people.accounts.find("ann@example.com") == ann


def test_who_has_not_is_not(people: People) -> None:
    people.add()
    for email, password in (
        ("ann@example.com", PASSWORD + " "),
        ("ann@example.com", PASSWORD.upper()),
        ("ann@example.com", ""),
        ("ann@example.com", "x" * 5000),
        ("ann@example.com", "\ud800" * 12),
        ("ben@example.com", PASSWORD),
        ("ann@example.com\0", PASSWORD),
        ("\ud800", PASSWORD),
    ):
        assert people.accounts.authenticate(email, password, 11) is None, (email, password)
        assert people.accounts.authenticate("ann@example.com", PASSWORD, 12) is not None


def test_a_password_is_the_same_however_a_keyboard_composes_it(people: People) -> None:
    people.accounts.create("zoe@example.com", "Zoë", Role.VIEWER, 10, "cafe\u0301 au lait!")
    assert people.accounts.authenticate("zoe@example.com", "caf\u00e9 au lait!", 11) is not None


REFUSED = [
    ("ann", "Ann", PASSWORD, '"ann" is no e-mail address'),
    ("a@b@c", "Ann", PASSWORD, "is no e-mail address"),
    ("a b@c", "Ann", PASSWORD, "is no e-mail address"),
    ("a\u202e@c", "Ann", PASSWORD, "is no e-mail address"),
    ("a" * 254 + "@b", "Ann", PASSWORD, "has 256 characters, at most 254"),
    ("a@b", " ", PASSWORD, "the name is empty"),
    ("a@b", "x" * 256, PASSWORD, "has 256 characters, at most 255"),
    ("a@b", "a\0b", PASSWORD, "holds control characters"),
    ("a@b", "Ann", "elevenchars", "has 11 characters, at least 12"),
    ("a@b", "Ann", "x" * 1025, "longer than 1,024 bytes"),
    ("a@b", "Ann", "é" * 513, "longer than 1,024 bytes"),
]


def test_what_cannot_be_is_refused(people: People) -> None:
    for email, name, password, sentence in REFUSED:
        with pytest.raises(UserError, match=re.escape(sentence)):
            people.accounts.create(email, name, Role.ADMIN, 10, password)
    assert people.accounts.list() == []


def test_names_may_be_written_in_any_script(people: People) -> None:
    for number, name in enumerate(("שרה\u200f", "👩\u200d🚀", "<script>alert(1)</script>")):
        assert people.accounts.create(f"{number}@b", name, Role.VIEWER, 10, PASSWORD).name == name


def test_an_address_is_taken_once_whatever_its_case(people: People) -> None:
    people.add("straße@example.com")
    with pytest.raises(AccountRefused, match="is here already"):
        people.add("STRASSE@example.com")


def test_of_two_who_come_first_one_does(place: str) -> None:
    with people_at(place) as one, people_at(place) as other:

        def come(number: int) -> bool:
            try:
                (one, other)[number % 2].accounts.create(f"{number}@b", "x", Role.ADMIN, 1, PASSWORD, first=True)
            except AccountRefused:
                return False
            return True

        with ThreadPoolExecutor(4) as pool:
            assert sorted(pool.map(come, range(8))) == [False] * 7 + [True]


def test_roles_include_those_below() -> None:
    may = [[role.includes(other) for other in Role] for role in Role]
    assert may == [[True, False, False, False], [True, True, False, False], [True, True, True, False], [True] * 4]


# --- invitations ------------------------------------------------------------------------------------


def test_who_is_invited_chooses_a_password_once(people: People) -> None:
    account, secret = people.accounts.invite("ben@example.com", "Ben", Role.ANALYST, 10, os.urandom)
    assert account.invited_until == 10 + 7 * DAY
    assert people.accounts.authenticate("ben@example.com", secret, 11) is None
    assert people.accounts.invited(secret, 12) == account
    ben = people.accounts.accept(secret, OTHER, 13)
    assert ben == replace(account, invited_until=None)
    assert people.accounts.authenticate("ben@example.com", OTHER, 14) == ben
    assert people.accounts.invited(secret, 15) is None
    with pytest.raises(AccountRefused, match="this link was used, replaced or is older than 7 days"):
        people.accounts.accept(secret, PASSWORD, 16)


def test_an_invitation_that_expired_was_replaced_or_is_wrong_is_none(people: People) -> None:
    _, first = people.accounts.invite("ben@example.com", "Ben", Role.ANALYST, 10, os.urandom)
    account, second = people.accounts.invite("BEN@example.com", "Benjamin", Role.VIEWER, 20, os.urandom)
    assert (account.id, account.name, account.role) == ("p1", "Benjamin", Role.VIEWER)
    assert people.accounts.invited(second, 19 + 7 * DAY) == account
    for secret, at in ((first, 21), (second, 20 + 7 * DAY), (second[:-1], 21), ("", 21), ("\ud800", 21)):
        assert people.accounts.invited(secret, at) is None
    people.accounts.disable(account.id, 22)
    assert people.accounts.invited(second, 23) is None


def test_who_is_here_is_not_invited_but_may_get_another_password(people: People) -> None:
    ann = people.add()
    session = people.signed_in(ann)
    with pytest.raises(AccountRefused, match=r"ann@example.com is here already"):
        people.accounts.invite("ann@example.com", "Ann", Role.ADMIN, 30, os.urandom)
    account, secret = people.accounts.reset(ann.id, 30, os.urandom)
    assert account.invited_until is None
    assert people.accounts.authenticate("ann@example.com", PASSWORD, 31) is not None
    assert people.sessions.find(session, 31) is not None
    people.accounts.accept(secret, OTHER, 32)
    assert people.sessions.find(session, 33) is None
    assert people.accounts.authenticate("ann@example.com", PASSWORD, 33) is None
    assert people.accounts.authenticate("ann@example.com", OTHER, 34) is not None


def test_no_secret_is_stored_in_clear(tmp_path: Path) -> None:
    place = str(tmp_path / "metadata.sqlite")
    with people_at(place) as people:
        ann = people.add()
        _, invitation = people.accounts.invite("ben@example.com", "Ben", Role.VIEWER, 10, os.urandom)
        session = people.signed_in(ann)
        signed = people.sessions.find(session, 21)
        assert signed is not None
        assert signed.csrf not in repr(signed)
        files = [path.read_bytes() for path in tmp_path.iterdir()]
    for secret in (PASSWORD, invitation, session, session[-30:], signed.csrf):
        assert not any(secret.encode() in file for file in files)


# --- guessing ---------------------------------------------------------------------------------------


def wrong(people: People, at: int, email: str = "ann@example.com") -> None:
    assert people.accounts.authenticate(email, OTHER, at) is None


def test_guessing_takes_for_ever_and_locks_nobody_out_for_ever(people: People) -> None:
    people.add()
    for at in range(FREE_ATTEMPTS):
        assert people.accounts.retry_at("ann@example.com", at) is None
        wrong(people, at)
    last = FREE_ATTEMPTS - 1
    assert people.accounts.retry_at("ann@example.com", last) == last + 2 * SECOND
    assert people.accounts.authenticate("ann@example.com", PASSWORD, last + 2 * SECOND - 1) is None
    assert people.accounts.authenticate("ann@example.com", PASSWORD, last + 2 * SECOND) is not None
    assert people.accounts.retry_at("ann@example.com", last + 2 * SECOND) is None


def test_the_wait_grows_to_a_quarter_of_an_hour() -> None:
    waits = [wait_after(failures) for failures in range(200)]
    assert waits[:9] == [0, 0, 0, 0, 0, 2 * SECOND, 4 * SECOND, 8 * SECOND, 16 * SECOND]
    assert max(waits) == waits[-1] == LONGEST_WAIT == HOUR // 4
    judged_in_a_year = sum(1 for wait in waits if wait < LONGEST_WAIT) + 365 * DAY // LONGEST_WAIT
    assert judged_in_a_year < 36_000


def test_what_comes_too_early_makes_nobody_wait_longer(people: People) -> None:
    people.add()
    for at in range(FREE_ATTEMPTS + 50):
        wrong(people, at)
    assert people.accounts.authenticate("ann@example.com", PASSWORD, 3 * SECOND) is not None


def test_of_many_guesses_at_once_no_more_are_judged(place: str) -> None:
    guesses = [OTHER] * 20 + [PASSWORD] * 20
    with people_at(place) as one, people_at(place) as other:
        one.add()
        for at in range(FREE_ATTEMPTS):
            wrong(one, at)

        def guess(number: int) -> bool:
            accounts = (one, other)[number % 2].accounts
            return accounts.authenticate("ann@example.com", guesses[number], 10) is not None

        with ThreadPoolExecutor(8) as pool:
            assert not any(pool.map(guess, range(40)))


def test_an_address_that_nobody_has_is_treated_alike(people: People) -> None:
    people.add()
    for at in range(FREE_ATTEMPTS + 2):
        wrong(people, at * 10 * SECOND)
        wrong(people, at * 10 * SECOND, "Nobody@example.com")
        later = at * 10 * SECOND + 1
        told = [people.accounts.retry_at(email, later) for email in ("ann@example.com", "nobody@Example.com")]
        assert told[0] == told[1]
    assert told[0] is not None


def test_a_clock_that_was_set_back_locks_nobody_out(people: People) -> None:
    people.add()
    for at in range(FREE_ATTEMPTS):
        wrong(people, DAY + at)
    assert people.accounts.authenticate("ann@example.com", PASSWORD, HOUR) is not None


def test_failures_are_forgotten_after_a_day(people: People) -> None:
    people.add()
    for at in range(FREE_ATTEMPTS):
        wrong(people, at)
    wrong(people, 2 * DAY)
    assert people.accounts.retry_at("ann@example.com", 2 * DAY) is None


def test_another_password_ends_the_waiting(people: People) -> None:
    ann = people.add()
    for at in range(FREE_ATTEMPTS):
        wrong(people, at)
    people.accounts.set_password(ann.id, "a third password", 6)
    assert people.accounts.authenticate("ann@example.com", "a third password", 7) is not None


def test_a_password_is_hashed_anew_at_another_cost(place: str) -> None:
    def kept(people: People) -> str:
        with people.database.reading() as connection:
            return str(connection.execute(sa.select(accounts.c.password)).scalar_one())

    with people_at(place) as people:
        people.add()
        before = kept(people)
        people.accounts.authenticate("ann@example.com", PASSWORD, 11)
        assert kept(people) == before
    with people_at(place, replace(CHEAP, memory_cost=16)) as people:
        wrong(people, 12)
        assert kept(people) == before
        assert people.accounts.authenticate("ann@example.com", PASSWORD, 13) is not None
        assert "m=16," in kept(people)
        assert people.accounts.authenticate("ann@example.com", PASSWORD, 14) is not None


def test_the_cost_is_the_one_of_rfc_9106(tmp_path: Path) -> None:
    with open_metadata(tmp_path / "metadata.sqlite") as metadata:
        metadata.accounts.create("ann@example.com", "Ann", Role.ADMIN, 10, PASSWORD)
    with people_at(str(tmp_path / "metadata.sqlite")) as people, people.database.reading() as connection:
        kept = connection.execute(sa.select(accounts.c.password)).scalar_one()
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")


# --- who may no more --------------------------------------------------------------------------------


def test_who_is_disabled_is_not_let_in(people: People) -> None:
    people.add()
    ben = people.add("ben@example.com", Role.EDITOR)
    assert people.accounts.disable(ben.id, 20).disabled_at == 20
    assert people.accounts.disable(ben.id, 99).disabled_at == 20
    assert people.accounts.authenticate("ben@example.com", PASSWORD, 21) is None
    with pytest.raises(AccountRefused, match="is disabled: enable the account"):
        people.accounts.reset(ben.id, 21, os.urandom)
    with pytest.raises(AccountRefused, match="is disabled: enable the account"):
        people.accounts.invite("ben@example.com", "Ben", Role.EDITOR, 21, os.urandom)
    assert people.accounts.enable(ben.id, 22).disabled_at is None
    assert people.accounts.authenticate("ben@example.com", PASSWORD, 23) is not None


def test_the_last_admin_stays(people: People) -> None:
    ann = people.add()
    people.accounts.invite("ben@example.com", "Ben", Role.ADMIN, 20, os.urandom)  # cannot sign in yet
    for change in (people.accounts.disable, lambda who, now: people.accounts.set_role(who, Role.EDITOR, now)):
        with pytest.raises(AccountRefused, match=r"ann@example.com is the last admin who can sign in"):
            change(ann.id, 30)
    zoe = people.add("zoe@example.com")
    assert people.accounts.set_role(ann.id, Role.EDITOR, 31).role is Role.EDITOR
    with pytest.raises(AccountRefused):
        people.accounts.disable(zoe.id, 32)


def test_of_two_last_admins_who_leave_at_once_one_stays(place: str) -> None:
    with people_at(place) as one, people_at(place) as other:
        ids = [one.add(f"{number}@b").id for number in range(4)]

        def leave(number: int) -> bool:
            try:
                (one, other)[number % 2].accounts.disable(ids[number], 20)
            except AccountRefused:
                return False
            return True

        with ThreadPoolExecutor(4) as pool:
            assert sorted(pool.map(leave, range(4))) == [False, True, True, True]


def test_who_is_not_there_is_said(people: People) -> None:
    people.add()
    for account_id in ("p2", "", "\0", "\ud800"):
        with pytest.raises(UnknownAccount):
            people.accounts.set_role(account_id, Role.VIEWER, 1)
    with pytest.raises(UnknownAccount, match=r'did you mean "ann@example\.com"'):
        people.accounts.find("anne@example.com")
    with pytest.raises(UserError, match='unknown role "admn", did you mean "admin"'):
        people.accounts.set_role("p1", "admn", 1)  # type: ignore[arg-type]
