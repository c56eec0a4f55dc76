"""What the tests of other people's clients share: campaigns that show what came in, and a look at them."""

from __future__ import annotations

from collections.abc import Sequence

from tests.interfaces.serving import Client, campaign, exposures

FOUR = [
    {"kind": "purchase", "deadline": "3 days"},
    {"kind": "custom", "name": "added_to_cart", "deadline": "3 days"},
    {"kind": "session", "deadline": "3 days"},
    {"kind": "upgrade", "deadline": "3 days"},
]


def watched(client: Client, name: str, users: Sequence[str]) -> None:
    """Launch a campaign of one purchase, custom event, session and upgrade, with users who were exposed an hour ago."""
    client.launch(campaign(name, conversion_events=FOUR))
    assert client.post("/api/exposures", exposures(users, of=name)).json()["accepted"] == len(users)


def told(client: Client, name: str) -> tuple[list[int], dict[str, float]]:
    """Return who converted on purchase, custom event, session and upgrade, and the revenue, when all is known."""
    client.loaded()
    variant = client.report(name)["variants"][0]
    converted = [one["converted"] for one in variant["conversions"].values()]
    return converted, {currency: float(amount) for currency, amount in variant["revenue"]["unconverted"].items()}
