from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import typer.main

from afterword.errors import UserError
from afterword.interfaces.api.server import Policy, make_policy
from afterword.interfaces.cli import app, main
from afterword.settings import (
    ANSWER_NICE,
    BATCH_SIZE,
    BODY_SIZE,
    CHANGES_DAYS,
    FREE_SPACE,
    KEEP_AUDIT_DAYS,
    RATE,
    SETTINGS,
    TRACK_RATE,
    TRUSTED_PROXIES,
    UNLOADED_SIZE,
    Setting,
    memory_bytes,
    rate_of,
    read_settings,
    size_bytes,
    thread_count,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("4GB", 4_000_000_000),
        ("4gb", 4_000_000_000),
        (" 512 MiB ", 512 * 1024**2),
        ("1.5GB", 1_500_000_000),
        ("1TiB", 1024**4),
        (2_000_000_000, 2_000_000_000),
        (None, 4_000_000_000),
    ],
)
def test_memory_is_a_number_with_a_unit(text: str | int | None, expected: int) -> None:
    assert memory_bytes(text) == expected


@pytest.mark.parametrize("text", ["", "much", "4 bananas", "-4GB", "4G B", "GB"])
def test_what_is_no_memory_is_named(text: str) -> None:
    with pytest.raises(UserError, match="must be a number with a unit"):
        memory_bytes(text)


def test_memory_has_a_lower_bound() -> None:
    with pytest.raises(UserError, match="memory is 4MB, must be at least 100MB"):
        memory_bytes("4MB")


def test_threads_are_all_that_are_there_unless_said() -> None:
    assert thread_count(None, available=8) == 8
    assert thread_count(2, available=8) == 2
    with pytest.raises(UserError, match="threads is 0, must be at least 1"):
        thread_count(0, available=8)


@pytest.mark.parametrize(
    ("text", "expected"), [("250000/3600", (250_000, 3600.0)), (" 3000 / 3 ", (3000, 3.0)), ("1/1", (1, 1.0))]
)
def test_a_rate_is_requests_and_seconds(text: str, expected: tuple[int, float]) -> None:
    assert rate_of("rate", text) == expected


@pytest.mark.parametrize("text", ["", "5", "5/", "1.5/2", "-1/3", "0/3", "3/0", "many/s"])
def test_what_is_no_rate_is_named(text: str) -> None:
    with pytest.raises(UserError, match=r"^track-rate is .*must be "):
        rate_of("track-rate", text)


def test_a_size_has_bounds() -> None:
    assert size_bytes("body-size", "16MiB", 1024, 1 << 24) == 1 << 24
    with pytest.raises(UserError, match="body-size is 17MiB, must be at most 16MiB"):
        size_bytes("body-size", "17MiB", 1024, 1 << 24)
    with pytest.raises(UserError, match="body-size is 1, must be at least 1KiB"):
        size_bytes("body-size", "1", 1024, 1 << 24)


def test_the_servers_limits_are_its_settings_defaults() -> None:
    limits = [setting.default or "" for setting in (RATE, TRACK_RATE, BODY_SIZE, BATCH_SIZE, FREE_SPACE, UNLOADED_SIZE)]
    others: dict[str, Any] = {
        "changes_days": int(CHANGES_DAYS.default or 0),
        "audit_days": int(KEEP_AUDIT_DAYS.default or 0),
        "nice": int(ANSWER_NICE.default or 0),
        "trusted_proxies": TRUSTED_PROXIES.default,
    }
    assert make_policy(*limits, **others) == Policy()
    for name, wrong, said in (
        ("changes_days", 0, "changes-days is 0, must be at least 1"),
        ("audit_days", 0, "keep-audit-days is 0, must be at least 1"),
        ("nice", 20, "answer-nice is 20, must be from 0 "),
        ("trusted_proxies", "proxy", 'trusted-proxies is "proxy", must be addresses or networks'),
    ):
        with pytest.raises(UserError, match=said):
            make_policy(*limits, **{**others, name: wrong})


