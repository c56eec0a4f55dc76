"""The command line: reads arguments, calls the workspace, prints what comes back.

What is heavy (DuckDB, Numba, SciPy) is imported inside the command that needs it, so that help is quick.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from afterword import __version__
from afterword.errors import UserError
from afterword.interfaces import (
    aa_cli,
    apply_cli,
    assign_cli,
    backup_cli,
    erase_cli,
    export_cli,
    holdout_cli,
    import_cli,
    keys_cli,
    log_cli,
    options,
    output,
    person_cli,
    plan_cli,
    reading_cli,
    select_cli,
)
from afterword.interfaces.arguments import DEBUG, SETTINGS, hoist_common, renames, spread
from afterword.interfaces.faults import INTERRUPTED, fault_of
from afterword.interfaces.progress import Meter
from afterword.interfaces.setting_defaults import defaults_of
from afterword.interfaces.summary import facts_read
from afterword.settings import DATA, FILE_NAME, FILE_VARIABLE, read_settings

SHOWN_CAMPAIGNS = 5
"""Up to so many reports are printed at the end of a run; more would scroll the first ones away."""

REJECTED = "rejected.parquet"

DIFFERENT = 1
"""Exit code of `verify` when results differ, as that of diff."""

app = typer.Typer(
    name="afterword",
    help="Afterword shows what people did after your message.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        output.say(f"afterword {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, typer.Option(DEBUG, help="Show the traceback of a fault of ours.")] = False,
    settings: Annotated[
        Path | None,
        typer.Option(
            SETTINGS,
            metavar="FILE",
            envvar=FILE_VARIABLE,
            help=f"A settings file. Not set: {FILE_NAME} in the working directory, if there is one.",
        ),
    ] = None,
) -> None:
    """Afterword shows what people did after your message."""
    context.default_map = defaults_of(context.command, read_settings(settings))


@app.command()
def demo(
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Where to write the demo's files and results.")
    ] = Path("afterword-demo"),
    force: Annotated[
        bool, typer.Option("--force", help="Write the demo's files anew, also where they were changed.")
    ] = False,
    serve: Annotated[
        bool | None,
        typer.Option(
            "--serve/--no-serve",
            help="Serve the demo's data afterwards, until Ctrl-C, or only print. Not set: serve if this is a terminal.",
        ),
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Run a published e-mail test and more through it.

    A published test of 64,000 customers is rebuilt from its totals, beside a Canvas and an upgrade campaign; the
    definition and fact files are yours to open and change. Then the same data are served, with the reports as pages,
    from a data directory that is made anew each time.
    """
    from afterword.interfaces.demonstration import demonstrate, next_steps

    with Meter() as meter:
        results, written = demonstrate(out, force=force, meter=meter)
    if as_json:
        output.say_json(results.json)
        return
    _show_reports(results)
    output.say(facts_read(results.json["facts"], results.path / REJECTED))
    output.say(next_steps(out, written))
    if serve is None and not sys.stdout.isatty():
        output.say("The demo is not served, since this is no terminal; --serve serves it all the same.")
    elif serve is not False:
        from afterword.interfaces.demo_serving import serve_demo

        serve_demo(out, results.campaign_ids)


