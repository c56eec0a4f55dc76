"""A small world with everything in it: three countings, control, repeated exposures, channels, steps, merges."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import afterword

START = datetime(2026, 3, 1, tzinfo=UTC)
CHANNELS = ("email", "push")
DEFINITIONS = """\
campaigns:
  - id: per-user
    variants: [{id: a, share: 40}, {id: b, share: 40}, {id: none, control: true, share: 20}]
    conversion_events:
      - {kind: purchase, deadline: 2 days}
      - {kind: session, deadline: 1 day}
  - id: per-channel
    counting: once_per_channel
    channels: [email, push]
    variants: [{id: a, share: 80}, {id: none, control: true, share: 20}]
    conversion_events: [{kind: purchase, deadline: 2 days}]
canvases:
  - id: per-exposure
    counting: once_per_exposure
    steps: [{id: one}, {id: two}]
    variants: [{id: a, share: 50}, {id: b, share: 50}]
    conversion_events:
      - {kind: purchase, deadline: 2 days}
      - {kind: custom, name: rated, deadline: 3 days}
"""
VARIANTS = {"per-user": ("a", "b", "none"), "per-channel": ("a", "none"), "per-exposure": ("a", "b")}


def write_world(directory: Path, *, users: int = 40, days: int = 8, seed: int = 5) -> None:
    """Write definitions and facts. Exposures have no ids, so theirs are derived; some are equal to the letter."""
    chance = random.Random(seed)

    def moment() -> str:
        return (START + timedelta(minutes=30 * chance.randrange(days * 48))).isoformat()

    exposures = ["user_id,campaign_id,variant_id,exposed_at,channel"]
    for campaign, variants in VARIANTS.items():
        for user in range(users):
            for _ in range(chance.choice((0, 1, 1, 2, 3))):
                row = f"u-{user},{campaign},{chance.choice(variants)},{moment()},{chance.choice(CHANNELS)}"
                exposures += [row] * chance.choice((1, 1, 1, 2))
    events = ["event_id,user_id,kind,occurred_at,name,price,currency"]
    for number in range(users * 6):
        kind = chance.choice(("purchase", "session", "custom"))
        what = {"purchase": ",9.90,USD", "session": ",,", "custom": "rated,,"}[kind]
        events.append(f"e-{number},u-{chance.randrange(users)},{kind},{moment()},{what}")
    (directory / "campaigns.yaml").write_text(DEFINITIONS, encoding="utf-8")
    for name, rows in (("exposures", exposures), ("events", events)):
        (directory / f"{name}.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (directory / "merges.csv").write_text("from_user_id,to_user_id\nu-0,u-1\nu-2,u-3\n", encoding="utf-8")


def run_world(directory: Path) -> afterword.Results:
    """Write the world into a directory and run it."""
    write_world(directory)
    return afterword.run(
        directory / "campaigns.yaml",
        exposures=directory / "exposures.csv",
        events=directory / "events.csv",
        merges=directory / "merges.csv",
        out=directory / "results",
    )
