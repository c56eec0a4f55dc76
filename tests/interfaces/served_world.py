"""A small world of campaigns and people, told to a real server in all its dialects, with what was promised about it.

Every item carries a word that no other has, in a field that the tables of facts keep, so that each that was
acknowledged can be found there, once.
"""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import httpx

import afterword
from afterword.attribution.gather import Limits
from afterword.log import verify
from afterword.model import Counting, Definitions
from afterword.store.connection import configuration
from afterword.store.metadata import FILE_NAME, open_metadata
from afterword.workspace.live import Live
from tests.engine import write_definitions
from tests.interfaces.serving import Client, Served

PEOPLE = ("u0", "u1", "u2", "u3", "u4", "anonymous-5")
CAMPAIGNS = ("plain", "channels", "canvas")
HOUR = 3600
PURCHASE = {"kind": "purchase", "deadline": "3 days"}
EVENTS: tuple[dict[str, Any], ...] = (
    PURCHASE,
    {"kind": "purchase", "deadline": "2 hours", "products": ["p-1"]},
    {"kind": "session", "deadline": "1 day"},
    {"kind": "upgrade", "deadline": "3 days"},
    {"kind": "custom", "name": "signed up", "deadline": "30 hours"},
    {"kind": "message_open", "deadline": "3 days"},
    {"kind": "custom", "name": "signed up", "deadline": "1 day", "where": [{"property": "n", "op": "exists"}]},
)
TABLES = ("exposures", "events", "step_messages", "merges")
OWN = {"exposures": "digest, position, item, arrived_at", "merges": "position, item, arrived_at"}
WORDS = {
    "exposures": "SELECT exposure_id FROM exposures",
    "step_messages": "SELECT message_id FROM step_messages",
    "events": "SELECT coalesce(json_extract_string(properties, '$.n'), app_version, event_id) FROM events",
}
"""Where the word of each fact is."""
REDEFINED = "The conversion events were changed after the first exposure"


