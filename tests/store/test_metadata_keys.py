from __future__ import annotations

import itertools
import logging
import os
import re
import sqlite3
from pathlib import Path

import pytest

from afterword.errors import UserError
from afterword.store.keys import FRESH_MICROSECONDS, USE_MICROSECONDS, UnknownKey
from afterword.store.metadata import Metadata, open_metadata
from afterword.store.permissions import Permission, read_permissions

SECOND = 1_000_000
MINUTE = 60 * SECOND


def create(metadata: Metadata, *permissions: str, name: str = "shop", at: int = 10) -> tuple[str, str]:
    """A new key's id and secret."""
    created = metadata.keys.create(name, permissions or ("users.track",), at, os.urandom)
    return created.key.id, created.secret


def test_a_key_opens_what_its_permissions_say(metadata: Metadata) -> None:
    created = metadata.keys.create("  shop ", ["users.track", "campaigns.list"], 10, os.urandom)
    key = metadata.keys.authenticate(created.secret, 11)
    assert key == created.key
    assert key is not None
    assert (key.name, key.created_at, key.revoked_at) == ("shop", 10, None)
    assert [p for p in Permission if key.allows(p)] == [Permission.USERS_TRACK, Permission.CAMPAIGNS_LIST]
    assert re.fullmatch(rf"aw_{key.id}_[a-z2-7]{{52}}", created.secret)


def test_admin_may_do_everything(metadata: Metadata) -> None:
    _, secret = create(metadata, "admin")
    key = metadata.keys.authenticate(secret, 11)
    assert key is not None
    assert all(key.allows(permission) for permission in Permission)


def test_keys_are_as_random_as_what_they_are_made_from(metadata: Metadata) -> None:
    asked: list[int] = []

    def zeros(count: int) -> bytes:
        asked.append(count)
        return bytes(count)

    assert metadata.keys.create("shop", ["admin"], 1, zeros).secret == f"aw_{'a' * 8}_{'a' * 52}"
    assert max(asked) == 32
    assert len({create(metadata)[1] for _ in range(20)}) == 20


WRONG = [
    pytest.param(lambda secret: "", id="empty"),
    pytest.param(lambda secret: secret[:-1], id="shorter"),
    pytest.param(lambda secret: secret + "a", id="longer"),
    pytest.param(lambda secret: secret + "\n", id="a-line-end"),
    pytest.param(lambda secret: secret.upper(), id="upper-case"),
    pytest.param(lambda secret: secret[:-1] + ("b" if secret[-1] == "a" else "a"), id="another-last-letter"),
    pytest.param(lambda secret: secret[:12] + "a" * 52, id="the-right-id-alone"),
    pytest.param(lambda secret: "aw_zzzzzzzz_" + secret[12:], id="an-unknown-id"),
    pytest.param(lambda secret: "ä" * 64, id="other-letters"),
    pytest.param(lambda secret: "\ud800" + secret[1:], id="half-a-character"),
    pytest.param(lambda secret: "a\0b", id="nul"),
]


@pytest.mark.parametrize("change", WRONG)
def test_what_is_not_the_key_opens_nothing(metadata: Metadata, change: object) -> None:
    _, secret = create(metadata)
    assert callable(change)
    assert metadata.keys.authenticate(change(secret), 11) is None
    assert metadata.keys.authenticate(secret, 11) is not None
    assert metadata.keys.authenticate(change(secret), 12) is None


def test_a_revoked_key_opens_nothing_from_that_moment(metadata: Metadata) -> None:
    key_id, secret = create(metadata)
    assert metadata.keys.authenticate(secret, 11) is not None
    revoked = metadata.keys.revoke(key_id, 12)
    assert revoked.revoked_at == 12
    assert metadata.keys.authenticate(secret, 12) is None
    assert metadata.keys.revoke(key_id, 99).revoked_at == 12
    assert metadata.keys.list() == [revoked]


def test_another_process_that_revokes_is_heard_within_a_second(place: str) -> None:
    with open_metadata(place) as server, open_metadata(place) as other:
        key_id, secret = create(server)
        assert server.keys.authenticate(secret, 11) is not None
        other.keys.revoke(key_id, 12)
        assert server.keys.authenticate(secret, 11 + FRESH_MICROSECONDS) is None
        _, later = create(other, at=30)
        assert server.keys.authenticate(later, 31) is not None


def test_a_known_key_is_not_asked_for_again(metadata: Metadata, monkeypatch: pytest.MonkeyPatch) -> None:
    _, secret = create(metadata)
    assert metadata.keys.authenticate(secret, 11) is not None
    metadata.close()
    monkeypatch.setattr("afterword.store.metadata_database.Database.reading", None)
    assert metadata.keys.authenticate(secret, 11 + FRESH_MICROSECONDS - 1) is not None


def test_a_clock_that_was_set_back_makes_nothing_last_longer(place: str) -> None:
    with open_metadata(place) as server, open_metadata(place) as other:
        key_id, secret = create(server)
        assert server.keys.authenticate(secret, 1000 * SECOND) is not None
        other.keys.revoke(key_id, 12)
        assert server.keys.authenticate(secret, 500 * SECOND) is None


def test_the_last_use_is_written_at_most_once_a_minute(metadata: Metadata) -> None:
    key_id, secret = create(metadata)
    create(metadata, name="never used", at=20)

    def last_use() -> int | None:
        return next(key.last_used_at for key in metadata.keys.list() if key.id == key_id)

    assert metadata.keys.write_last_uses(MINUTE) == 0
    metadata.keys.authenticate(secret, MINUTE)
    assert last_use() is None
    assert metadata.keys.write_last_uses(MINUTE + 5) == 1
    assert last_use() == MINUTE
    metadata.keys.authenticate(secret, MINUTE + SECOND)
    assert metadata.keys.write_last_uses(MINUTE + 2 * SECOND) == 0
    assert last_use() == MINUTE
    assert metadata.keys.write_last_uses(MINUTE + 5 + USE_MICROSECONDS) == 1
    assert metadata.keys.write_last_uses(10 * MINUTE) == 0
    assert last_use() == MINUTE + SECOND


