"""The 50 campaigns of the benchmark: how they are made, and how contenders read them again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

CAMPAIGNS = 50
APPS = ("ios", "android", "web")
CHANNELS = ("email", "push", "sms", "in_app")
PRODUCTS = 1000
CUSTOM_NAMES = (
    "added_to_cart",
    "started_checkout",
    "viewed_product",
    "searched",
    "rated",
    "shared",
    "invited_friend",
    "finished_tutorial",
    "subscribed",
    "watched_video",
    "used_coupon",
    "saved_address",
)
DEADLINES = (
    "6 hours",
    "12 hours",
    "1 day",
    "36 hours",
    "2 days",
    "3 days",
    "5 days",
    "7 days",
    "10 days",
    "14 days",
)
SECONDS = {"hours": 3600, "day": 86_400, "days": 86_400}


def product(number: int) -> str:
    """The id of a product."""
    return f"p-{number:04d}"


def definitions(rng: np.random.Generator) -> dict[str, Any]:
    """Return a definition file: 50 campaigns of four conversion events, as a team of marketers would have them."""
    ranges = [sorted(rng.choice(PRODUCTS, size=20, replace=False).tolist()) for _ in range(12)]
    campaigns = [_campaign(rng, number, ranges) for number in range(CAMPAIGNS)]
    return {"workspace": {"timezone": "Europe/Berlin", "currency": "EUR"}, "campaigns": campaigns}


def _campaign(rng: np.random.Generator, number: int, ranges: list[list[int]]) -> dict[str, Any]:
    shares = (45, 45) if rng.random() < 0.5 else (30, 30, 30)
    variants: list[dict[str, Any]] = [{"id": "abc"[i], "share": share} for i, share in enumerate(shares)]
    variants.append({"id": "control", "control": True, "share": 10})
    makers = [_purchase, _custom, _session, _upgrade]
    order = rng.permutation(4) if rng.random() < 0.5 else np.array([0, 1, 2, 3])
    events = [makers[place](rng, ranges) | {"deadline": str(rng.choice(DEADLINES))} for place in order]
    if rng.random() < 0.2:  # some ask for two names and no upgrade
        events = [e if e["kind"] != "upgrade" else _custom(rng, ranges) | {"deadline": e["deadline"]} for e in events]
    return {
        "id": f"campaign-{number:02d}",
        "name": f"Campaign {number:02d}",
        "channels": [str(c) for c in rng.choice(CHANNELS, size=int(rng.integers(1, 3)), replace=False)],
        "counting": "once_per_user",
        "variants": variants,
        "conversion_events": events,
    }


def _purchase(rng: np.random.Generator, ranges: list[list[int]]) -> dict[str, Any]:
    if rng.random() < 0.4:
        return {"kind": "purchase"}
    return {"kind": "purchase", "products": [product(n) for n in ranges[int(rng.integers(len(ranges)))]]}


def _custom(rng: np.random.Generator, ranges: list[list[int]]) -> dict[str, Any]:
    return {"kind": "custom", "name": str(rng.choice(CUSTOM_NAMES))}


def _session(rng: np.random.Generator, ranges: list[list[int]]) -> dict[str, Any]:
    return {"kind": "session"} | _apps(rng)


def _upgrade(rng: np.random.Generator, ranges: list[list[int]]) -> dict[str, Any]:
    return {"kind": "upgrade"} | _apps(rng)


def _apps(rng: np.random.Generator) -> dict[str, Any]:
    return {} if rng.random() < 0.5 else {"apps": [str(rng.choice(APPS))]}


@dataclass(frozen=True, slots=True)
class Goal:
    """A conversion event of a campaign as a flat row; `None` and empty tuples mean any."""

    campaign_id: str
    letter: str
    kind: str
    name: str | None
    apps: tuple[str, ...]
    products: tuple[str, ...]
    deadline_us: int


def goals(path: Path) -> list[Goal]:
    """Return the conversion events of a definition file that `definitions` made, in its order."""
    found = []
    for campaign in yaml.load(path.read_text(), Loader=yaml.CSafeLoader)["campaigns"]:
        for letter, event in zip("ABCD", campaign["conversion_events"], strict=False):
            number, unit = event["deadline"].split()
            found.append(
                Goal(
                    campaign_id=campaign["id"],
                    letter=letter,
                    kind=event["kind"],
                    name=event.get("name"),
                    apps=tuple(event.get("apps", ())),
                    products=tuple(event.get("products", ())),
                    deadline_us=int(number) * SECONDS[unit] * 1_000_000,
                )
            )
    return found
