"""What is seen while a server is under load: when a conversion is in the report, when a changed definition is."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

PROBE = {
    "id": "probe",
    "name": "probe",
    "variants": [{"id": "a", "share": 100}],
    "conversion_events": [{"kind": "custom", "name": "probed", "deadline": "1 day"}],
}
PEOPLE = 1000
POLL_SECONDS = 0.1
PAUSE_SECONDS = 0.5


def _client(port: int, key: str) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=120)


def prepare_probe(client: httpx.Client) -> None:
    """Launch a campaign of its own and expose people who do nothing else."""
    client.post("/api/campaigns", json=PROBE).raise_for_status()
    client.post("/api/campaigns/probe/launch").raise_for_status()
    at = (datetime.now(UTC) - timedelta(hours=2)).isoformat()
    people = [{"user_id": f"probe-{n}", "campaign_id": "probe", "exposed_at": at} for n in range(PEOPLE)]
    client.post("/api/exposures", json=people).raise_for_status()


async def watch_visible(port: int, key: str, until: asyncio.Event, taken: list[float]) -> None:
    """Again and again let a person convert, and note how long after the acknowledgement the report counts it."""
    async with _client(port, key) as client:
        for number in range(PEOPLE):
            if until.is_set():
                return
            event = {"user_id": f"probe-{number}", "kind": "custom", "name": "probed"}
            event |= {"occurred_at": datetime.now(UTC).isoformat()}
            (await client.post("/api/events", json=event)).raise_for_status()
            acknowledged = time.perf_counter()
            while await _converted(client) <= number:
                await asyncio.sleep(POLL_SECONDS)
            taken.append(time.perf_counter() - acknowledged)
            await asyncio.sleep(PAUSE_SECONDS)


async def _converted(client: httpx.AsyncClient) -> int:
    answer = await client.get("/api/campaigns/probe/report")
    (campaign,) = answer.raise_for_status().json()["campaigns"]
    return int(campaign["variants"][0]["conversions"]["A"]["converted"])


async def change_definition(port: int, key: str, after: float, taken: list[float]) -> None:
    """Change a campaign's deadline some seconds from now; note how long until its report follows the change."""
    await asyncio.sleep(after)
    async with _client(port, key) as client:
        campaign: dict[str, Any] = (await client.get("/api/campaigns/c0")).raise_for_status().json()
        fields = ("id", "name", "variants", "conversion_events")
        changed = {name: campaign[name] for name in fields}
        changed["conversion_events"] = [{"kind": "purchase", "deadline": "5 days"}, *changed["conversion_events"][1:]]
        begin = time.perf_counter()
        version = (await client.put("/api/campaigns/c0", json=changed)).raise_for_status().json()["version"]
        while (await client.get("/api/campaigns/c0/report")).status_code == 503:
            await asyncio.sleep(POLL_SECONDS)
        report = (await client.get("/api/campaigns/c0/report")).raise_for_status().json()
        assert report["campaigns"][0]["definition_version"] == version
        taken.append(time.perf_counter() - begin)
