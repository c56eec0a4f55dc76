"""Every page of the dashboard over a full workspace: how long the server takes, what a browser loads and draws.

    python -m benchmarks.web [--campaigns 200] [--exposures 5000000] [--events 20000000] [--rounds 20] [--memory 8GB]
        [--directory DIR | --keep DIR] [--no-browser]

Makes a data directory with the facts of `benchmarks.live` (or takes the one that an earlier run left with --keep),
serves it, and asks every page of the dashboard (GET) as an admin with a session, in turns, so that reports grow old
meanwhile as they do for people. Prints percentiles for each page, the slowest last, and the processor time of the
server for each request; how long the first answer after the start took; after how long what must be worked out anew
had its page, and was filled in; the bytes of a first visit as they come over the wire; and the time until Chromium has
drawn a campaign's page, from the request on. Client, server and browser share the machine.
"""

from __future__ import annotations

import argparse
import gzip
import math
import os
import re
import shutil
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

import httpx
import yaml

from afterword.intake.definitions import load_definitions
from afterword.intake.history import HistoryKind
from afterword.intake.sources import find_files
from afterword.interfaces.moments import now
from afterword.interfaces.progress import Meter
from afterword.interfaces.web.routes import PAGES
from afterword.interfaces.web.visits import COOKIE
from afterword.store.accounts import Role
from afterword.store.metadata import FILE_NAME, open_metadata
from afterword.workspace.importing.importing import Job, Rejections
from afterword.workspace.importing.local import import_here
from afterword.workspace.inputs import read_options
from afterword.workspace.kept import FRESH_MICROSECONDS
from benchmarks.live import DAY, EVENTS, EXPOSED_SHARE, EXPOSURES, SPAN, database, document
from benchmarks.machine import described
from benchmarks.serve import start, stop, usage

DEFINITIONS = "campaigns.yaml"
GOAL = 0.150
BENCH = "bench@example.com", "Bench", Role.ADMIN
FILLED = {"preview": 2, "what if": 5, "across campaigns": 20}
"""Within how many seconds what must be worked out anew is filled in."""
LOOKED_AT = 1_000
"""Milliseconds between a page of the browser and the next."""
PER_MILLION_EVENTS = 50_000
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRAWN = """() => performance.getEntriesByType('paint').find(e => e.name === 'first-contentful-paint').startTime"""
FACTS: dict[HistoryKind, str] = {
    "exposures": "exposure_id, user_id, campaign_id, variant_id, channel, make_timestamp(exposed_at) AS exposed_at",
    "events": (
        "event_id, user_id, kind, make_timestamp(occurred_at) AS occurred_at, name, product_id, app_id, app_version, "
        "device_id, price, quantity, currency"
    ),
}


