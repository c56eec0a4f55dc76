"""Requests made from the API's own description, good ones and bad ones: each answer is one that is described.

schemathesis makes them: of the edges of every parameter and field, and by chance with a fixed seed. A few of them
in `make test`, more in `make test-all`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import CHECKS

from afterword.interfaces.api.access import COOKIE
from afterword.interfaces.api.openapi import document
from tests.interfaces.describing import OPERATIONS
from tests.interfaces.serving import Client, Served, campaign, exposures, purchase

SECONDS = 15.0
"""For one answer, on a busy machine; what takes longer hangs."""
CHECKED = (
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
    "unsupported_method",
    "allow_header_conformance",
    "ignored_auth",
)
"""What is not described is a fault of ours, 5xx too. Bad data may be taken where senders are known to send it."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, shared: Served) -> Iterator[Served]:
    """A server of its own: what is sent here defines any number of campaigns."""
    found = Served(tmp_path_factory.mktemp("described"))
    try:
        client = found.start()
        client.launch(campaign("known"))
        client.launch(campaign("known-canvas", steps=[{"id": "hello"}]))
        client.post("/api/exposures", exposures(["ann"], of="known"))
        client.post("/api/events", purchase("ann"))
        client.loaded()
        yield found
        assert found.clients[0].http.get("/readyz").status_code == 200
    finally:
        found.close()


@pytest.fixture(scope="module")
def keyed(served: Served) -> Client:
    return served.clients[0]


@schemathesis.serializer("application/x-ndjson")
def lines(_context: Any, value: Any) -> bytes:
    """A line for each item, where what was made is no text already."""
    return value.encode(errors="surrogatepass") if isinstance(value, str) else json.dumps(value).encode()


def described(examples: int, methods: str = ".*", *, edges: bool) -> Any:
    """The description, with how many requests are made of it by chance, and whether those of all edges are made."""
    schema = schemathesis.openapi.from_dict(document(OPERATIONS)).include(method_regex=methods)
    schema.config.generation.update(deterministic=True, max_examples=examples, with_security_parameters=False)
    schema.config.phases.coverage.enabled = edges
    return schema


def limits(examples: int) -> Callable[[Any], Any]:
    unusual = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
    return settings(max_examples=examples, deadline=None, derandomize=True, suppress_health_check=unusual)


def ask(client: Client, case: schemathesis.Case) -> None:
    """Send a request, and the same about a campaign that is there."""
    for known in (False, True):
        if known and not about_a_known_campaign(case):
            return
        headers = client.basic() if case.path.startswith("/v1/") else client.bearer()
        headers["Cookie"] = f"{COOKIE}={client.key}"
        checks = [CHECKS.get_one(name) for name in CHECKED]
        case.call_and_validate(base_url=client.address, headers=headers, checks=checks, timeout=SECONDS)


def about_a_known_campaign(case: schemathesis.Case) -> bool:
    """Change a request that only reads to ask for a campaign that was launched, if it asks for one at all."""
    if case.method != "GET":
        return False
    if "id" in (case.path_parameters or {}):
        case.path_parameters["id"] = "known"
        return True
    asked = {"campaign_id": "known", "canvas_id": "known-canvas"}
    found = [name for name in asked if isinstance(case.query, dict) and name in case.query]
    for name in found:
        case.query[name] = asked[name]
    return bool(found)


FEW, SOME, MANY = 2, 10, 150


@described(FEW, "GET", edges=True).parametrize()
@limits(FEW)
def test_what_is_read_is_described(case: schemathesis.Case, keyed: Client) -> None:
    ask(keyed, case)


@described(SOME, "P.*", edges=False).parametrize()
@limits(SOME)
def test_what_is_answered_to_bodies_is_described(case: schemathesis.Case, keyed: Client) -> None:
    ask(keyed, case)


@pytest.mark.slow
@described(MANY, edges=True).parametrize()
@limits(MANY)
def test_many_more_are_answered_as_described(case: schemathesis.Case, keyed: Client) -> None:
    ask(keyed, case)
