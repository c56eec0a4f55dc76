"""What holds for every answer: headers, forms of errors, rate limits, numbers for Prometheus, a log without secrets."""

from __future__ import annotations

import re
import time

import httpx
import pytest

from afterword import __version__
from afterword.interfaces.api.metrics import Metrics
from tests.interfaces.conftest import Serving
from tests.interfaces.serving import Client, Served, purchase

LINE = re.compile(
    r'(?P<name>[a-z_][a-z0-9_]*)(?:\{(?P<labels>[a-z_]+="(?:[^"\\\n]|\\.)*"(?:,[a-z_]+="(?:[^"\\\n]|\\.)*")*)\})?'
    r" (?P<value>[0-9.e+-]+|[+]Inf)"
)


def has_headers(answer: httpx.Response) -> bool:
    expected = {"x-content-type-options": "nosniff", "referrer-policy": "no-referrer", "cache-control": "no-store"}
    return expected.items() <= dict(answer.headers).items() and "server" not in answer.headers


@pytest.mark.parametrize(
    "path", ["/nothing", "/api", "/users/track/", "/api/campaigns/a/b", "/users/%00", "/%ff", "/..%2f"]
)
def test_an_unknown_path_is_404_in_json_and_no_redirect(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.json()["message"].startswith("there is nothing at /")
    assert has_headers(answer)


@pytest.mark.parametrize("path", ["/users/track", "/users/%74rack", "/users/track?a=b", "//users/track"])
@pytest.mark.parametrize("key", [None, "aw_not_one_of_ours"])
def test_a_path_is_answered_alike_however_it_is_written(client: Client, path: str, key: str | None) -> None:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    answer = client.http.post(path, headers=headers, content=b"{}")
    assert has_headers(answer)
    if path.startswith("//"):
        assert answer.status_code == 404
    else:
        assert (answer.status_code, answer.json()["message"]) == (
            401,
            f"Invalid API key: {'aw_not…' if key else '(none)'}",
        )
        assert answer.headers["www-authenticate"] == "Bearer"
    counted = client.http.get("/metrics", headers={"Authorization": f"Bearer {client.key}"}).text
    assert 'path="/users/track",status="401"' in counted


def test_an_unknown_path_of_segment_has_its_form(client: Client) -> None:
    answer = client.post("/v1/nothing")
    assert (answer.status_code, answer.json()["code"], answer.json()["success"]) == (404, "invalid_request", False)


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/users/track", "POST"),
        ("DELETE", "/api/campaigns", "GET, HEAD, POST"),
        ("POST", "/api/campaigns/x", "GET, HEAD, PUT"),
        ("PUT", "/v1/batch", "POST"),
        ("POST", "/healthz", "GET, HEAD"),
        ("PATCH", "/campaigns/x", "GET, HEAD"),
        ("POST", "/campaigns/list", "GET, HEAD"),  # of Braze's, and no campaign of this name that asks for a key
    ],
)
def test_a_wrong_method_is_405_and_the_right_ones_are_named(client: Client, method: str, path: str, allow: str) -> None:
    answer = client.send(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allow)
    assert answer.json()["message"] == f"{method} is not answered at {path}"
    assert has_headers(answer)


def test_it_is_alive_and_ready(client: Client) -> None:
    assert client.http.get("/healthz").json() == {"status": "alive", "version": __version__}
    assert client.http.get("/readyz").json() == {"status": "ready"}
    assert client.http.head("/healthz").content == b""


@pytest.mark.parametrize("host", ["[", "[::1", "x" * 300, "a b", "a@b:99999", "\xe9"])
def test_a_strange_host_header_is_no_fault_of_ours(client: Client, host: str) -> None:
    for path in ("/nothing", "/healthz/", "/campaigns/x", "/v1/nothing"):
        sent = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode("latin-1")
        answer = client.raw(sent)
        # Who is sent on is sent to this server, whatever the header says.
        assert re.match(rb"HTTP/1.1 (4\d\d |303 .*\nlocation: /campaign\?id=x\r\n)", answer, re.DOTALL)


