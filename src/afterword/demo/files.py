"""Writes the demo: a definition file, fact files and a page about them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from afterword.demo import email_test, texts, update_app, welcome
from afterword.demo.facts import write_csv, write_parquet
from afterword.demo.truth import DemoTruth

# Rows that people send, and the reason for which each is rejected (rule 35).
_BROKEN_EVENTS = (
    (
        {
            "event_id": "broken-1",
            "user_id": "n-0001",
            "kind": "purchase",
            "occurred_at": "2008-03-20T10:00:00Z",
            "product_id": "starter-set",
            "price": "12,50",
            "quantity": "1",
            "currency": "USD",
        },
        "bad_amount",
    ),
    (
        {"event_id": "broken-2", "user_id": "n-0002", "kind": "custom", "occurred_at": "2008-03-21T10:00:00Z"},
        "missing_field",
    ),
)
_BROKEN_EXPOSURES = (
    (
        {
            "exposure_id": "broken-3",
            "user_id": "n-0003",
            "campaign_id": "wellcome",
            "variant_id": "story",
            "exposed_at": "2008-03-22T10:00:00Z",
        },
        "unknown_campaign",
    ),
)


@dataclass(frozen=True, slots=True)
class DemoFiles:
    """Where everything is, ready for `afterword.run`, and what is true about it."""

    directory: Path
    definitions: Path
    exposures: tuple[Path, ...]
    events: tuple[Path, ...]
    step_messages: tuple[Path, ...]
    readme: Path
    truth: DemoTruth


def write_demo(directory: Path, seed: int = 2008) -> DemoFiles:
    """Write the demo's files, the same ones for the same seed; files of these names are replaced."""
    # Each campaign has its own generator, so that changing one leaves the others as they are.
    for_test, for_canvas, for_app = (np.random.default_rng(part) for part in np.random.SeedSequence(seed).spawn(3))
    test_exposures, test_events, test_truth = email_test.email_test(for_test)
    canvas = welcome.welcome(for_canvas)
    app_exposures, app_events, app_truth = update_app.update_app(for_app)
    directory.mkdir(parents=True, exist_ok=True)
    files = DemoFiles(
        directory=directory,
        definitions=directory / "campaigns.yaml",
        exposures=tuple(
            directory / f"exposures-{name}" for name in ("email-test.parquet", "welcome.csv", "update-app.csv")
        ),
        events=tuple(directory / f"events-{name}" for name in ("email-test.parquet", "welcome.csv", "update-app.csv")),
        step_messages=(directory / "step-messages-welcome.csv",),
        readme=directory / "README.txt",
        truth=DemoTruth(
            {
                email_test.CAMPAIGN: test_truth,
                welcome.CANVAS: canvas.truth,
                update_app.CAMPAIGN: app_truth,
            },
            as_of_us=welcome.EXPORTED_AT,
            repetitions=email_test.REPEATED,
            rejected=Counter(reason for _, reason in (*_BROKEN_EVENTS, *_BROKEN_EXPOSURES)),
        ),
    )
    files.definitions.write_text(texts.DEFINITIONS, encoding="utf-8")
    files.readme.write_text(texts.README, encoding="utf-8")
    write_parquet(test_exposures, files.exposures[0])
    write_csv(canvas.exposures, files.exposures[1], _rows(canvas.exposures, _BROKEN_EXPOSURES))
    write_csv(app_exposures, files.exposures[2])
    write_parquet(test_events, files.events[0])
    write_csv(canvas.events, files.events[1], _rows(canvas.events, _BROKEN_EVENTS))
    write_csv(app_events, files.events[2])
    write_csv(canvas.step_messages, files.step_messages[0])
    return files


def _rows(table: pa.Table, broken: tuple[tuple[dict[str, str], str], ...]) -> list[list[str]]:
    return [[row.get(column, "") for column in table.column_names] for row, _ in broken]