def test_a_wrong_key_is_no_use(metadata: Metadata) -> None:
    _, secret = create(metadata)
    metadata.keys.authenticate(secret[:12] + "a" * 52, MINUTE)
    assert metadata.keys.write_last_uses(2 * MINUTE) == 0


def test_the_later_use_stands_whoever_writes_first(place: str) -> None:
    with open_metadata(place) as one, open_metadata(place) as other:
        _, secret = create(one)
        one.keys.authenticate(secret, 5 * SECOND)
        other.keys.authenticate(secret, 7 * SECOND)
        assert (other.keys.write_last_uses(8 * SECOND), one.keys.write_last_uses(9 * SECOND)) == (1, 1)
        assert [key.last_used_at for key in one.keys.list()] == [7 * SECOND]


def test_keys_are_listed_oldest_first(metadata: Metadata) -> None:
    for at, name in ((30, "c"), (10, "a"), (20, "b")):
        create(metadata, name=name, at=at)
    assert [key.name for key in metadata.keys.list()] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        pytest.param("", "the name of the key is empty", id="empty"),
        pytest.param("  ", "the name of the key is empty", id="blank"),
        pytest.param("x" * 256, "has 256 characters, at most 255 are allowed", id="long"),
        pytest.param("a\nb", "cannot be printed", id="two-lines"),
        pytest.param("a\0b", "cannot be printed", id="nul"),
    ],
)
def test_a_key_needs_a_name(metadata: Metadata, name: str, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        create(metadata, name=name)
    assert metadata.keys.list() == []


def test_an_unknown_key_cannot_be_revoked(metadata: Metadata) -> None:
    with pytest.raises(UnknownKey, match=r'^unknown key "nothing"; afterword key list shows all$'):
        metadata.keys.revoke("nothing", 1)


def test_who_takes_the_key_for_its_id_does_not_find_it_in_the_error(metadata: Metadata) -> None:
    _, secret = create(metadata)
    with pytest.raises(UnknownKey) as caught:
        metadata.keys.revoke(secret, 1)
    assert secret[12:] not in str(caught.value)
    assert metadata.keys.list()[0].revoked_at is None


# --- permissions ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        pytest.param(["users.track"], {"users.track"}, id="one"),
        pytest.param(["users.track", "users.track"], {"users.track"}, id="twice"),
        pytest.param(["events.*"], {"events.list", "events.data_series"}, id="all-of-a-path"),
        pytest.param(["users.alias.*"], {"users.alias.new"}, id="deeper"),
        pytest.param(["api.*", "admin"], {"api.read", "api.write", "api.definitions", "admin"}, id="several"),
    ],
)
def test_permissions_are_read(names: list[str], expected: set[str]) -> None:
    assert read_permissions(names) == expected


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        pytest.param(["users.trak"], 'unknown permission "users.trak", did you mean "users.track"?', id="misspelt"),
        pytest.param(["admin", "root.*"], 'unknown permission "root.*"', id="no-such-path"),
        pytest.param(["*"], 'unknown permission "*"', id="everything-is-called-admin"),
        pytest.param(["users*"], 'unknown permission "users*"', id="whole-parts-only"),
        pytest.param([], "a key needs at least one permission: users.track, users.delete, ", id="none"),
    ],
)
def test_unknown_permissions_are_refused(names: list[str], sentence: str) -> None:
    with pytest.raises(UserError, match=re.escape(sentence)):
        read_permissions(names)


def test_the_list_of_permissions_is_closed(metadata: Metadata) -> None:
    with pytest.raises(UserError, match="unknown permission"):
        create(metadata, "users.everything")
    assert metadata.keys.list() == []


# --- a key is nowhere in clear ----------------------------------------------------------------------


def test_a_key_is_stored_nowhere_in_clear(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    secrets = []
    with open_metadata(tmp_path / "metadata.sqlite") as metadata:
        for _ in range(3):
            created = metadata.keys.create("shop", ["admin"], 1, os.urandom)
            assert metadata.keys.authenticate(created.secret, 2) is not None
            assert created.secret not in repr(created)
            secrets.append(created.secret)
        files = [path.read_bytes() for path in tmp_path.iterdir()]  # also what has not left the write-ahead log
    files += [path.read_bytes() for path in tmp_path.iterdir()]
    parts = [part.encode() for secret in secrets for part in (secret, secret[12:], secret[-16:])]
    assert files
    assert [part for part, file in itertools.product(parts, files) if part in file] == []
    assert not any(secret in caplog.text for secret in secrets)


def test_a_secret_in_memory_is_a_hash(metadata: Metadata) -> None:
    _, secret = create(metadata)
    assert metadata.keys.authenticate(secret, 11) is not None
    assert secret[12:] not in repr(vars(metadata.keys))


def test_a_permission_of_a_later_version_is_left_aside(tmp_path: Path) -> None:
    file = tmp_path / "metadata.sqlite"
    with open_metadata(file) as metadata:
        _, secret = create(metadata)
    raw = sqlite3.connect(file)
    raw.execute("""UPDATE keys SET permissions = '["users.track", "moon.landing"]'""")
    raw.commit()
    raw.close()
    with open_metadata(file) as metadata:
        key = metadata.keys.authenticate(secret, 11)
    assert key is not None
    assert key.permissions == {Permission.USERS_TRACK}
