"""A decision of Intelligent Selection as the API and the command line tell it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from afterword.selection.bandit import Decision, replayed


def told(decision: Decision) -> dict[str, Any]:
    """Return a decision with its inputs, as the API and the command line tell it."""
    return {
        "stage": decision.stage.value,
        "shares": percent(decision.shares),
        "leader": decision.leader,
        "value_remaining": decision.value_remaining,
        "reason": decision.reason,
        "seed": decision.seed,
        "variants": [
            {
                "id": one.id,
                "share": one.share / 100,
                "share_before": one.before / 100,
                "users": one.n,
                "converted": one.converted,
                "open": one.open,
                "trained": one.trained,
                "trials": one.trials,
                "rate": one.rate,
                "interval": [one.low, one.high],
                "probability_best": one.probability_best,
                "arrived": one.arrived,
            }
            for one in decision.standings
        ],
        "inputs": {
            "situation": msgspec.to_builtins(decision.situation),
            "settings": msgspec.to_builtins(decision.settings),
        },
        "replays": replayed(decision) == decision,
    }


def percent(shares: Mapping[str, int]) -> dict[str, float]:
    """Return shares in percent."""
    return {name: share / 100 for name, share in shares.items()}
