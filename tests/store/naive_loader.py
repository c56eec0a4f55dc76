"""A second, naive answer to what loading must do: one item after the other, no SQL."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from tests.store.world import Request

IDS = {"events": "event_id", "exposures": "exposure_id", "step_messages": "message_id"}
MANDATORY = {
    "events": ("user_id", "kind", "occurred_at"),
    "exposures": ("user_id", "campaign_id", "exposed_at"),
    "step_messages": ("user_id", "campaign_id", "step_id", "received_at"),
}
TIMES = ("occurred_at", "exposed_at", "received_at")


@dataclass
class Naive:
    """What is in the store."""

    facts: dict[tuple[str, ...], tuple[int, int, str]] = field(default_factory=dict)
    """(table, kind, id) -> position, item and content; an id made from content is written as that content."""
    attributes: dict[tuple[str, str], str] = field(default_factory=dict)
    merges: list[tuple[str, str]] = field(default_factory=list)
    deleted: dict[str, int] = field(default_factory=dict)
    rejected: list[tuple[int, int, str, str]] = field(default_factory=list)
    repetitions: int = 0
    refused: int = 0

    def take_all(self, requests: Sequence[Request]) -> Naive:
        for position, request in enumerate(requests):
            for table in IDS:
                self._take_facts(table, position, request.get(table, []))
            self._take_the_rest(position, request)
            for one in request.get("deletions", []):
                for user in self.person(one["user_id"]):
                    self.deleted.setdefault(user, position)
        return self

    def person(self, user: str) -> set[str]:
        """All ids that the merges so far give the person."""
        ids = {user}
        for _ in self.merges:
            for pair in self.merges:
                ids |= set(pair) if ids & set(pair) else set()
        return ids

    def _take_facts(self, table: str, position: int, items: list[dict[str, Any]]) -> None:
        equals: dict[str, int] = {}
        for fact in sorted(items, key=lambda one: int(one["item"])):
            item = fact["item"]
            if not readable(table, fact):
                self.rejected.append((position, item, table, "bad_type"))
            elif self.is_refused(fact["user_id"], position):
                self.refused += 1
            else:
                text = content(table, fact)
                name = fact.get(IDS[table])
                if name is None and not fact.get("once", True):
                    name = f"~{position}-{item}"
                elif name is None:
                    equals[text] = equals.get(text, 0) + 1
                    name = f"{text} {equals[text]}"
                self._keep((table, fact.get("kind", ""), name), position, item, text)

    def _keep(self, key: tuple[str, ...], position: int, item: int, text: str) -> None:
        if key not in self.facts:
            self.facts[key] = (position, item, text)
        elif self.facts[key][2] == text:
            self.repetitions += 1
        else:
            self.rejected.append((position, item, key[0], "id_conflict"))

    def _take_the_rest(self, position: int, request: Request) -> None:
        for one in request.get("attributes", []):
            if self.is_refused(one["user_id"], position):
                self.refused += 1
                continue
            for name, value in one["values"].items():
                self.attributes.pop((one["user_id"], name), None)
                if value is not None:
                    self.attributes[one["user_id"], name] = json.dumps(value)
        for one in request.get("merges", []):
            pair = (one["from_user_id"], one["to_user_id"])
            if any(self.is_refused(user, position) for user in pair):
                self.refused += 1
            elif pair in self.merges:
                self.repetitions += 1
            else:
                self.merges.append(pair)
        for one in request.get("rejected", []):
            self.rejected.append((position, one["item"], one["kind"], one["reason"]))

    def is_refused(self, user: str, position: int) -> bool:
        return self.deleted.get(user, position) < position


def readable(table: str, fact: dict[str, Any]) -> bool:
    if any(fact.get(name) is None for name in MANDATORY[table]):
        return False
    try:
        int(next(fact[name] for name in TIMES if name in fact))
        Decimal(fact.get("price") or 0)
        int(fact.get("quantity") or 1)
    except (ValueError, InvalidOperation):
        return False
    return True


def content(table: str, fact: dict[str, Any]) -> str:
    """One text for equal content: numbers by value, keys in order, what was left out as what it stands for."""
    own = {"quantity": 1, "machine": False, **fact} if table == "events" else dict(fact)
    own = {name: value for name, value in own.items() if value is not None}
    for name in ("item", "once", IDS[table], *(TIMES if own.get("corrected") else ())):
        own.pop(name, None)
    if "price" in own:
        own["price"] = float(own["price"])
    return json.dumps(_floats(own), sort_keys=True)


def _floats(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _floats(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_floats(one) for one in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value
