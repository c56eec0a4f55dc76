"""`afterword apply` from end to end: shown first, asked for, applied once."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from afterword.interfaces.cli import main
from afterword.model import Workspace
from afterword.store.campaign_rules import Status
from afterword.store.campaigns import StoredCampaign
from afterword.store.metadata import FILE_NAME, open_metadata

DATA = Path("afterword-data")
TEXT = """\
workspace: {timezone: Europe/Berlin}
campaigns:
  - id: cart-rescue
    name: Cart rescue
    channels: [email]
    variants: [{id: a, share: 90}, {id: control, control: true, share: 10}]
    conversion_events: [{kind: purchase, deadline: 3 days}]
canvases:
  - id: welcome
    steps: [{id: hello}]
    variants: [{id: a}]
"""
VERSION, OTHER_VERSION = "80babae256e53433", "11b00c98144209ca"
"""Of a purchase within 3 days and within 1 day, once per user; what was launched under them must stay the same."""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("campaigns.yaml").write_text(TEXT, encoding="utf-8")


@pytest.fixture
def applied(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["apply", "campaigns.yaml", "--yes"]) == 0
    capsys.readouterr()


def write(old: str, new: str) -> None:
    assert old in TEXT
    Path("campaigns.yaml").write_text(TEXT.replace(old, new), encoding="utf-8")


def kept(campaign: str = "cart-rescue") -> StoredCampaign:
    with open_metadata(DATA / FILE_NAME, create=False) as metadata:
        return metadata.campaigns.get(campaign)


def test_new_campaigns_are_shown_and_launched(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["apply", "campaigns.yaml", "--yes"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "~ workspace: changed",
        '    timezone: "UTC" -> "Europe/Berlin"',
        f"+ campaign cart-rescue: created and launched, version {VERSION}",
        "+ Canvas welcome: created and launched, version 4769af00e2d1c5ff",
        "Applied.",
    ]
    assert kept().status is Status.RUNNING
    with open_metadata(DATA / FILE_NAME) as metadata:
        assert metadata.workspace() == Workspace("Europe/Berlin", "USD")


@pytest.mark.usefixtures("applied")
def test_applying_again_changes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    before = kept()
    assert main(["apply", "campaigns.yaml"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "= workspace: unchanged",
        "= campaign cart-rescue: unchanged",
        "= Canvas welcome: unchanged",
        "Nothing to apply: all is as the file says.",
    ]
    assert kept() == before


@pytest.mark.usefixtures("applied")
def test_what_changes_is_shown_with_old_and_new(capsys: pytest.CaptureFixture[str]) -> None:
    write("deadline: 3 days", "deadline: 1 day")
    assert main(["apply", "campaigns.yaml", "--yes"]) == 0
    assert capsys.readouterr().out.splitlines()[1:4] == [
        "~ campaign cart-rescue: changed",
        "    conversion_events.A.deadline: 3 days -> 1 day",
        f"    version: {VERSION} -> {OTHER_VERSION}; all results are computed again from it, and say so (rule 6)",
    ]
    assert (kept().launch_version, kept().version, kept().redefined) == (VERSION, OTHER_VERSION, True)


@pytest.mark.usefixtures("applied")
@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        pytest.param(
            "{id: a, share: 90}",
            "{id: a, share: 50}, {id: b, share: 40}",
            '    variants.b: none -> {"id": "b", "name": "b", "share": 40}',
            id="a-variant-more",
        ),
        pytest.param("{id: a, share: 90}", "{id: a, name: Now, share: 90}", 'variants.a.name: "a" -> "Now"', id="name"),
        pytest.param("[email]", "[email, push]", 'channels: ["email"] -> ["email", "push"]', id="channels"),
        pytest.param("Europe/Berlin", "Asia/Tokyo", 'timezone: "Europe/Berlin" -> "Asia/Tokyo"', id="time-zone"),
    ],
)
def test_changes_that_keep_the_version(old: str, new: str, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    write(old, new)
    assert main(["apply", "campaigns.yaml", "--yes"]) == 0
    shown = capsys.readouterr().out
    assert line in shown
    assert "version" not in shown


@pytest.mark.usefixtures("applied")
def test_the_control_share_is_fixed(capsys: pytest.CaptureFixture[str]) -> None:
    write("{id: a, share: 90}, {id: control, control: true, share: 10}", "{id: a}")
    assert main(["apply", "campaigns.yaml", "--yes"]) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith("campaigns.yaml: 2 problems\n")
    assert 'campaign "cart-rescue": the control\'s share is 0 %, must stay 10 %' in printed.err
    assert 'campaign "cart-rescue": variant "control" cannot be removed after launch' in printed.err


@pytest.mark.parametrize(("answer", "code", "there"), [("y\n", 0, 2), ("n\n", 2, 0), ("\n", 2, 0)])
def test_at_a_terminal_it_is_asked(
    answer: str, code: int, there: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    assert main(["apply", "campaigns.yaml"]) == code
    printed = capsys.readouterr()
    assert "Apply this? [y/N]" in printed.out
    assert ("Nothing was applied.\n" in printed.err) is (code == 2)
    with open_metadata(DATA / FILE_NAME) as metadata:
        assert len(metadata.campaigns.list()) == there


@pytest.mark.parametrize("words", [[], ["--json"]])
def test_without_a_terminal_yes_has_to_be_said(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert main(["apply", "campaigns.yaml", *words]) == 2
    assert "Nothing was applied. Add --yes to apply it." in capsys.readouterr().err
    with open_metadata(DATA / FILE_NAME) as metadata:
        assert metadata.campaigns.list() == []


def test_apply_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["apply", "campaigns.yaml", "--yes", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["applied"] is True
    assert told["differences"][0]["changes"] == [{"field": "timezone", "old": "UTC", "new": "Europe/Berlin"}]
    assert told["differences"][1] == {
        "kind": "campaign",
        "id": "cart-rescue",
        "action": "created",
        "changes": [],
        "launches": True,
        "version": VERSION,
        "replaces": None,
    }
    assert main(["apply", "campaigns.yaml", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["applied"] is False


def test_drafts(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["apply", "campaigns.yaml", "--yes", "--draft"]) == 0
    assert f"+ campaign cart-rescue: created, version {VERSION}\n" in capsys.readouterr().out
    assert kept().status is Status.DRAFT
    assert main(["apply", "campaigns.yaml", "--yes"]) == 0
    assert f"= campaign cart-rescue: unchanged and launched, version {VERSION}\n" in capsys.readouterr().out
    assert kept().status is Status.RUNNING


@pytest.mark.parametrize(
    ("text", "left"),
    [
        pytest.param("", Workspace("Asia/Tokyo", "JPY"), id="nothing"),
        pytest.param("workspace:", Workspace("Asia/Tokyo", "JPY"), id="an-empty-field"),
        pytest.param("workspace: {currency: EUR}", Workspace("Asia/Tokyo", "EUR"), id="currency"),
        pytest.param("workspace: {currency: }", Workspace("Asia/Tokyo", "JPY"), id="currency-without-a-value"),
    ],
)
def test_settings_that_the_file_does_not_name_stay(text: str, left: Workspace) -> None:
    with open_metadata(DATA / FILE_NAME) as metadata:
        metadata.set_workspace(Workspace("Asia/Tokyo", "JPY"), 1)
    write("workspace: {timezone: Europe/Berlin}", text)
    assert main(["apply", "campaigns.yaml", "--yes"]) == 0
    with open_metadata(DATA / FILE_NAME) as metadata:
        assert metadata.workspace() == left


def test_a_file_with_problems_is_refused_before_anything_is_made(capsys: pytest.CaptureFixture[str]) -> None:
    write("share: 90", "share: 80")
    assert main(["apply", "campaigns.yaml", "--yes"]) == 2
    assert "shares sum to 90, must sum to 100" in capsys.readouterr().err
    assert not DATA.exists()
