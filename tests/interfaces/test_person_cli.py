"""`afterword person` from end to end: who has the machine can always get in."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from afterword.interfaces.cli import main
from afterword.interfaces.moments import now
from afterword.store.accounts import Role
from afterword.store.metadata import open_metadata
from tests.interfaces.nursery import ROOT

FILE = Path("afterword-data/metadata.sqlite")
PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def _directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{PASSWORD}\n"))


@pytest.mark.usefixtures("typed")
def test_who_is_added_may_sign_in(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["person", "add", "ann@example.com", "--role", "admin"]) == 0
    printed = capsys.readouterr()
    assert printed.out == "ann@example.com may sign in as admin.\n"
    assert PASSWORD not in printed.out + printed.err
    with open_metadata(FILE, create=False) as metadata:
        account = metadata.accounts.authenticate("ann@example.com", PASSWORD, now())
        [entry] = metadata.audit.list()
    assert account is not None
    assert (account.name, account.role) == ("ann", Role.ADMIN)
    assert (entry.actor, entry.action, entry.subject) == ("command", "person.added", account.id)
    assert entry.detail == {"role": "admin"}


def test_a_terminal_is_asked_twice_and_shows_nothing(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "afterword", "person", "add", "ann@example.com", "--role", "admin"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, cwd=tmp_path) as child:
        os.close(theirs)
        shown = b""
        for prompt in (b"Password: ", b"Repeat for confirmation: "):  # the blank comes when the echo is off
            while prompt not in shown:
                shown += os.read(ours, 1000)
            shown = b""
            os.write(ours, f"{PASSWORD}\n".encode())
        while b"may sign in as admin." not in shown:
            shown += os.read(ours, 1000)
        assert child.wait(timeout=30) == 0
    os.close(ours)
    assert PASSWORD.encode() not in shown


def test_a_link_is_printed_alone(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["person", "add", "ben@example.com", "--name", "Ben", "--link", "--url", "https://aw.example/"]
    assert main(words) == 0
    printed = capsys.readouterr()
    link = re.fullmatch(r"https://aw\.example/invitation\?secret=([a-z2-7]{52})\n", printed.out)
    assert link is not None
    assert printed.err.startswith("By this link ben@example.com chooses a password: once, within 7 days.")
    with open_metadata(FILE, create=False) as metadata:
        ben = metadata.accounts.invited(link[1], now())
        assert ben is not None
        assert (ben.name, ben.role) == ("Ben", Role.VIEWER)
        assert link[1] not in str(metadata.audit.list())
    assert main(["person", "add", "ben@example.com", "--link", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["link"].startswith("http://127.0.0.1:8640/invitation?secret=")
    assert told["invited_until"].endswith("Z")


@pytest.mark.usefixtures("typed")
def test_people_are_listed_changed_and_given_another_password(capsys: pytest.CaptureFixture[str]) -> None:
    with open_metadata(FILE) as metadata:
        for email in ("ann@example.com", "ben@example.com"):
            metadata.accounts.create(email, email[:3], Role.ADMIN, now(), "a first password")
        session = metadata.sessions.begin("p1", now(), os.urandom)
    assert main(["person", "password", "ANN@example.com"]) == 0
    assert main(["person", "role", "p2", "analyst"]) == 0
    assert main(["person", "disable", "ben@example.com"]) == 0
    capsys.readouterr()
    assert main(["person", "list"]) == 0
    header, ann, ben = (line.split("\t") for line in capsys.readouterr().out.splitlines())
    assert header == ["id", "email", "name", "role", "created_at", "last_seen_at", "invited_until", "disabled_at"]
    assert (ann[:4], ben[:4]) == (
        ["p1", "ann@example.com", "ann", "admin"],
        ["p2", "ben@example.com", "ben", "analyst"],
    )
    assert (ann[-1], ben[-1].endswith("Z")) == ("", True)
    assert main(["person", "enable", "ben@example.com", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["disabled_at"] is None
    with open_metadata(FILE) as metadata:
        assert metadata.accounts.authenticate("ann@example.com", PASSWORD, now()) is not None
        assert metadata.sessions.find(session, now()) is None
        actions = [entry.action for entry in metadata.audit.list()]
    assert actions == ["person.changed"] * 3 + ["person.password"]


def test_mistakes_are_said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def said(words: str, typed: str = "") -> str:
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        assert main(words.split()) == 2
        printed = capsys.readouterr()
        assert printed.out == ""
        return printed.err

    assert "there is no such file; name the data directory" in said("person list --data nowhere")
    assert 'unknown role "amin", did you mean "admin"' in said("person add ann@example.com --role amin")
    assert "there is no password: type it in a terminal" in said("person add ann@example.com")
    assert "has 5 characters, at least 12 are needed" in said("person add ann@example.com", "short\n")
    assert '"ann" is no e-mail address' in said("person add ann", f"{PASSWORD}\n")
    assert 'nobody has the address "ann@example.com"' in said("person disable ann@example.com")
    assert 'there is nobody with the id "p1"' in said("person enable p1")
    with open_metadata(FILE) as metadata:
        metadata.accounts.create("ann@example.com", "Ann", Role.ADMIN, now(), PASSWORD)
    assert "is the last admin who can sign in" in said("person disable ann@example.com")
    assert "is here already" in said("person add ann@example.com --link")


def test_keys_and_definitions_are_in_the_audit_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "campaigns.yaml"
    file.write_text(
        "workspace: {currency: SEK}\n"
        "campaigns:\n- id: spring\n  variants: [{id: a, share: 100}]\n"
        "  conversion_events: [{kind: purchase, deadline: 3 days}]\n"
    )
    assert main(["key", "create", "shop", "--permissions", "users.track"]) == 0
    secret = capsys.readouterr().out.strip()
    assert main(["key", "revoke", secret[3:11]]) == 0
    assert main(["apply", str(file), "--yes"]) == 0
    assert main(["apply", str(file), "--yes"]) == 0
    with open_metadata(FILE) as metadata:
        entries = metadata.audit.list()
    assert secret[12:] not in str(entries)
    assert {entry.actor for entry in entries} == {"command"}
    assert sorted((entry.action, entry.subject) for entry in entries) == [
        ("campaign.created", "spring"),
        ("key.created", secret[3:11]),
        ("key.revoked", secret[3:11]),
        ("workspace.changed", "workspace"),
    ]