@app.command()
def run(
    campaigns: options.CampaignsFile = None,
    exposures: options.Exposures = None,
    events: options.Events = None,
    step_messages: options.StepMessages = None,
    merges: options.Merges = None,
    rates: options.Rates = None,
    exposures_sql: options.ExposuresSql = None,
    events_sql: options.EventsSql = None,
    column_map: options.Map = None,
    time_unit: options.Unit = None,
    dates: options.DateMeaning = None,
    as_of: options.AsOf = None,
    out: options.Out = Path("./afterword-results"),
    force: options.Force = False,
    strict: options.Strict = False,
    memory: options.Memory = None,
    threads: options.Threads = None,
    as_json: options.AsJson = False,
) -> None:
    """Compute results from files.

    Reads definitions and facts, prints the reports (up to five) and leaves all results in a directory, which
    `report`, `explain`, `users` and `verify` read.
    """
    definitions, names = _definition_file(campaigns, "run"), renames(column_map or ())
    from afterword.workspace.run import run as run_files

    with Meter() as meter:
        results = run_files(
            definitions,
            exposures=exposures or (),
            events=events or (),
            step_messages=step_messages or (),
            merges=merges or (),
            rates=rates,
            exposures_sql=exposures_sql,
            events_sql=events_sql,
            out=out,
            as_of=as_of,
            memory=memory,
            threads=threads,
            strict=strict,
            force=force,
            rename=names,
            time_unit=time_unit,
            dates=dates,
            progress=meter,
        )
    if as_json:
        output.say_json(results.json)
        return
    _show_reports(results)
    output.say(facts_read(results.json["facts"], results.path / REJECTED))
    output.say(f"Results are in {results.path}; open {results.path / 'report.html'} in a browser.")


app.command()(reading_cli.report)
app.command()(reading_cli.explain)
app.command()(reading_cli.users)
app.command()(select_cli.select)
app.command()(plan_cli.plan)


@app.command()
def doctor(
    context: typer.Context,
    campaigns: options.CampaignsFile = None,
    exposures: options.Exposures = None,
    events: options.Events = None,
    step_messages: options.StepMessages = None,
    merges: options.Merges = None,
    rates: options.Rates = None,
    exposures_sql: options.ExposuresSql = None,
    events_sql: options.EventsSql = None,
    column_map: options.Map = None,
    time_unit: options.Unit = None,
    dates: options.DateMeaning = None,
    memory: options.Memory = None,
    threads: options.Threads = None,
    recompute: Annotated[
        bool,
        typer.Option(
            "--recompute",
            help="Instead compute the results of a data directory again, and say whether they are the same.",
        ),
    ] = False,
    aa: Annotated[
        str | None,
        typer.Option(
            "--aa",
            metavar="CAMPAIGN",
            help="Instead deal out the variant labels of a campaign's users anew, 1,000 times, and print how often a "
            "verdict and the plain test find something by chance.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Of the chance of --aa.", min=0)] = 1,
    results: options.ResultsDir = Path("./afterword-results"),
    data: options.AskedData = None,
    metadata: options.MetadataUrl = None,
    as_json: options.AsJson = False,
) -> None:
    """Check files without computing anything.

    Exit code 2 if there is something to mend. With --recompute, check the results of a data directory: exit code 1 if
    they are not what a full computation gives. With --aa, check what verdicts on a campaign's data are worth.
    """
    if aa is not None:
        if recompute or campaigns is not None:
            raise UserError("--aa goes with --results or --data, without files and without --recompute")
        aa_cli.permute(aa, results, reading_cli.asked_directory(context, data), seed, memory, metadata, as_json)
        return
    if recompute:
        reading_cli.recompute(campaigns, data or Path(DATA.default or ""), memory, threads, metadata, as_json)
        return
    if data is not None and reading_cli.is_said(context, "data"):
        raise UserError("--data goes with --recompute or --aa; the files that are checked are named one by one")
    definitions, names = _definition_file(campaigns, "doctor"), renames(column_map or ())
    from afterword.workspace.doctor import check

    with Meter() as meter:
        findings = check(
            definitions,
            exposures=exposures or (),
            events=events or (),
            step_messages=step_messages or (),
            merges=merges or (),
            rates=rates,
            exposures_sql=exposures_sql,
            events_sql=events_sql,
            rename=names,
            time_unit=time_unit,
            dates=dates,
            memory=memory,
            threads=threads,
            progress=meter,
        )
    if as_json:
        output.say_json(findings.json)
    else:
        output.show(findings)
    if not findings.healthy:
        raise typer.Exit(UserError.exit_code)