class TestSettingsFile:
    def test_it_is_the_one_in_the_working_directory_if_it_is_there(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        assert read_settings(None) == {}
        (tmp_path / "afterword.toml").write_text('data = "d"\nport = 9000\n')
        assert read_settings(None) == {"data": "d", "port": "9000"}
        (tmp_path / "other.toml").write_text("threads = 2\n")
        assert read_settings(Path("other.toml")) == {"threads": "2"}

    @pytest.mark.parametrize(
        ("content", "sentence"),
        [
            pytest.param('meory = "4GB"', 'unknown setting "meory" in {}, did you mean "memory"?', id="misspelt"),
            pytest.param("xyzzy = 1", 'unknown setting "xyzzy" in {}; there are memory, threads, ', id="unknown"),
            pytest.param("[serve]\nport = 1", 'unknown setting "serve" in {}', id="table"),
            pytest.param('threads = "two"', "threads in {} is 'two', must be a whole number", id="no-number"),
            pytest.param("port = true", "port in {} is True, must be a whole number", id="boolean"),
            pytest.param("memory = [1]", "memory in {} is [1], must be text or a whole number", id="list"),
            pytest.param("memory = ", "settings file {} is no TOML: ", id="no-toml"),
        ],
    )
    def test_what_it_must_not_say(self, tmp_path: Path, content: str, sentence: str) -> None:
        path = tmp_path / "s.toml"
        path.write_text(content)
        with pytest.raises(UserError) as caught:
            read_settings(path)
        assert sentence.format(path) in str(caught.value)

    def test_one_that_is_named_must_be_there(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match=r"settings file .*nowhere\.toml cannot be read: No such file"):
            read_settings(tmp_path / "nowhere.toml")


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_options_of_a_setting_have_its_default_and_variable(setting: Setting) -> None:
    options = [option for option in options_of(typer.main.get_command(app)) if option.envvar == setting.variable]
    assert options
    for option in options:
        assert option.opts == [setting.option]
        if option.default is not None or setting.default is None:
            assert option.default == setting.default or str(option.default) == str(Path(setting.default or ""))


def options_of(command: Any) -> Iterator[Any]:
    for each in getattr(command, "commands", {}).values():
        yield from options_of(each)
    yield from (option for option in command.params if option.param_type_name == "option")


class TestOrder:
    @pytest.fixture(autouse=True)
    def _here(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "afterword.toml").write_text('data = "of-the-file"\nresults = "ignored-by-keys"\n')

    def keys_of(self, *words: str) -> str:
        with redirect_stderr(StringIO()) as err:
            assert main(["key", "list", *words]) == 2
        found = re.search(r"[\w/.-]*metadata\.sqlite", err.getvalue())
        assert found is not None, err.getvalue()
        return Path(found[0]).parent.name

    def test_an_option_goes_before_the_environment_and_that_before_the_file(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        assert self.keys_of() == "of-the-file"
        (tmp_path / "named.toml").write_text('data = "of-the-named-file"')
        assert self.keys_of("--settings", "named.toml") == "of-the-named-file"
        assert self.keys_of("--settings=named.toml") == "of-the-named-file"
        monkeypatch.setenv("AFTERWORD_SETTINGS", "named.toml")
        assert self.keys_of() == "of-the-named-file"
        monkeypatch.setenv("AFTERWORD_DATA", "of-the-environment")
        assert self.keys_of() == "of-the-environment"
        assert self.keys_of("--data", "of-the-option") == "of-the-option"

    def test_a_settings_file_that_is_wrong_is_named(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (tmp_path / "afterword.toml").write_text("prot = 1")
        assert main(["key", "list"]) == 2
        assert capsys.readouterr().err == 'unknown setting "prot" in afterword.toml, did you mean "port"?\n'

    def test_a_limit_of_the_server_is_checked_before_anything_is_made(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "afterword.toml").write_text('data = "d"\nbody-size = "1GB"')
        assert main(["serve"]) == 2
        assert capsys.readouterr().err == "body-size is 1GB, must be at most 16MiB\n"
        assert not (tmp_path / "d").exists()


def test_every_setting_is_documented() -> None:
    page = (Path(__file__).parents[1] / "docs" / "cli.md").read_text("utf-8")
    for setting in SETTINGS:
        assert f"| `{setting.name}` | `{setting.option}` | `{setting.variable}` | {setting.help}" in page
