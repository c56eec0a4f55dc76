"""A person is deleted while the server runs: gone at once from results, then from every file (rule 36)."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from afterword.attribution.gather import Limits
from afterword.interfaces.cli import main
from afterword.log import read
from afterword.store.facts import open_facts
from afterword.store.metadata import FILE_NAME, open_metadata
from afterword.workspace.live import Live
from tests.interfaces.conftest import Serving
from tests.interfaces.erasing_world import found_in
from tests.interfaces.serving import Client, Served, campaign, exposures, purchase, wait_for

NAME, ALIAS = "Quixote-7", "~alias/crm/rocinante-7"
NAMES = ("Quixote-7", "rocinante-7")
AT_ONCE = {"erase_within": 0}
PATH = "/api/users/deletions"
ROUNDS = int(os.environ.get("AFTERWORD_ERASING_ROUNDS", "4"))


def plant(client: Client) -> None:
    """Report others, and one person in all ways that there are."""
    client.launch(campaign())
    others = ["ann", "bob", "cy"]
    assert client.post("/api/exposures", exposures([*others, NAME])).status_code == 201
    assert client.post("/api/exposures", exposures(["dora"], "control")).status_code == 201
    for user in ("ann", "dora"):
        assert client.post("/api/events", purchase(user, event_id=f"e-{user}")).status_code == 201
    merged = {"user_aliases": [{"external_id": NAME, "alias_label": "crm", "alias_name": "rocinante-7"}]}
    assert client.post("/users/alias/new", merged).status_code == 201
    bought = purchase(ALIAS, event_id=f"of {NAME}", device_id=f"phone of {NAME}", properties={"horse": NAME})
    assert client.post("/api/events", [bought, purchase("bob", event_id="e-bob")]).status_code == 201
    attributes = {"attributes": [{"external_id": NAME, "first_name": NAME, "town": "La Mancha"}]}
    assert client.post("/users/track", attributes).status_code == 201
    refused = [purchase("cy", event_id="e-cy"), purchase(NAME, price=f"as {NAME} says")]
    answer = client.post("/api/events", refused, Idempotency_Key=f"order {NAME}")
    assert NAME in answer.text
    assert client.post("/api/events", [purchase(NAME, event_id="e-ann", price="1"), bought]).status_code == 201


def numbers(client: Client) -> Any:
    return [
        (one["id"], one["exposed"], one["conversions"]["A"]["converted"], one["revenue"])
        for one in client.report("cart-rescue")["variants"]
    ]


def others_of(client: Client) -> list[str]:
    users = client.get("/api/campaigns/cart-rescue/users?state=converted").json()["users"]
    return sorted(one["user_id"] for one in users if not one["user_id"].startswith(("~erased/", NAME)))


def state(client: Client) -> dict[str, Any]:
    """How far erasing is, whatever comes between."""
    with suppress(httpx.TransportError):
        answer = client.get(PATH)
        if answer.status_code == 200:
            return dict(answer.json())
    return {"done_position": -1, "stage": "away"}


def until_done(client: Client, position: int, seconds: float = 90) -> None:
    wait_for(lambda: state(client)["done_position"] > position, seconds)


def recomputed(served: Served, tmp_path: Path) -> list[Any]:
    """Where the rows of a stopped server differ from deriving everything again."""
    with (
        open_facts(served.data / "facts.duckdb", 1 << 30, 2, tmp_path / "spill") as con,
        open_metadata(served.data / FILE_NAME) as metadata,
    ):
        live = Live(con, Limits(1 << 28, tmp_path, 1 << 16, 2))
        return live.recompute(metadata.campaigns.definitions())


@contextmanager
def writing(client: Client) -> Iterator[list[int]]:
    """Have somebody go on to send, about others, about the person, and about nobody; the statuses of the answers."""
    ending, statuses = threading.Event(), list[int]()

    def send() -> None:
        with httpx.Client(base_url=client.address, timeout=30, trust_env=False, headers=client.bearer()) as own:
            for number in range(1_000_000):
                if ending.wait(0.02):
                    return
                items = [purchase(f"w-{number}", event_id=f"w-{number}"), purchase(NAME, event_id=f"late {number}")]
                statuses.append(own.post("/api/events", json=items).status_code)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield statuses
    finally:
        ending.set()
        thread.join()


class TestDeleting:
    def test_a_person_is_gone_at_once_and_then_from_every_file(self, serving: Serving, tmp_path: Path) -> None:
        served = serving()
        client = served.start()
        plant(client)
        client.loaded()
        before, others = numbers(client), others_of(client)
        assert NAME in client.get("/api/campaigns/cart-rescue/users").text
        assert served.stop() == 0
        served.wait_for_answering()
        planted = found_in(served.data, NAMES)
        assert {"log", "facts.duckdb", "metadata: idempotency", "facts: main.merges", "facts: main.rejected"} <= planted
        assert {"facts: main.attributes", "facts: main.events", "facts: derived.users"} <= planted

        client = served.start()
        answer = client.post("/api/users/delete", {"user_ids": [ALIAS]})
        assert (answer.status_code, answer.json()["deleted"]) == (201, 1)
        client.loaded()
        told = state(client)
        assert (told["stage"], told["deletions"]) == ("waiting", 1)
        assert told["done_position"] == answer.json()["position"]
        assert NAME not in client.get("/api/campaigns/cart-rescue/users").text
        assert numbers(client) == before
        assert others_of(client) == others
        story = client.get(f"/api/campaigns/cart-rescue/explain?user={NAME}")
        assert story.json()["overall"] == {"A": "not_exposed"}
        assert client.post("/users/export/ids", {"external_ids": [NAME], "fields_to_export": []}).json()[
            "invalid_user_ids"
        ] == [NAME]
        with writing(client) as statuses:
            assert client.post(PATH).status_code == 202
            until_done(client, answer.json()["position"])
        assert set(statuses) == {201}
        client.loaded()
        assert numbers(client) == before
        assert others_of(client) == others
        # What came in meanwhile was refused, and leaves the log with the next pass.
        assert client.post(PATH).status_code == 202
        wait_for(lambda: not refused_in_log(served), 30)
        assert served.stop() == 0
        served.wait_for_answering()
        assert found_in(served.data, NAMES) == set()
        assert recomputed(served, tmp_path) == []

    @pytest.mark.slow
    def test_by_braze_s_path_and_by_the_command_which_waits(
        self, serving: Serving, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        served = serving()
        client = served.start()
        plant(client)
        client.loaded()
        (variant, control) = numbers(client)
        answer = client.post("/users/delete", {"external_ids": [NAME, "nobody", {"no": "id"}]})
        assert answer.status_code == 201
        assert (answer.json()["deleted"], answer.json()["message"]) == (2, "success")
        client.loaded()
        assert numbers(client) == [variant, control]
        assert main(["erase", "bob", "--leave", "nothing", "--data", str(served.data), "--json"]) == 0
        assert json.loads(capsys.readouterr().out) == {"erased": [{"user_id": "bob", "ids": 1, "facts": 2}]}
        client.loaded()
        (id_of, exposed, converted, _) = variant
        assert numbers(client)[0][:3] == (id_of, exposed - 1, converted - 1)
        assert numbers(client)[1] == control
        assert served.stop() == 0
        served.wait_for_answering()
        assert found_in(served.data, (*NAMES, "bob")) == set()
        assert recomputed(served, tmp_path) == []

    def test_what_cannot_be_read_is_said(self, client: Client) -> None:
        assert client.post("/users/delete", {"external_ids": []}).status_code == 400
        wrong = client.post("/api/users/delete", {"user_ids": ["x"], "leave": "all"})
        assert (wrong.status_code, wrong.json()["message"]) == (400, 'leave is "all", must be one of counts, nothing')
        many = client.post("/api/users/delete", {"user_ids": ["x"] * 1_001})
        assert "must be at most 1000" in many.json()["message"]
        assert client.post("/api/users/delete", {}).status_code == 400
        assert client.post("/users/delete", {"external_ids": ["x"] * 51}).status_code == 400


def refused_in_log(served: Served) -> bool:
    """Whether a completed segment still names the person."""

    return any(NAME.encode() in entry.frame.body for entry in read(served.data / "log", 0))


def kill_one(served: Served, chance: random.Random) -> None:
    """Kill one process of the server, or all, at once."""
    victim = chance.choice(["front", "answering", "rewriting"])
    if victim == "front":
        served.kill()
    elif victim == "answering":
        served.kill_answering()
    else:
        kill_rewriting(served)


def kill_rewriting(served: Served) -> bool:
    """Kill the process that takes persons out of the log, if there is one; return whether there was."""
    found = False
    for each in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            command = (each / "cmdline").read_bytes()
            if b"afterword.interfaces.rewriting" in command and str(served.data).encode() in command:
                os.kill(int(each.name), signal.SIGKILL)
                found = True
    return found


@pytest.mark.slow
def test_what_is_killed_while_it_rewrites_the_log_is_tried_again_soon(serving: Serving) -> None:
    served = serving(upkeep=AT_ONCE)
    client = served.start()
    plant(client)
    client.loaded()
    position = client.post("/api/users/delete", {"user_ids": [NAME]}).json()["position"]
    for _ in range(2):
        wait_for(lambda: kill_rewriting(served), 60)
        wait_for(lambda: "killed by signal 9" in str(state(client).get("failure")), 30)
    until_done(client, position, 60)
    wait_for(lambda: state(client).get("failure", "away") is None, 30)
    assert served.stop() == 0
    served.wait_for_answering()
    said = served.err.read_text()
    assert "erasing has stopped and is tried again: the log could not be rewritten" in said
    assert "erasing goes on" in said


@pytest.mark.slow
def test_killed_at_any_moment_it_ends_the_same(serving: Serving, tmp_path: Path) -> None:
    made = serving(tmp_path / "made")
    client = made.start()
    plant(client)
    client.loaded()
    before, others = numbers(client), others_of(client)
    assert made.stop() == 0
    made.wait_for_answering()
    for turn in range(ROUNDS):
        chance = random.Random(turn)
        directory = tmp_path / f"turn-{turn}"
        shutil.copytree(made.data, directory / "data")
        served = serving(directory, upkeep=AT_ONCE)
        served.key = made.key
        client = served.start()
        position = client.post("/api/users/delete", {"user_ids": [NAME]}).json()["position"]
        for _ in range(3):
            time.sleep(chance.uniform(0, 2.5))
            kill_one(served, chance)
            if served.process is None or served.process.poll() is not None:
                served.start()
        until_done(client, position)
        client.loaded()
        assert numbers(client) == before
        assert others_of(client) == others
        assert served.stop() == 0
        served.wait_for_answering()
        assert found_in(served.data, NAMES) == set(), turn
        assert recomputed(served, tmp_path / f"aside-{turn}") == []
