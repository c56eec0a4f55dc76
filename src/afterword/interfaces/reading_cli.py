"""`afterword report`, `explain`, `users` and `doctor --recompute`: what results say, from either kind of directory.

A results directory is what a run over files has left. Of a data directory its server is asked, or it is opened here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from afterword.errors import UserError
from afterword.interfaces import options, output
from afterword.interfaces.progress import Meter
from afterword.settings import DATA, RESULTS

if TYPE_CHECKING:
    from afterword.interfaces.data_results import DataResults
    from afterword.workspace.story import Story

DIFFERENT = 1
"""Exit code where results differ, as that of diff."""
SOURCES = ("COMMANDLINE", "ENVIRONMENT", "DEFAULT_MAP", "DEFAULT")
"""Where the value of an option comes from, the strongest first, as typer names them."""
NOTHING_LAUNCHED = "No campaign was launched yet; afterword apply FILE.yaml defines and launches what a file says."


def report(
    context: typer.Context,
    campaign: Annotated[
        str | None, typer.Argument(metavar="[CAMPAIGN]", help="A campaign's or Canvas's id. Not set: all.")
    ] = None,
    results: options.ResultsDir = Path("./afterword-results"),
    data: options.AskedData = None,
    form: Annotated[
        options.Format, typer.Option("--format", metavar="table|json|csv|markdown", help="How to print it.")
    ] = options.Format.TABLE,
    memory: options.Memory = None,
    metadata: options.MetadataUrl = None,
    as_json: options.AsJson = False,
) -> None:
    """Print the report of a campaign.

    Without a campaign, the reports of all of them.
    """
    from afterword.workspace.results import open_results

    form = options.Format.JSON if as_json else form
    directory = asked_directory(context, data)
    if directory is None:
        opened = open_results(results)
        if form is options.Format.JSON:
            output.say_json(opened.json if campaign is None else opened.report(campaign).json)
            return
        _show_all(opened, campaign, form)
        return
    with _asked(directory, memory, metadata) as asked:
        if form is options.Format.JSON:
            output.say_json(asked.json if campaign is None else asked.answer(campaign, "report"))
            return
        _show_all(asked, campaign, form)


def _show_all(results: output.ShowsReports, campaign: str | None, form: options.Format) -> None:
    campaigns = results.campaign_ids if campaign is None else (campaign,)
    for one in campaigns:
        output.show_report(results.report(one), form)
    if not campaigns:
        output.note(NOTHING_LAUNCHED)


def explain(
    context: typer.Context,
    campaign: options.Campaign,
    user: Annotated[str, typer.Argument(metavar="USER", help="The user's id.")],
    results: options.ResultsDir = Path("./afterword-results"),
    data: options.AskedData = None,
    memory: options.Memory = None,
    metadata: options.MetadataUrl = None,
    as_json: options.AsJson = False,
) -> None:
    """Say why a user did or did not convert.

    The user's story in order of time, with a verdict for each conversion event and exposure, naming the event and
    the nearest miss.
    """
    from afterword.workspace.results import open_results

    directory = asked_directory(context, data)
    if directory is None:
        _show_story(open_results(results).explain(campaign, user=user), as_json)
        return
    with _asked(directory, memory, metadata) as asked:
        _show_story(asked.explain(campaign, user), as_json)


def _show_story(story: Story, as_json: bool) -> None:
    if story.unknown:
        raise UserError(story.unknown)
    if as_json:
        output.say_json(story.json)
    else:
        output.show(story)


def users(
    context: typer.Context,
    campaign: options.Campaign,
    variant: Annotated[
        str | None,
        typer.Option(
            "--variant", metavar="VARIANT", help="Only of this variant, or `total`: all but control. Not set: of all."
        ),
    ] = None,
    event: Annotated[str, typer.Option("--event", metavar="LETTER", help="The conversion event, A to D.")] = "A",
    converted: Annotated[bool, typer.Option("--converted", help="Who converted (also if nothing is said).")] = False,
    pending: Annotated[bool, typer.Option("--pending", help="Who still may convert.")] = False,
    not_converted: Annotated[bool, typer.Option("--not", help="Who did not convert.")] = False,
    results: options.ResultsDir = Path("./afterword-results"),
    data: options.AskedData = None,
    memory: options.Memory = None,
    metadata: options.MetadataUrl = None,
    as_json: options.AsJson = False,
) -> None:
    """List the users behind a number.

    As many as the report says; exposures, or pairs of user and channel, where the campaign counts those.
    """
    states = {"converted": converted, "pending": pending, "not_converted": not_converted}
    chosen = [state for state, wanted in states.items() if wanted] or ["converted"]
    if len(chosen) > 1:
        raise UserError("only one of --converted, --pending and --not can be given")
    from afterword.workspace.results import open_results

    directory = asked_directory(context, data)
    if directory is None:
        opened = open_results(results)
        rows = opened.users(campaign, variant=variant, event=event, state=chosen[0])
        if as_json:
            output.say_json(rows)
        else:
            _show_users(rows, str(opened.report(campaign).json["denominator"]), chosen[0])
        return
    with _asked(directory, memory, metadata) as asked:
        answer = asked.answer(campaign, "users", variant=variant, event=event, state=chosen[0])
        if as_json:
            output.say_json(answer)
        else:
            _show_users(answer["users"], asked.unit(campaign), chosen[0])


def _show_users(rows: list[dict[str, Any]], denominator: str, state: str) -> None:
    output.say_rows(rows)
    unit = denominator.removesuffix("s").replace("_", "-")
    output.note(f"{output.counted(len(rows), unit)} {state.replace('_', ' ')}")


def recompute(
    campaigns: Path | None, data: Path, memory: str | None, threads: int | None, metadata: str | None, as_json: bool
) -> None:
    """Do what `afterword doctor --recompute` does.

    Raises:
        UserError: a definition file is named too.
        typer.Exit: with code 1, the results differ.

    """
    from afterword.interfaces.directory import api_of

    if campaigns is not None:
        raise UserError(f"--recompute checks a data directory, and no files: name it with --data, without {campaigns}")
    with Meter() as meter, api_of(data, memory=memory, threads=threads, metadata_url=metadata) as api:
        meter("computing all results again")
        while (found := api.post("/api/recompute"))["same"] is None:
            meter("computing all results again")
    if as_json:
        output.say_json(found)
    else:
        output.say("\n".join(_compared(found)))
    if not found["same"]:
        raise typer.Exit(DIFFERENT)


def _compared(found: dict[str, Any]) -> Iterator[str]:
    amount = f"{output.counted(found['rows'], 'row')} of {output.counted(found['campaigns'], 'campaign')}"
    yield f"{'same' if found['same'] else 'different'}: {amount}, as of {found['as_of']}"
    for one in found["differences"]:
        yield f"  {one['campaign']}, {one['table']}: {one['missing']} missing, {one['surplus']} too many; for example"
        for example in one["examples"]:
            yield "    " + ", ".join(f"{name}={value}" for name, value in example.items() if value is not None)


def is_said(context: typer.Context, option: str) -> bool:
    """Return whether the command was given an option by its arguments."""
    return _source(context, option) == SOURCES[0]


def asked_directory(context: typer.Context, data: Path | None) -> Path | None:
    """Return the data directory if that is what is asked for; arguments go before the environment, that before files.

    Raises:
        UserError: both kinds of directory are named in the same way.

    """
    if data is None:
        return None
    of_data, of_results = (SOURCES.index(_source(context, name)) for name in ("data", "results"))
    if of_data == of_results:
        both = (DATA.variable, RESULTS.variable) if SOURCES[of_data] == "ENVIRONMENT" else (DATA.option, RESULTS.option)
        raise UserError(f"both {both[0]} and {both[1]} are given: results are in one directory or in the other")
    return data if of_data < of_results else None


def _source(context: typer.Context, option: str) -> str:
    source = context.get_parameter_source(option)
    return source.name if source is not None else SOURCES[-1]


@contextmanager
def _asked(data: Path, memory: str | None, metadata: str | None) -> Iterator[DataResults]:
    from afterword.interfaces.data_results import DataResults
    from afterword.interfaces.directory import api_of

    with api_of(data, memory=memory, metadata_url=metadata) as api:
        yield DataResults(api)