@app.command()
def verify(
    results: Annotated[Path, typer.Argument(metavar="DIR", help="A results directory.")],
    memory: options.Memory = None,
    threads: options.Threads = None,
    as_json: options.AsJson = False,
) -> None:
    """Compute results again and compare.

    Reads the inputs that the results name, and says `same`, or what differs (exit code 1).
    """
    from afterword.workspace.verify import verify as verify_results

    with Meter() as meter:
        differences = verify_results(results, memory=memory, threads=threads, progress=meter)
    if as_json:
        output.say_json({"same": not differences, "differences": list(differences)})
    else:
        output.say("\n".join(differences) if differences else "same")
    if differences:
        raise typer.Exit(DIFFERENT)


app.command()(apply_cli.apply)
app.command()(assign_cli.assign)
app.command()(erase_cli.erase)
app.command()(backup_cli.backup)
app.command()(export_cli.export)
app.command("import")(import_cli.import_)
app.add_typer(keys_cli.app)
app.add_typer(person_cli.app)
app.add_typer(log_cli.app)
app.add_typer(holdout_cli.app)


@app.command()
def serve(
    data: options.DataDir = Path("./afterword-data"),
    host: options.Host = "127.0.0.1",
    port: options.Port = 8640,
    memory: options.Memory = None,
    threads: options.Threads = None,
    metadata: options.MetadataUrl = None,
    rate: options.RequestRate = "250000/3600",
    track_rate: options.TrackRate = "3000/3",
    body_size: options.BodySize = "4MiB",
    batch_size: options.BatchSize = "16MiB",
    free_space: options.FreeSpace = "256MiB",
    unloaded_size: options.UnloadedSize = "2GiB",
    changes_days: options.ChangesDays = 30,
    keep_audit_days: options.KeepAuditDays = 730,
    answer_nice: options.AnswerNice = 19,
    oidc: options.OidcFile = None,
    erase_within: options.EraseWithin = "24 hours",
    keep_log_days: options.KeepLogDays = None,
    keep_log_bytes: options.KeepLogBytes = None,
    trusted_proxies: options.TrustedProxies = "127.0.0.1,::1",
) -> None:
    """Take facts over HTTP and answer with results.

    Makes the data directory where there is none, and prints an admin key the first time.
    """
    from afterword.interfaces.api.server import make_policy
    from afterword.interfaces.oidc.settings import read_oidc
    from afterword.interfaces.serve import serve as serve_directory
    from afterword.interfaces.upkeep import read_upkeep

    upkeep = read_upkeep(erase_within, keep_log_days, keep_log_bytes)
    sizes = (body_size, batch_size, free_space, unloaded_size)
    policy = make_policy(
        rate,
        track_rate,
        *sizes,
        changes_days=changes_days,
        audit_days=keep_audit_days,
        nice=answer_nice,
        trusted_proxies=trusted_proxies,
    )
    policy = replace(policy, oidc=read_oidc(oidc, os.environ))
    serve_directory(data, host, port, memory, threads, output.say_at_once, policy, metadata, upkeep)


def _definition_file(path: Path | None, command: str) -> Path:
    if path is None:
        raise UserError(
            f"name the definition file first: afterword {command} CAMPAIGNS.yaml --exposures F... --events F... "
            "(all that follows an option such as --events is taken as its files)"
        )
    return path


def _show_reports(results: output.ShowsReports) -> None:
    campaigns = results.campaign_ids
    if len(campaigns) > SHOWN_CAMPAIGNS:
        output.say(f"{len(campaigns)} campaigns; afterword report CAMPAIGN shows one.")
        return
    for campaign in campaigns:
        output.show_report(results.report(campaign), options.Format.TABLE)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    # Before NumPy can be imported. NumPy asks for huge pages for arrays over 4 MB; where the kernel has to make room
    # for them first, the first touch of an array costs many times its use (measured 20 ms instead of 3 ms for 8 MB).
    os.environ.setdefault("NUMPY_MADVISE_HUGEPAGE", "0")
    words = hoist_common(sys.argv[1:] if argv is None else argv)
    try:
        app(args=spread(words), prog_name="afterword")
    except SystemExit as exit_:
        return exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None)
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        fault = fault_of(error)
        if DEBUG in words and fault.exit_code == 1:
            raise
        output.note(fault.message)
        return fault.exit_code
    return 0