@dataclass
class Told:
    """A request, and the words of its items by table."""

    path: str
    body: dict[str, Any]
    words: dict[str, list[str]]
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class ServedWorld:
    """What a server was told."""

    served: Served
    chance: random.Random
    now: float = field(default_factory=time.time)
    told: list[Told] = field(default_factory=list)
    words: dict[str, set[str]] = field(default_factory=lambda: {name: set() for name in WORDS})
    bought: list[str] = field(default_factory=list)
    defined: Counter[str] = field(default_factory=Counter)
    """How often each campaign was defined."""
    count: int = 0

    def word(self) -> str:
        """Return a word that no other item has."""
        self.count += 1
        return f"w-{self.count}"

    def at(self) -> str:
        """Return a time of the last five days; many are equal."""
        hours = self.chance.choice([*range(1, 13), 24, 25, 48, 49, 72, 73, 96, 120])
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.now - hours * HOUR))

    def person(self) -> str:
        """Return somebody."""
        return self.chance.choice(PEOPLE)

    def definition(self, name: str) -> dict[str, Any]:
        """Return a definition of a campaign that may take the place of any other of it."""
        self.defined[name] += 1
        events = self.chance.sample(EVENTS, self.chance.randint(1, 4))
        countings = ["once_per_user", "once_per_exposure", *(["once_per_channel"] if name == "channels" else [])]
        return {
            "id": name,
            "channels": ["email", "push"],
            "variants": [{"id": "a", "share": 40}, {"id": "b", "share": 40}, {"id": "c", "share": 20, "control": True}],
            "conversion_events": events,
            "counting": self.chance.choice(countings),
            **({"steps": [{"id": "one"}, {"id": "two"}]} if name == "canvas" else {}),
        }

    def exposures(self) -> Told:
        """Say who got a message."""
        words = [self.word() for _ in range(self.chance.randint(1, 6))]
        sent = [
            {
                "user_id": self.person(), "campaign_id": self.chance.choice(CAMPAIGNS), "exposed_at": self.at(),
                "variant_id": self.chance.choice("aabbc"), "channel": self.chance.choice(["email", "push"]),
                "exposure_id": word,
            }
            for word in words
        ]  # fmt: skip
        return Told("/api/exposures", {"exposures": sent}, {"exposures": words})

    def steps(self) -> Told:
        """Say who got the message of a step."""
        words = [self.word() for _ in range(self.chance.randint(1, 3))]
        sent = [
            {"user_id": self.person(), "campaign_id": "canvas", "step_id": self.chance.choice(["one", "two"])}
            | {"received_at": self.at(), "message_id": word}
            for word in words
        ]
        return Told("/api/step-messages", {"step_messages": sent}, {"step_messages": words})

    def native(self) -> Told:
        """Say what people did, in Afterword's own dialect; items without an id are told apart by what they say."""
        words = [self.word() for _ in range(self.chance.randint(1, 6))]
        return Told("/api/events", {"events": [self._event(word) for word in words]}, {"events": words})

    def _event(self, word: str) -> dict[str, Any]:
        did = {"user_id": self.person(), "occurred_at": self.at(), "properties": {"n": word}}
        did |= {"event_id": word} if self.chance.random() < 0.7 else {}
        kinds = ["purchase", "purchase", "session", "custom", "upgrade", "message_open"]
        kind = self.chance.choice([*kinds, "refund"] if self.bought else kinds)
        more: dict[str, dict[str, Any]] = {
            "purchase": {"price": "2.50", "currency": "EUR", "product_id": self.chance.choice(["p-1", "p-2"])},
            "session": {"app_id": "app", "device_id": "d", "app_version": self.chance.choice(["1.0", "1.1", "2.0"])},
            "custom": {"name": "signed up"},
            "upgrade": {"app_id": "app", "from_version": "1.0", "app_version": "2.0"},
            "message_open": {"campaign_id": self.chance.choice(CAMPAIGNS), "channel": "email"},
            "refund": {"refund_of": self.chance.choice(self.bought or [""]), "price": "1.00", "currency": "EUR"},
        }
        if kind == "purchase" and "event_id" in did:
            self.bought.append(word)
        return {**did, "kind": kind, **more[kind]}

    def braze(self) -> Told:
        """Say what people did in Braze's way: with ids, or with a key for the whole request."""
        keyed = self.chance.random() < 0.5
        words = [self.word() for _ in range(self.chance.randint(1, 5))]
        body: dict[str, Any] = {}
        for word in words:
            did = {"external_id": self.person(), "time": self.at()} | ({} if keyed else {"event_id": word})
            kind = self.chance.choice(["events", "purchases", "sessions"])
            more: dict[str, dict[str, Any]] = {
                "events": {"name": "signed up", "properties": {"n": word}},
                "purchases": {"product_id": "p-1", "price": 3.5, "currency": "EUR", "properties": {"n": word}},
                "sessions": {"app_id": "app", "app_version": word},
            }
            body.setdefault(kind, []).append(did | more[kind])
        headers = {"Idempotency-Key": f"key-{words[0]}"} if keyed else {}
        return Told("/users/track", body, {"events": words}, headers)

    def segment(self) -> Told:
        """Say what people did in Segment's way."""
        words = [self.word() for _ in range(self.chance.randint(1, 4))]
        batch = []
        for word in words:
            sent = {"type": "track", "userId": self.person(), "messageId": word, "timestamp": self.at()}
            event = self.chance.choice(["signed up", "Order Completed"])
            order = {"order_id": word, "products": [{"product_id": "p-2", "price": 4, "quantity": 1}]}
            batch.append({**sent, "event": event, "properties": {"n": word} | (order if event[0] == "O" else {})})
        return Told("/v1/batch", {"batch": batch}, {"events": words})

    def merge(self) -> Told:
        """Say that two people are one, in any of three ways."""
        one, other = self.chance.sample(PEOPLE, 2)
        match self.chance.randrange(3):
            case 0:
                pair = {"identifier_to_merge": {"external_id": one}, "identifier_to_keep": {"external_id": other}}
                return Told("/users/merge", {"merge_updates": [pair]}, {})
            case 1:
                alias = {"alias_name": one, "alias_label": "web"}
                body = {"aliases_to_identify": [{"external_id": other, "user_alias": alias}]}
                return Told("/users/identify", body, {})
            case _:
                return Told("/v1/alias", {"previousId": one, "userId": other}, {})

    def tell(self, client: Client, told: Told) -> httpx.Response:
        """Send a request that must be taken, again if it was sent before."""
        answer = client.send("POST", told.path, told.body, **told.headers)
        assert answer.status_code in (200, 201), answer.text
        assert not {"rejected", "errors"} & {name for name, value in answer.json().items() if value}, answer.text
        self.told.append(told)
        for table, words in told.words.items():
            self.words[table].update(words)
        return answer

    def check(self, report: dict[str, Any], aside: Path) -> None:
        """Hold what is in the directory of a server that was stopped against what was promised, and against a run."""
        assert verify(self.served.data / "log").bad is None
        aside.mkdir()
        con = duckdb.connect(str(self.served.data / "facts.duckdb"), config=configuration(1 << 30, 2, aside))
        with con:
            for table, query in WORDS.items():
                there = Counter(word for (word,) in con.execute(query).fetchall())
                assert there == dict.fromkeys(self.words[table], 1), table
            with open_metadata(self.served.data / FILE_NAME) as metadata:
                definitions = metadata.campaigns.definitions()
            assert Live(con, Limits(1 << 28, aside, 1 << 16, 2)).recompute(definitions) == []
            if report["facts"]["exposures"]:  # without any a run is refused
                self._check_report(con, definitions, report, aside)

    def _as_in_a_run(self, found: dict[str, Any]) -> dict[str, Any]:
        """Return a campaign's report without what a run cannot know: that its definition was changed (rule 6)."""
        verdict = found["verdict"]
        if not verdict or not verdict["redefined"]:
            return found
        assert self.defined[found["id"]] > 1
        remarks = [one for one in verdict["remarks"] if not one.startswith(REDEFINED)]
        assert len(remarks) == len(verdict["remarks"]) - 1
        return {**found, "verdict": {**verdict, "redefined": False, "remarks": remarks}}

    def _check_report(
        self, con: duckdb.DuckDBPyConnection, definitions: Definitions, report: dict[str, Any], aside: Path
    ) -> None:
        """The report that the server gave is that of a run over an export of its facts."""
        paths = {name: aside / f"{name}.parquet" for name in TABLES}
        for name, path in paths.items():
            left_out = OWN.get(name, OWN["exposures"])
            con.execute(f"COPY (SELECT * EXCLUDE ({left_out}) FROM main.{name}) TO '{path}' (FORMAT parquet)")
        ran = afterword.run(
            write_definitions(definitions, aside),
            exposures=paths["exposures"],
            events=paths["events"],
            step_messages=paths["step_messages"],
            merges=paths["merges"],
            out=aside / "results",
            as_of=datetime.fromisoformat(report["as_of"]).astimezone(UTC),
            time_unit="us",
        )
        expected = json.loads(json.dumps(ran.json))
        assert report["as_of"] == expected["as_of"]
        assert [one["id"] for one in report["campaigns"]] == [one["id"] for one in expected["campaigns"]]
        for found, wanted in zip(report["campaigns"], expected["campaigns"], strict=True):
            assert self._as_in_a_run(found) == wanted, found["id"]
        if all(each.counting is not Counting.ONCE_PER_CHANNEL for each in definitions.campaigns):
            counted = ("events", "exposures", "step_messages", "refunds_unmatched")
            assert [report["facts"][name] for name in counted] == [expected["facts"][name] for name in counted]
