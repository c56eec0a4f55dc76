"""The API describes itself: every route, with its permission, parameters, bodies and answers."""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path
from typing import Any, get_type_hints

import httpx
import pytest
from starlette.routing import BaseRoute, Route

from afterword.intake.facts import MANDATORY, OPTIONAL
from afterword.intake.native_typed import SentEvent
from afterword.interfaces.api import native_types
from afterword.interfaces.api.answers import JSON
from afterword.interfaces.api.app import make_app
from afterword.interfaces.api.operations import DescribedRoute, Operation
from afterword.interfaces.api.parameters import IN_PATH
from afterword.interfaces.api.server import Policy, Server
from afterword.interfaces.api_reference import reference
from afterword.interfaces.web.routes import PAGES
from afterword.workspace.answering import open_data_directory
from tests.interfaces.describing import OPERATIONS, assert_conforms, check
from tests.interfaces.serving import Client

PAGE = Path(__file__).parents[2] / "docs" / "api-reference.md"
ALL = pytest.mark.parametrize("operation", OPERATIONS, ids=[each.name for each in OPERATIONS])


@pytest.fixture(scope="module")
def routes(tmp_path_factory: pytest.TempPathFactory) -> list[BaseRoute]:
    def tell(message: str, error: BaseException | None) -> None:
        logging.error(message, exc_info=error)

    path: Path = tmp_path_factory.mktemp("described") / "data"
    with open_data_directory(path, memory="200MB", threads=1, clock=lambda: 1, chance=os.urandom, tell=tell) as data:
        return make_app(Server(data, Policy(), lambda: 1)).routes


@pytest.fixture(scope="module")
def document(shared: Any) -> dict[str, Any]:
    answer = httpx.get(f"{shared.address}/api/openapi.json", trust_env=False)
    assert (answer.status_code, answer.headers["content-type"]) == (200, JSON)
    found: dict[str, Any] = answer.json()
    return found


def test_every_route_is_described(routes: list[BaseRoute], document: dict[str, Any]) -> None:
    pages = {*(page.path for page in PAGES), "/static/{tag}/{name}", "/campaigns/{id}"}
    assert {
        route.path for route in routes if isinstance(route, Route) and not isinstance(route, DescribedRoute)
    } == pages
    assert all(isinstance(route, Route) for route in routes)
    there = {(route.operation.method, route.path) for route in routes if isinstance(route, DescribedRoute)}
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert there == described
    assert len(there) == sum(isinstance(route, DescribedRoute) for route in routes)


def test_the_document_needs_no_key_and_refers_only_to_what_it_has(client: Client) -> None:
    answer = client.http.get("/api/openapi.json")
    document = answer.json()
    assert document["openapi"] == "3.1.0"
    names = set(re.findall(r'"\$ref":"#/components/schemas/([^"]+)"', answer.text))
    assert names <= document["components"]["schemas"].keys()
    assert all(re.fullmatch("[A-Za-z]+", name) for name in document["components"]["schemas"])
    used = {name for methods in document["paths"].values() for one in methods.values() for name in _schemes(one)}
    assert used == document["components"]["securitySchemes"].keys()


def _schemes(operation: dict[str, Any]) -> list[str]:
    return [name for needed in operation["security"] for name in needed]


def test_the_page_about_the_api_is_what_the_document_says() -> None:
    assert PAGE.read_text("utf-8") == reference(), "run `make docs`"


def test_links_of_the_page_lead_to_its_types() -> None:
    page = reference()
    headings = {heading.lower() for heading in re.findall(r"^### (\w+)$", page, re.MULTILINE)}
    assert set(re.findall(r"\]\(#(\w+)\)", page)) <= headings


def test_names_for_clients_are_unique() -> None:
    names = [each.name for each in OPERATIONS]
    assert sorted(set(names)) == sorted(names)


@ALL
def test_parameters_of_the_path_are_those_that_are_described(operation: Operation[Any]) -> None:
    in_path = [each.name for each in operation.parameters if each.place == IN_PATH]
    assert in_path == re.findall(r"{(\w+)}", operation.path)
    assert len({each.name for each in operation.parameters}) == len(operation.parameters)


@ALL
def test_examples_are_of_the_type_that_they_are_examples_of(operation: Operation[Any]) -> None:
    for answered in operation.answers:
        if answered.example is not None:
            assert_conforms(answered.example, answered.type, f"the example of {answered.status}")
    if operation.body is not None:
        assert_conforms(operation.body.example, operation.body.type, "the example of the body")


@ALL
def test_the_example_of_a_body_is_understood(client: Client, operation: Operation[Any]) -> None:
    if operation.body is None or JSON not in operation.body.media:
        return
    path = operation.path.replace("{id}", operation.body.example.get("id", ""))
    answer = client.send(operation.method, path, operation.body.example)
    # Campaigns of an example may be there already, or not be there.
    assert answer.status_code in {200, 201, 202, 404, 409, 501}, answer.text


@pytest.mark.parametrize(
    ("kind", "described"),
    [("events", "Event"), ("exposures", "Exposure"), ("step_messages", "StepMessage")],
)
def test_items_are_described_with_the_columns_of_files(document: dict[str, Any], kind: Any, described: str) -> None:
    schema = document["components"]["schemas"][described]
    assert schema["properties"].keys() == {*MANDATORY[kind], *OPTIONAL[kind]}
    assert set(schema["required"]) == set(MANDATORY[kind])


def test_kinds_of_events_are_described() -> None:
    assert get_type_hints(native_types.Event)["kind"] == get_type_hints(SentEvent)["kind"]


@pytest.mark.parametrize(
    ("status", "media", "content"),
    [
        pytest.param(202, JSON, b'{"status":"alive","version":"1"}', id="a-status-that-is-not-described"),
        pytest.param(200, "text/plain", b'{"status":"alive","version":"1"}', id="another-type"),
        pytest.param(200, JSON, b'{"status":"alive"}', id="a-field-is-missing"),
        pytest.param(200, JSON, b'{"status":"alive","version":1}', id="a-field-is-something-else"),
        pytest.param(200, JSON, b'{"status":"alive","version":"1","more":1}', id="a-field-too-many"),
    ],
)
def test_an_answer_that_is_not_described_would_be_found(status: int, media: str, content: bytes) -> None:
    request = httpx.Request("GET", "http://localhost/healthz")
    with pytest.raises(Exception, match=r"described|Expected|missing|GET /healthz"):
        check(httpx.Response(status, content=content, headers={"content-type": media}, request=request))