def test_metrics_are_valid_prometheus_text_and_count(client: Client) -> None:
    client.post("/api/events", [purchase("metrics"), {"user_id": "metrics"}])
    client.http.get('/a"path\\with%0Aall%22')
    answer = client.http.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.text.endswith("\n")
    kinds: dict[str, str] = {}
    samples: set[tuple[str, str]] = set()
    for line in answer.text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in kinds
            kinds[name] = kind
        elif not line.startswith("# HELP "):
            found = LINE.fullmatch(line)
            assert found is not None, line
            assert (found["name"], found["labels"]) not in samples
            samples.add((found["name"], found["labels"]))
            base = re.sub("_(bucket|sum|count)$", "", found["name"])
            assert kinds[base if base in kinds else found["name"]]
    assert kinds["afterword_request_seconds"] == "histogram"
    assert re.search(r'^afterword_accepted_total\{kind="events"\} [1-9]', answer.text, re.MULTILINE)
    assert re.search(r'^afterword_rejected_total\{reason="bad_kind"|missing_field"\} [1-9]', answer.text, re.MULTILINE)
    buckets = re.findall(r'^afterword_request_seconds_bucket\{path="/metrics",[^}]*\} (\d+)', answer.text, re.MULTILINE)
    assert [int(each) for each in buckets] == sorted(int(each) for each in buckets)


def test_large_counts_are_exact() -> None:
    metrics = Metrics()
    metrics.counter("things_total", "Things.")
    metrics.add("things_total", 123_456_789)
    metrics.gauge("place", "A place.", lambda: 12_345_678_901)
    assert "\nthings_total 123456789\n" in metrics.text()
    assert "\nplace 12345678901\n" in metrics.text()


class TestRates:
    def test_too_many_requests_of_a_key_are_429_until_the_bucket_fills(self, serving: Serving) -> None:
        served = serving(rate=[5, 2.0], track_rate=[3, 2.0])
        client = served.start()
        other = served.client(served.make_key("api.read", "users.track"))
        answers = [client.get("/api/campaigns") for _ in range(6)]
        assert [answer.status_code for answer in answers] == [200] * 5 + [429]
        assert [answer.headers["x-ratelimit-remaining"] for answer in answers] == ["4", "3", "2", "1", "0", "0"]
        assert {answer.headers["x-ratelimit-limit"] for answer in answers} == {"5"}
        last = answers[-1]
        assert last.json() == {"message": "more than 5 requests in 2 s"}
        assert 1 <= int(last.headers["retry-after"]) <= 2
        assert 0 < int(last.headers["x-ratelimit-reset"]) - time.time() < 3
        # Each key has buckets of its own, and /users/track another one, which is Braze's.
        assert other.get("/api/campaigns").status_code == 200
        tracked = [client.post("/users/track", {"events": []}).status_code for _ in range(4)]
        assert tracked == [400, 400, 400, 429]
        time.sleep(int(last.headers["retry-after"]))
        assert client.get("/api/campaigns").status_code == 200
        # Who looks after the server is never told to come later.
        assert {client.http.get("/healthz").status_code for _ in range(20)} == {200}

    def test_requests_that_are_refused_for_the_rate_leave_nothing(self, serving: Serving) -> None:
        served = serving(rate=[2, 60.0])
        client = served.start()
        codes = [client.post("/api/events", purchase(f"u{n}")).status_code for n in range(6)]
        assert codes == [201, 201, 429, 429, 429, 429]
        assert client.metric("afterword_log_position") == 2


def test_no_secret_is_in_the_log_or_in_an_answer(serving: Serving) -> None:
    served = serving()
    served.fault("raise-refresh", "a fault of the test")
    served.fault("raise-load", "a fault of the test")
    client = served.start()
    wrong = "aw_abcdefgh_" + "c" * 52
    for key in (client.key, wrong):
        asked = served.client(key)
        answers = [asked.post("/users/track", b"{"), asked.post("/v1/batch", b"{"), asked.post("/api/events", b"\xff")]
        answers += [asked.get("/api/report"), asked.http.get(f"/campaigns/x?key={key}")]
        answers.append(asked.http.post("/campaigns/x", content=f"key={key}x".encode()))
        assert not [answer for answer in answers if key in answer.text]
    client.raw(f"GET /{client.key} NOT-HTTP\r\nAuthorization: Bearer {client.key}\r\n\r\n".encode())
    time.sleep(1)
    served.stop()
    log = served.err.read_text()
    assert "a fault of the test" in log
    assert client.key not in log
    assert wrong not in log


def test_the_log_is_one_json_object_per_line(serving: Serving) -> None:
    served: Served = serving()
    served.fault("raise-refresh", "a fault\nof two lines")
    served.start()
    time.sleep(1)
    served.stop()
    lines = served.err.read_text().splitlines()
    assert lines
    assert [line for line in lines if not (line.startswith('{"time": "') and line.endswith("}"))] == []
