"""Series and exports over HTTP: what is in the answers is proved by `tests/workspace`, here it is how they come."""

from __future__ import annotations

import io
import json
import tarfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import afterword
from tests.interfaces.serving import Client, Served, campaign, exposures, instant, purchase

USERS = [f"export-{number:02}" for number in range(12)]
CAMPAIGN = "exported"


@pytest.fixture(scope="module")
def exported(shared: Served) -> Client:
    """A campaign of twelve, all but one of whom bought."""
    client = shared.clients[0]
    client.launch(campaign(CAMPAIGN))
    client.post("/api/exposures", exposures(USERS[:8], of=CAMPAIGN))
    client.post("/api/exposures", exposures(USERS[8:], "control", of=CAMPAIGN))
    bought = [purchase(user, event_id=f"p-{user}", order_id='ö, "o"') for user in USERS[1:]]
    assert client.post("/api/events", {"events": bought}).json()["accepted"] == len(bought)
    client.loaded()
    return client


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_series_adds_up_to_the_report(exported: Client) -> None:
    report = exported.report(CAMPAIGN)
    today = datetime.now(UTC).date().isoformat()
    answer = exported.get(f"/api/campaigns/{CAMPAIGN}/series?by=exposure&event=A&from=2026-01-01&to={today}")
    assert answer.status_code == 200
    series = answer.json()
    assert series["days"][0] == "2026-01-01"
    assert series["days"][-1] == today
    for row in report["variants"]:
        entry = series["variants"][row["id"]]
        assert sum(entry["exposed"]) == row["exposed"]
        assert sum(entry["conversions"]["A"]) == row["conversions"]["A"]["converted"]
        assert entry["cumulative"]["revenue"][-1] == row["revenue"]["amount"]


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ("from=yesterday", 'from is "yesterday", must be a date'),
        ("to=0001-01-01", 'to is "0001-01-01", must be a date'),
        ("from=2026-02-02&to=2026-02-01", "must not be after to"),
        ("by=hour", "by is"),
        ("event=D", 'unknown conversion event "D"'),
        ("variant=b", 'unknown variant "b"'),
    ],
)
def test_a_series_that_cannot_be_is_400_in_words(exported: Client, asked: str, sentence: str) -> None:
    answer = exported.get(f"/api/campaigns/{CAMPAIGN}/series?{asked}")
    assert answer.status_code == 400
    assert sentence in answer.json()["message"]


def test_an_export_comes_whole_in_every_format(exported: Client) -> None:
    path = f"/api/conversions?campaign={CAMPAIGN}"
    answer = exported.get(path)
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert answer.headers["afterword-rows"] == str(len(USERS) - 1)
    assert "link" not in answer.headers
    rows = lines(answer.text)
    assert [row["user_id"] for row in rows] == USERS[1:]
    assert {row["as_of"] for row in rows} == {answer.headers["afterword-as-of"]}
    cells = exported.get(f"{path}&format=csv").text.splitlines()
    assert cells[0].split(",") == list(rows[0])
    assert len(cells) == len(USERS)
    table = pq.read_table(io.BytesIO(exported.get(f"{path}&format=parquet").content))
    assert table.column("conversion_id").to_pylist() == [row["conversion_id"] for row in rows]


@pytest.mark.parametrize("kind", ["conversions", "credited-purchases"])
def test_pages_lead_to_each_other(exported: Client, kind: str) -> None:
    whole = lines(exported.get(f"/api/{kind}?campaign={CAMPAIGN}&variant=a").text)
    found, path, pages = [], f"/api/{kind}?campaign={CAMPAIGN}&variant=a&limit=3", 0
    while path:
        answer = exported.get(path)
        assert answer.status_code == 200
        found += lines(answer.text)
        link = answer.headers.get("link", "")
        assert answer.headers.get("afterword-next-cursor", "") in link
        path = link.partition(">")[0].removeprefix("<")
        pages += 1
    names = [(row["exposure_id"], row["event_id"]) for row in found]
    assert names == [(row["exposure_id"], row["event_id"]) for row in whole]
    assert (len(found), pages) == (7, 3)


