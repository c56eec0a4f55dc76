"""`afterword apply`: bring the campaigns of a data directory to what a definition file says."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from afterword.durations import describe_duration
from afterword.errors import UserError
from afterword.interfaces import options, output
from afterword.interfaces.client import find_server
from afterword.interfaces.keys_cli import open_at
from afterword.interfaces.moments import now

if TYPE_CHECKING:
    from afterword.store.differences import Difference, FieldChange
    from afterword.store.metadata import Metadata
    from afterword.store.plans import Plan

NOTHING = "Nothing to apply: all is as the file says."
FOLLOWING = "The server computes the results; a report that is asked for now waits for them."
NOT_APPLIED = "Nothing was applied."


def apply(
    file: Annotated[Path, typer.Argument(metavar="FILE.yaml", help="The definition file (YAML or JSON).")],
    yes: Annotated[bool, typer.Option("--yes", help="Apply without asking.")] = False,
    draft: Annotated[bool, typer.Option("--draft", help="Leave new campaigns as drafts; launch none.")] = False,
    data: options.DataDir = Path("./afterword-data"),
    metadata: options.MetadataUrl = None,
    as_json: options.AsJson = False,
) -> None:
    """Bring campaigns to what a definition file says.

    Shows first what would change, then asks. New campaigns are launched; those that the file does not name are left
    alone. Applying the same file again changes nothing. Exit code 2 if something is left to apply.
    """
    from afterword.intake.definitions import load_definitions

    definitions = load_definitions(file)
    with open_at(data, metadata, create=True) as opened:
        plan = opened.plan(definitions, settings=_named_settings(file), launch=not draft, source=str(file))
        if not as_json:
            output.say("\n".join(_lines(plan)))
        agreed = plan.does_something and (yes or (not as_json and _asked()))
        if agreed:
            opened.apply(plan, now())
            _note(opened, plan)
    if as_json:
        output.say_json({"applied": agreed, "differences": [_json(one) for one in plan.differences]})
    elif not plan.does_something:
        output.say(NOTHING)
    elif agreed:
        output.say("Applied.")
        if _is_served(data):
            output.say(FOLLOWING)
    if plan.does_something and not agreed:
        output.note(NOT_APPLIED if sys.stdin.isatty() else f"{NOT_APPLIED} Add --yes to apply it.")
        raise typer.Exit(UserError.exit_code)


def _note(opened: Metadata, plan: Plan) -> None:
    """Have the audit log say what was applied."""
    from afterword.store.audit import COMMAND

    for one in plan.differences:
        if one.does_something:
            action = "campaign.launched" if str(one.action) == "unchanged" else f"campaign.{one.action}"
            detail = {"version": one.version, "launched": one.launches, "fields": [c.field for c in one.changes]}
            action = "workspace.changed" if one.kind == "workspace" else action
            opened.audit.add(now(), COMMAND, action, one.id or one.kind, detail)


def _named_settings(file: Path) -> tuple[str, ...]:
    """Which settings the file names; others stay as they are, where `run` would take the defaults."""
    from afterword.intake.definition_files import read_data

    data, _ = read_data(file)
    workspace = data.get("workspace") if isinstance(data, Mapping) else None
    if not isinstance(workspace, Mapping):
        return ()
    return tuple(str(name) for name, value in workspace.items() if value is not None)


def _is_served(data: Path) -> bool:
    with suppress(UserError):  # what was applied is applied, whoever may read about the server
        return find_server(data) is not None
    return False


def _asked() -> bool:
    return sys.stdin.isatty() and typer.confirm("Apply this?")


# --- how a plan is shown ----------------------------------------------------------------------------


def _lines(plan: Plan) -> Iterator[str]:
    for difference in plan.differences:
        yield _headline(difference)
        for change in difference.changes:
            yield f"    {change.field}: {_shown(change.field, change.old)} -> {_shown(change.field, change.new)}"
        if difference.replaces:
            yield (
                f"    version: {difference.replaces} -> {difference.version}; all results are computed again from it, "
                "and say so (rule 6)"
            )


def _headline(difference: Difference) -> str:
    sign = {"created": "+", "changed": "~", "unchanged": "="}[difference.action]
    noun = "Canvas" if difference.kind == "canvas" else difference.kind
    launched = " and launched" if difference.launches else ""
    version = f", version {difference.version}" if difference.action == "created" or difference.launches else ""
    return f"{sign} {noun} {difference.id}".rstrip() + f": {difference.action}{launched}{version}"


def _shown(field: str, value: object) -> str:
    if value is None:
        return "none"
    if field.endswith(".deadline") and isinstance(value, int):
        return describe_duration(value)
    if field.endswith(".share"):
        return f"{value} %"
    return json.dumps(value, ensure_ascii=False)


def _json(difference: Difference) -> dict[str, Any]:
    return {
        "kind": difference.kind,
        "id": difference.id or None,
        "action": str(difference.action),
        "changes": [_change_json(change) for change in difference.changes],
        "launches": difference.launches,
        "version": difference.version,
        "replaces": difference.replaces,
    }


def _change_json(change: FieldChange) -> dict[str, object]:
    return {"field": change.field, "old": change.old, "new": change.new}