def write_facts(directory: Path, told: argparse.Namespace) -> None:
    """Write a definition file and Parquet files that end now."""
    users = max(1000, told.events * PER_MILLION_EVENTS // 1_000_000)
    begin = time.time_ns() // 1000 - SPAN - DAY // 24
    common = {"start": begin, "span": SPAN}
    definitions = document(told.campaigns, upgrades=True)
    (directory / DEFINITIONS).write_text(yaml.safe_dump(definitions))
    with database(directory, 2) as con:
        con.execute(EVENTS, common | {"n": told.events, "users": users, "seed": 1, "prefix": "event-", "position": 0})
        exposed = max(1, users // EXPOSED_SHARE)
        con.execute(EXPOSURES, common | {"n": told.exposures, "exposed": exposed, "campaigns": told.campaigns})
        for kind, columns in FACTS.items():
            con.execute(f"COPY (SELECT {columns} FROM {kind}) TO '{directory}/{kind}-1.parquet' (COMPRESSION zstd)")


def load(directory: Path, data: Path) -> None:
    """Import the files into a new data directory."""
    file = directory / DEFINITIONS
    data.mkdir()
    with open_metadata(data / FILE_NAME) as metadata:
        metadata.apply(metadata.plan(load_definitions(file), source=str(file)), now())
    rejections = Rejections(directory / "rejected.parquet")
    found = {kind: find_files(kind, [directory / f"{kind}-1.parquet"]) for kind in FACTS}
    job = Job(found, read_options({}, None, None), rejections)
    with Meter() as meter:
        import_here(data, job, clock=now, chance=os.urandom, told_key=lambda _: None, metadata_url=None, progress=meter)
    rejections.close()


def session(data: Path) -> str:
    """Return a session of an admin."""
    with open_metadata(data / FILE_NAME, create=False) as metadata:
        known = metadata.accounts.list()
        account = known[0] if known else metadata.accounts.create(*BENCH, now(), "correct horse battery")
        return metadata.sessions.begin(account.id, now(), os.urandom)


def addresses(http: httpx.Client) -> dict[str, str]:
    """Return every page that can be asked for, about one campaign, one of its users and a change to it."""
    about = {"id": "campaign-1"}
    csrf = re.findall('name="csrf" value="([^"]+)"', http.get("/campaign/edit", params=about).text)[0]
    begun = http.post("/campaign/edit", params=about, data={"csrf": csrf, **about})
    draft = {"id": str(begun.url.params["id"])} if "id" in begun.url.params else {}
    found = {}
    for page in PAGES:
        if page.method != "GET" or page.role is None:
            continue
        asked = draft if page.path.startswith("/draft") else about if page.path.startswith("/campaign") else {}
        for name, more in _variations(page.path).items():
            found[name] = f"{page.path}?{urlencode({**asked, **more})}"
    return found


def _variations(path: str) -> Mapping[str, dict[str, str]]:
    if path == "/campaign/why":
        return {path: {"user": "user-5"}, f"{path} the story": {"user": "user-5", "whole": "1"}}
    if path == "/conversions/seen":
        return {path: {"what": "name", "field": "name"}}
    if path == "/draft/counts":
        return {path: {"event": "0"}}
    if path == "/draft":
        return {f"{path} {step}": {"step": step} for step in ("basics", "variants", "events", "preview")}
    if path == "/draft/seen":
        return {path: {"what": "name", "event": "0"}}
    return {path: {}}


@dataclass
class Taken:
    """What a page took."""

    seconds: list[float] = field(default_factory=list)
    cpu: float = 0.0
    """Processor seconds of the server for all of it, what it does in the background included."""
    status: int = 200


def ask(http: httpx.Client, pages: Mapping[str, str], rounds: int, server: int) -> dict[str, Taken]:
    """Ask every page in turns."""
    taken = {name: Taken() for name in pages}
    for _ in range(rounds):
        for name, address in pages.items():
            page, before = taken[name], usage(server)[0]
            begin = time.perf_counter()
            page.status = http.get(address, follow_redirects=False).status_code
            page.seconds.append(time.perf_counter() - begin)
            page.cpu += usage(server)[0] - before
    return taken


def at(share: float, seconds: list[float]) -> float:
    """Return a percentile."""
    ordered = sorted(seconds)
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)]  # nearest rank


def over(page: Taken) -> bool:
    """Return whether a page takes longer than it should."""
    return at(0.95, page.seconds) > GOAL


def fill(http: httpx.Client, pages: Mapping[str, str]) -> dict[str, tuple[float, float]]:
    """Return, for what is worked out anew, seconds until its page was there, until it was filled in."""
    draft = pages["/draft/preview"].partition("?")[2]
    whole = [
        ("preview", f"/draft?{draft}&step=preview", f"/draft/preview?{draft}"),
        *(
            (name, address, address)
            for name, address in (
                ("what if", "/campaign/what-if?id=campaign-1&kind=purchase&deadline=6+days"),
                ("across campaigns", "/conversions?kind=purchase&window=6+days&count=users"),
            )
        ),
    ]
    found = {}
    time.sleep(FRESH_MICROSECONDS / 1_000_000 + 1)  # until what the rounds asked for is not kept any more
    for name, page, rest in whole:
        begin = time.perf_counter()
        http.get(page).raise_for_status()
        there = time.perf_counter() - begin
        while "every 1s" in http.get(rest, headers={"HX-Request": "true"}).raise_for_status().text:
            time.sleep(0.1)
        found[name] = there, time.perf_counter() - begin
    return found