@pytest.mark.parametrize(
    ("asked", "status", "sentence"),
    [
        ("campaign=exportet", 404, 'did you mean "exported"'),
        ("format=xlsx", 400, "format is"),
        ("limit=-1", 400, "limit is"),
        ("event=E", 400, "event is"),
        ("variant=a", 400, "name that too"),
        ("cursor=eA", 400, "begin again without it"),
        ("cursor=W10", 400, "begin again without it"),
        ("cursor=%F0%9F%98%80", 400, "begin again without it"),
        ("cursor=W1siY29udmVyc2lvbnMiLG51bGwsbnVsbCxudWxsXSwiXHVkODAwIiwwLCIiLDAsIiJd", 400, "begin again without it"),
        ("cursor=W1siY29udmVyc2lvbnMiLG51bGwsbnVsbCxudWxsXSwiYSIsMWUzLCIiLDAsIiJd", 400, "begin again without it"),
    ],
)
def test_an_export_that_cannot_be_is_refused_in_words(exported: Client, asked: str, status: int, sentence: str) -> None:
    answer = exported.get(f"/api/conversions?{asked}")
    assert answer.status_code == status
    assert sentence in answer.json()["message"]


def test_a_cursor_of_other_rows_is_refused(exported: Client) -> None:
    cursor = exported.get(f"/api/conversions?campaign={CAMPAIGN}&limit=1").headers["afterword-next-cursor"]
    assert exported.get(f"/api/conversions?campaign={CAMPAIGN}&cursor={cursor}").status_code == 200
    for other in ("/api/conversions?", f"/api/conversions?campaign={CAMPAIGN}&event=A&", "/api/credited-purchases?"):
        answer = exported.get(f"{other}cursor={cursor}")
        assert answer.status_code == 400
        assert "belongs to other rows" in answer.json()["message"]


def test_facts_come_as_files_over_which_a_run_gives_the_same(exported: Client, tmp_path: Path) -> None:
    answer = exported.get("/api/facts")
    assert answer.headers["content-type"] == "application/x-tar"
    with tarfile.open(fileobj=io.BytesIO(answer.content)) as tar:
        for member in tar.getmembers():
            content = tar.extractfile(member)
            assert content is not None
            (tmp_path / Path(member.name).name).write_bytes(content.read())
    told = json.loads((tmp_path / "export.json").read_text())
    ran = afterword.run(
        tmp_path / "campaigns.json",
        exposures=tmp_path / "exposures.parquet",
        events=tmp_path / "events.parquet",
        step_messages=tmp_path / "step_messages.parquet",
        merges=tmp_path / "merges.parquet",
        as_of=told["as_of"],
        out=tmp_path / "results",
    )
    names = lines(exported.get(f"/api/conversions?campaign={CAMPAIGN}").text)
    columns = ("conversion_id", "variant_id", "event_id")
    expected = ran.conversions.filter(f"campaign_id = '{CAMPAIGN}'").select(*columns).fetchall()
    assert [tuple(row[name] for name in columns) for row in names] == expected


def test_nothing_is_left_of_an_export(exported: Client, shared: Served) -> None:
    assert exported.get("/api/conversions").status_code == 200
    assert [path.name for path in (shared.data / "temporary").iterdir() if path.name.startswith("export-")] == []


def test_what_a_campaign_does_not_have_yet_is_an_empty_export(exported: Client) -> None:
    exported.post("/api/campaigns", campaign("unsent"))
    assert exported.get("/api/conversions?campaign=unsent").status_code == 409
    exported.post("/api/campaigns/unsent/launch")
    answer = exported.get("/api/conversions?campaign=unsent&format=csv")
    assert answer.status_code == 200
    assert len(answer.text.splitlines()) == 1
    assert instant() > answer.headers["afterword-as-of"][:10]
