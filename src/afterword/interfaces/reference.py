"""`docs/cli.md`, written from the commands themselves: `python -m afterword.interfaces.reference`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer.main

from afterword.interfaces.cli import app
from afterword.settings import SETTINGS, Setting

_INTRODUCTION = """\
# The command line

<!-- Written by `make docs` from the commands themselves; a test compares. -->

Options that say `...` take several values, up to the next option, and globs:
`--events a.csv b.csv`, `--events 'events/*.parquet'`. `--events a.csv --events b.csv` is the same.
The definition file comes first, or after a `--`.

Answers go to stdout, progress (on a terminal, for what takes more than a second) and errors to stderr.

| exit code | meaning |
| --- | --- |
| 0 | done; for `verify`: the same |
| 1 | a fault of Afterword; for `verify`: something differs, for `log verify`: the log is damaged |
| 2 | a mistake in what was given: one sentence says what, and what would be right |
| 130 | stopped by Ctrl-C |
"""

_ABOUT_SETTINGS = """\
What an option does not say is taken from the environment; what that does not say, from the settings file; else it
is the default. The file is the one that `--settings FILE` or `AFTERWORD_SETTINGS` names, or `afterword.toml` in the
working directory. It is TOML with the names of this table; relative paths are from the working directory, as in an
option:

    data = "/var/lib/afterword"
    port = 8640
    memory = "8GB"
    rate = "250000/3600"

Each command takes from it what it has an option for. A name that is no setting is refused. A password in `metadata`
wants the file to be readable for its user alone."""


def reference() -> str:
    """Return the whole page."""
    root: Any = typer.main.get_command(app)
    parts = [_INTRODUCTION, _options("afterword", root)]
    parts += [_section(name, command) for name, command in _commands(root)]
    parts.append(_settings())
    return "\n".join(parts)


def _commands(group: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """All commands in their order; those of a group carry its name: `key create`."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


def _section(name: str, command: Any) -> str:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    usage = " ".join([f"afterword {name}", *(p.metavar or p.name.upper() for p in arguments), "[OPTIONS]"])
    lines = [f"## afterword {name}", "", " ".join(command.help.split()), "", f"    {usage}", ""]
    if arguments:
        lines += ["| argument | meaning |", "| --- | --- |"]
        lines += [f"| `{p.metavar}` | {p.help} |" for p in arguments]
        lines.append("")
    return "\n".join(lines) + "\n" + _table(command)


def _options(title: str, command: Any) -> str:
    return f"## {title}\n\n{' '.join(command.help.split())}\n\n    afterword [OPTIONS] COMMAND\n\n{_table(command)}"


def _table(command: Any) -> str:
    lines = ["| option | meaning |", "| --- | --- |"]
    for option in command.params:
        if option.param_type_name == "option":
            lines.append(f"| `{_form(option)}` | {option.help}{_default(option)} |")
    return "\n".join(lines) + "\n"


def _form(option: Any) -> str:
    if option.is_flag:
        return " / ".join(map(str, [option.opts[0], *option.secondary_opts]))
    values = option.metavar.replace("|", "\\|")
    return f"{option.opts[0]} {values}"


def _default(option: Any) -> str:
    if option.is_flag or option.default is None:
        return ""
    value = getattr(option.default, "value", option.default)
    return f" Default: `{value}`."


def _settings() -> str:
    lines = ["## Settings", "", _ABOUT_SETTINGS, ""]
    lines += ["| setting | option | variable | meaning |", "| --- | --- | --- | --- |"]
    lines += [f"| `{s.name}` | `{s.option}` | `{s.variable}` | {s.help}{_of_setting(s)} |" for s in SETTINGS]
    return "\n".join(lines) + "\n"


def _of_setting(setting: Setting) -> str:
    return "" if setting.default is None else f" Default: `{setting.default.removeprefix('./')}`."


if __name__ == "__main__":
    print(reference(), end="")