def first_visit(http: httpx.Client, path: str) -> tuple[int, int]:
    """Return the bytes of a page with all that it loads at once, as they come and as they would come with gzip."""
    page = http.get(path)
    parts = [path, *re.findall(r'(?:src|href|data-echarts)="(/static/[^"]+)"', page.text)]
    sent = zipped = 0
    for address in dict.fromkeys(parts):
        with http.stream("GET", address, headers={"accept-encoding": "gzip"}) as answer:
            raw = b"".join(answer.iter_raw())
            sent += len(raw)
            zipped += len(raw) if "content-encoding" in answer.headers else len(gzip.compress(raw))
    return sent, zipped


def drawn(address: str, secret: str, path: str, rounds: int) -> list[float]:
    """Return seconds from the request for a page until Chromium has drawn it."""
    from playwright.sync_api import sync_playwright  # not needed with --no-browser

    taken = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        context = browser.new_context(base_url=address, bypass_csp=True)  # to be asked whether it has drawn
        context.add_cookies([{"name": COOKIE, "value": secret, "url": address}])
        page = context.new_page()
        for _ in range(rounds + 1):
            page.goto(path, wait_until="load")
            page.wait_for_function("performance.getEntriesByType('paint').length > 1")
            taken.append(float(page.evaluate(DRAWN)) / 1000)
            # Who leaves a page sooner than its charts are drawn waits for them: that is not this page's time.
            page.wait_for_load_state("networkidle")
            page.wait_for_timeout(LOOKED_AT)
        browser.close()
    return taken[1:]


def main() -> None:
    """Run the benchmark and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--campaigns", type=int, default=200)
    parser.add_argument("--exposures", type=int, default=5_000_000)
    parser.add_argument("--events", type=int, default=20_000_000)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--memory", default="8GB")
    parser.add_argument("--directory", type=Path, help="where to make the data; a temporary directory without it")
    parser.add_argument("--keep", type=Path, help="make the data in this directory and leave it, or take what is there")
    parser.add_argument("--no-browser", action="store_true")
    told = parser.parse_args()
    with ExitStack() as stack:
        if told.keep is None:
            name = stack.enter_context(tempfile.TemporaryDirectory(dir=told.directory, ignore_cleanup_errors=True))
        directory = Path(name) if told.keep is None else told.keep
        data = directory / "data"
        if not data.exists():
            directory.mkdir(parents=True, exist_ok=True)
            write_facts(directory, told)
            load(directory, data)
        secret = session(data)
        server, port, _key = start(data, told.memory, is_new=False)
        stack.callback(stop, server)
        address = f"http://127.0.0.1:{port}"
        http = stack.enter_context(
            httpx.Client(base_url=address, cookies={COOKIE: secret}, timeout=300, follow_redirects=True)
        )
        begin = time.perf_counter()
        http.get("/").raise_for_status()
        first = time.perf_counter() - begin
        print(f"first answer after the start: {first:.1f} s", flush=True)
        pages = addresses(http)
        taken = ask(http, pages, told.rounds, server.pid)
        filled = fill(http, pages)
        sent, zipped = first_visit(http, "/campaign?id=campaign-1")
        seen = [] if told.no_browser or CHROMIUM is None else drawn(address, secret, "/campaign?id=campaign-1", 10)
    print(described())
    print(f"{told.campaigns} campaigns, {told.exposures:,} exposures, {told.events:,} events; {told.rounds} rounds")
    print("| page | p50 ms | p95 ms | most ms | CPU ms | |\n| --- | ---: | ---: | ---: | ---: | --- |")
    for name, page in sorted(taken.items(), key=lambda one: at(0.95, one[1].seconds)):
        remark = f"answered {page.status}" if page.status != 200 else "over the goal" if over(page) else ""
        times = at(0.5, page.seconds), at(0.95, page.seconds), max(page.seconds), page.cpu / told.rounds
        print(f"| `{name}` | {' | '.join(f'{1000 * one:.0f}' for one in times)} | {remark} |")
    for name, (there, whole) in filled.items():
        print(f"{name}: page after {1000 * there:.0f} ms, filled in after {whole:.1f} s (goal {FILLED[name]} s)")
    print(f"first visit of a campaign's page: {sent:,} bytes as sent, {zipped:,} with gzip for what came without")
    if seen:
        print(f"drawn in Chromium: p50 {1000 * at(0.5, seen):.0f} ms, p95 {1000 * at(0.95, seen):.0f} ms")


if __name__ == "__main__":
    main()
