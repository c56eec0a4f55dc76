"""`afterword key` from end to end: what is printed where, and what is left in the data directory."""

from __future__ import annotations

import json
import stat
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from afterword.interfaces.cli import main
from afterword.interfaces.moments import now
from afterword.store.metadata import open_metadata
from tests.interfaces.failing import mounted

FILE = Path("afterword-data/metadata.sqlite")


@pytest.fixture(autouse=True)
def _directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def created(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The key that `afterword key create shop ...` prints."""
    assert main(["key", "create", "shop", *(words or ("--permissions", "users.track"))]) == 0
    return capsys.readouterr().out.strip()


def test_create_prints_the_key_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["key", "create", "shop", "--permissions", "users.track", "campaigns.*"]) == 0
    printed = capsys.readouterr()
    secret = printed.out.removesuffix("\n")
    with open_metadata(FILE, create=False) as metadata:
        key = metadata.keys.authenticate(secret, now())
    assert key is not None
    assert len(key.permissions) == 4
    assert printed.err == f"This is the key {key.id} of shop. Keep it now; it cannot be shown again.\n"
    assert stat.S_IMODE(FILE.stat().st_mode) == 0o600


def test_create_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    told = json.loads(created(capsys, "--permissions", "admin", "--json"))
    assert told["key"].startswith(f"aw_{told['id']}_")
    assert (told["name"], told["permissions"], told["revoked_at"]) == ("shop", ["admin"], None)


def test_list_shows_all_but_the_keys(capsys: pytest.CaptureFixture[str]) -> None:
    secret = created(capsys)
    assert main(["key", "list"]) == 0
    printed = capsys.readouterr()
    header, row = printed.out.splitlines()
    assert header == "id\tname\tpermissions\tcreated_at\tlast_used_at\trevoked_at"
    assert row.split("\t")[:3] == [secret[3:11], "shop", "users.track"]
    assert printed.err == "1 key\n"
    assert main(["key", "list", "--json"]) == 0
    [told] = json.loads(capsys.readouterr().out)
    assert secret[12:] not in json.dumps(told)
    assert told["created_at"].endswith("Z")


def test_a_revoked_key_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    secret = created(capsys)
    assert main(["key", "revoke", secret[3:11]]) == 0
    assert f"The key {secret[3:11]} of shop is revoked since 20" in capsys.readouterr().out
    assert main(["key", "revoke", secret[3:11], "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["revoked_at"] is not None
    with open_metadata(FILE) as metadata:
        assert metadata.keys.authenticate(secret, now()) is None


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        pytest.param("key create shop", "a key needs at least one permission: users.track, ", id="no-permission"),
        pytest.param(
            "key create shop --permissions users.trak",
            'unknown permission "users.trak", did you mean "users.track"?',
            id="misspelt",
        ),
        pytest.param("key list --data nowhere", "there is no such file; name the data directory", id="no-directory"),
        pytest.param("key revoke x --data nowhere", "there is no such file", id="nothing-to-revoke"),
        pytest.param("key list --metadata mysql://me:hush@host/db", 'is at a "mysql" URL', id="another-database"),
    ],
)
def test_mistakes_are_said(words: str, sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words.split()) == 2
    printed = capsys.readouterr()
    assert sentence in printed.err
    assert "hush" not in printed.err
    assert printed.out == ""


def test_an_unknown_key_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    secret = created(capsys)
    assert main(["key", "revoke", secret]) == 2
    assert secret[12:] not in capsys.readouterr().err


def test_the_data_directory_may_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AFTERWORD_DATA", "elsewhere")
    created(capsys)
    assert Path("elsewhere/metadata.sqlite").exists()


def test_a_full_disk_keeps_nobody_from_reading(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "small"
    if not mounted(place, "-o", "size=1m"):
        pytest.skip("mounting a tmpfs is not permitted here")
    try:
        data = ["--data", str(place / "data")]
        assert main(["key", "create", "shop", "--permissions", "users.track", *data]) == 0
        with open_metadata(place / "data" / FILE.name, create=False) as metadata:
            metadata.holdouts.create("winter", 500, None, 2 * now(), now())
        with suppress(OSError), (place / "filler").open("wb", buffering=0) as filler:
            while filler.write(bytes(4096)):
                pass
        capsys.readouterr()
        assert main(["key", "create", "late", "--permissions", "users.track", *data]) == 2
        assert "the disk is full or failing" in capsys.readouterr().err
        for command in ("key", "holdout"):
            assert main([command, "list", *data]) == 0
            printed = capsys.readouterr()
            assert printed.err == f"1 {command}\n"
            assert len(printed.out.splitlines()) == 2
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)
