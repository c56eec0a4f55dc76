"""Requests made from the API's own description, good ones and bad ones: each answer is one that is described.

schemathesis makes them: by chance with a fixed seed, and of the edges of every parameter and field. A few of the
former in `make test`, all in `make test-all`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi import checks

from afterword.interfaces.api.openapi import document
from tests.interfaces.describing import OPERATIONS
from tests.interfaces.serving import Client, Served, campaign, exposures, purchase

Test = TypeVar("Test", bound=Callable[..., None])
SECONDS = 15.0
"""For one answer, on a busy machine; what takes longer hangs."""
CHECKED = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
    checks.unsupported_method,
    checks.allow_header_conformance,
    checks.ignored_auth,
]
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


def described(examples: int, methods: str = ".*", *, edges: bool) -> Callable[[Test], Test]:
    """Make a test of each operation.

    Args:
        examples: how many requests are made of it by chance.
        methods: a pattern; operations with others are left out.
        edges: whether requests with the edges of each parameter and field are made as well.

    """
    schema = schemathesis.openapi.from_dict(document(OPERATIONS)).include(method_regex=methods)
    schema.config.generation.update(deterministic=True, max_examples=examples, with_security_parameters=False)
    schema.config.phases.coverage.enabled = edges
    unusual = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
    limits = settings(max_examples=examples, derandomize=True, suppress_health_check=unusual)

    def decorate(test: Test) -> Test:
        made: Test = schema.parametrize()(limits(test))
        return made

    return decorate


def ask(client: Client, case: schemathesis.Case[Any]) -> None:
    """Send a request, and the same about a campaign that is there."""
    for known in (False, True):
        if known and not about_a_known_campaign(case):
            return
        headers = client.basic() if case.path.startswith("/v1/") else client.bearer()
        case.call_and_validate(base_url=client.address, headers=headers, checks=CHECKED, timeout=SECONDS)


def about_a_known_campaign(case: schemathesis.Case[Any]) -> bool:
    """Change a request that only reads to ask for a campaign that was launched, if it asks for one at all."""
    if case.method != "GET":
        return False
    if "id" in case.path_parameters:
        case.path_parameters["id"] = "known"
        return True
    asked = {"campaign_id": "known", "canvas_id": "known-canvas"}
    found = [name for name in asked if name in case.query]
    for name in found:
        case.query[name] = asked[name]
    return bool(found)


FEW, SOME, MANY = 3, 3, 100


@pytest.mark.sampled(3)
@described(FEW, "GET", edges=False)
def test_what_is_read_is_described(case: schemathesis.Case[Any], keyed: Client) -> None:
    ask(keyed, case)


@pytest.mark.sampled(3)
@described(SOME, "P.*", edges=False)
def test_what_is_answered_to_bodies_is_described(case: schemathesis.Case[Any], keyed: Client) -> None:
    ask(keyed, case)


@pytest.mark.slow
@described(MANY, edges=True)
def test_many_more_are_answered_as_described(case: schemathesis.Case[Any], keyed: Client) -> None:
    ask(keyed, case)
