"""What a settings file says, as the defaults of every command's options."""

from __future__ import annotations

from typing import Any

from afterword.settings import SETTINGS


def defaults_of(command: Any, told: dict[str, str]) -> dict[str, Any]:
    """Return the defaults of a command, or of those of a group by their names.

    Args:
        command: as typer has it.
        told: what the file says, by the settings' names.

    """
    if hasattr(command, "commands"):
        return {name: defaults_of(each, told) for name, each in command.commands.items()}
    # By its variable: an option of the same name may be something else, such as the demo's --out.
    named = {setting.variable: told[setting.name] for setting in SETTINGS if setting.name in told}
    return {option.name: named[option.envvar] for option in command.params if option.envvar in named}
