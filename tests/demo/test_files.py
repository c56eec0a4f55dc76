"""The demo's files, asked by plain SQL: do they hold the published test, and is the stated truth true?"""

from __future__ import annotations

import hashlib
from pathlib import Path

import duckdb
import pytest

from afterword.demo import DemoFiles, write_demo
from afterword.intake.definitions import load_definitions

# MineThatData E-Mail Analytics and Data Mining Challenge, 2008.
PUBLISHED = [
    pytest.param("mens", 21_307, 3_894, 267, "30311.69", id="mens"),
    pytest.param("womens", 21_387, 3_238, 189, "23038.11", id="womens"),
    pytest.param("control", 21_306, 2_262, 122, "13908.33", id="control"),
]

EMAIL_TEST = """
    WITH happened AS (
        SELECT DISTINCT x.variant_id, x.user_id, e.event_id, e.kind, e.price * e.quantity AS amount
        FROM read_parquet(getvariable('exposures')) x
        JOIN read_parquet(getvariable('events')) e
          ON e.user_id = x.user_id AND e.occurred_at BETWEEN x.exposed_at AND x.exposed_at + INTERVAL 14 DAY
    )
    SELECT
        (SELECT count(*) FROM read_parquet(getvariable('exposures')) WHERE variant_id = $variant),
        count(DISTINCT user_id) FILTER (kind = 'session'),
        count(DISTINCT user_id) FILTER (kind = 'purchase'),
        sum(amount) FILTER (kind = 'purchase')::DECIMAL(18, 2)::VARCHAR
    FROM happened WHERE variant_id = $variant
"""

# Latest entry at or before each event; the event that opened an entry belongs to the one before.
WELCOME = """
    WITH x AS (FROM read_csv(getvariable('exposures'), all_varchar = true) WHERE campaign_id = 'welcome'),
    e AS (
        SELECT e.*, coalesce(x.exposed_at::TIMESTAMPTZ - INTERVAL 1 MICROSECOND, occurred_at::TIMESTAMPTZ) AS placed_at
        FROM read_csv(getvariable('events'), all_varchar = true) e LEFT JOIN x ON x.trigger_event_id = e.event_id
        WHERE event_id NOT LIKE 'broken-%'
    ),
    credited AS (
        SELECT e.*, arg_max(x.variant_id, x.exposed_at) AS variant_id, max(x.exposed_at::TIMESTAMPTZ) AS entered_at
        FROM e JOIN x ON x.user_id = e.user_id AND x.exposed_at::TIMESTAMPTZ <= e.placed_at GROUP BY ALL
    ),
    age AS (SELECT *, placed_at - entered_at AS age FROM credited),
    amounts AS (
        SELECT a.variant_id, a.price::DECIMAL(18, 2) - coalesce(r.price::DECIMAL(18, 2), 0) AS amount
        FROM age a LEFT JOIN e r ON r.kind = 'refund' AND r.refund_of = a.event_id
        WHERE a.kind = 'purchase' AND age <= INTERVAL 10 DAY
    )
    SELECT
        count(DISTINCT (user_id, entered_at)) FILTER (kind = 'purchase' AND age <= INTERVAL 10 DAY),
        count(DISTINCT (user_id, entered_at)) FILTER (
            name = 'profile_completed' AND age <= INTERVAL 3 DAY
            AND (properties->>'$.profile.fields')::INTEGER >= 5),
        count(DISTINCT (user_id, entered_at)) FILTER (
            kind = 'message_click' AND machine = 'false' AND age <= INTERVAL 3 DAY),
        (SELECT sum(amount * 100)::BIGINT FROM amounts WHERE variant_id = $variant)
    FROM age WHERE variant_id = $variant
"""

# Versions in this file have at most three parts; whatever has letters in it has no order.
APP_UPDATE = """
    WITH x AS (FROM read_csv(getvariable('exposures'), all_varchar = true)),
    e AS (SELECT *, occurred_at::TIMESTAMPTZ AS t FROM read_csv(getvariable('events'), all_varchar = true)),
    history AS (
        SELECT user_id, app_id, t, app_version AS new, coalesce(from_version, lag(app_version) OVER (
            PARTITION BY user_id, app_id, device_id ORDER BY t, event_id)) AS old
        FROM e WHERE app_version IS NOT NULL
    ),
    upgrades AS (
        FROM history
        WHERE old IS NOT NULL AND CASE WHEN regexp_matches(old || new, '[^0-9.]') THEN old <> new
            ELSE parts(new) > parts(old) END
    )
    SELECT
        count(DISTINCT x.user_id) FILTER (EXISTS (
            FROM upgrades u WHERE u.user_id = x.user_id AND u.app_id IN ('android', 'ios')
            AND u.t BETWEEN x.exposed_at::TIMESTAMPTZ AND x.exposed_at::TIMESTAMPTZ + INTERVAL 7 DAY)),
        count(DISTINCT x.user_id) FILTER (EXISTS (
            FROM e WHERE e.user_id = x.user_id AND e.name = 'feature_used'
            AND e.properties->>'$.feature.name' = 'offline'
            AND list_has_any(e.properties->>'$.packs[*].id', ['city', 'coast'])
            AND e.t BETWEEN x.exposed_at::TIMESTAMPTZ AND x.exposed_at::TIMESTAMPTZ + INTERVAL 7 DAY)),
        count(DISTINCT x.user_id) FILTER (EXISTS (
            FROM e WHERE e.user_id = x.user_id AND e.kind = 'session' AND e.app_id IN ('android', 'ios')
            AND e.t BETWEEN x.exposed_at::TIMESTAMPTZ AND x.exposed_at::TIMESTAMPTZ + INTERVAL 2 DAY))
    FROM x WHERE x.variant_id = $variant
"""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> DemoFiles:
    return write_demo(tmp_path_factory.mktemp("demo"))


def ask(query: str, exposures: Path, events: Path, variant: str) -> tuple[object, ...]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("CREATE MACRO parts(v) AS list_resize(string_split(v, '.')::INTEGER[], 3, 0)")
        connection.execute("SET VARIABLE exposures = $path", {"path": str(exposures)})
        connection.execute("SET VARIABLE events = $path", {"path": str(events)})
        row = connection.execute(query, {"variant": variant}).fetchone()
    assert row is not None
    return row


@pytest.mark.parametrize(("variant", "customers", "visited", "bought", "spent"), PUBLISHED)
def test_email_test_has_the_published_totals(
    demo: DemoFiles, variant: str, customers: int, visited: int, bought: int, spent: str
) -> None:
    # DISTINCT in the query takes the repeated rows once.
    assert ask(EMAIL_TEST, demo.exposures[0], demo.events[0], variant) == (customers, visited, bought, spent)


@pytest.mark.parametrize("variant", ["story", "short", "control"])
def test_truth_of_the_canvas_is_what_sql_finds(demo: DemoFiles, variant: str) -> None:
    truth = demo.truth.campaigns["welcome"].variants[variant]
    expected = (truth.converted["A"], truth.converted["B"], truth.converted["C"], truth.revenue_cents)
    assert ask(WELCOME, demo.exposures[1], demo.events[1], variant) == expected


@pytest.mark.parametrize("variant", ["short", "reasons", "control"])
def test_truth_of_the_app_update_is_what_sql_finds(demo: DemoFiles, variant: str) -> None:
    truth = demo.truth.campaigns["update-app"].variants[variant]
    assert ask(APP_UPDATE, demo.exposures[2], demo.events[2], variant) == tuple(truth.converted[x] for x in "ABC")


def test_every_buyer_visited_before_buying(demo: DemoFiles) -> None:
    (row,) = duckdb.execute(
        """
        SELECT count(*) FROM read_parquet($events) p JOIN read_parquet($exposures) x USING (user_id)
        WHERE p.kind = 'purchase' AND p.occurred_at BETWEEN x.exposed_at AND x.exposed_at + INTERVAL 14 DAY
          AND NOT EXISTS (FROM read_parquet($events) s WHERE s.user_id = p.user_id AND s.kind = 'session'
                          AND s.occurred_at BETWEEN x.exposed_at AND p.occurred_at)
        """,
        {"events": str(demo.events[0]), "exposures": str(demo.exposures[0])},
    ).fetchall()  # to the end: the default connection is for all tests
    assert row == (0,)


def test_most_rows_of_the_email_test_do_not_count(demo: DemoFiles) -> None:
    (row,) = duckdb.execute(
        """
        SELECT
            count(*) FILTER (e.occurred_at < x.exposed_at) > 64_000,
            count(*) FILTER (e.occurred_at > x.ends_at) > 10_000,
            count(*) FILTER (x.user_id IS NULL) > 4_000,
            count(*) FILTER (e.machine) > 10_000,
            count(DISTINCT event_id) FILTER (e.occurred_at = x.ends_at AND e.kind = 'purchase') = 3,
            count(DISTINCT event_id) FILTER (e.occurred_at = x.ends_at + INTERVAL 1 MICROSECOND) = 100,
            count(*) - count(DISTINCT event_id) = $repetitions
        FROM read_parquet($events) e LEFT JOIN (
            SELECT *, exposed_at + INTERVAL 14 DAY AS ends_at FROM read_parquet($exposures)
        ) x USING (user_id)
        """,
        {
            "events": str(demo.events[0]),
            "exposures": str(demo.exposures[0]),
            "repetitions": demo.truth.repetitions,
        },
    ).fetchall()  # to the end: the default connection is for all tests
    assert row == (True,) * 7


def test_definitions_are_valid_and_name_what_the_facts_name(demo: DemoFiles) -> None:
    definitions = load_definitions(demo.definitions)
    defined = {campaign.id: {variant.id for variant in campaign.variants} for campaign in definitions.campaigns}
    assert defined == {name: set(truth.variants) for name, truth in demo.truth.campaigns.items()}
    assert all(sum(v.share_hundredths for v in campaign.variants) == 10_000 for campaign in definitions.campaigns)


def test_same_seed_writes_the_same_files(demo: DemoFiles, tmp_path: Path) -> None:
    again = write_demo(tmp_path / "again")
    assert again.truth == demo.truth
    assert digests(again) == digests(demo)


def test_another_seed_keeps_the_published_totals_and_moves_everything_else(demo: DemoFiles, tmp_path: Path) -> None:
    other = write_demo(tmp_path / "other", seed=7)
    assert ask(EMAIL_TEST, other.exposures[0], other.events[0], "mens") == (21_307, 3_894, 267, "30311.69")
    assert not set(digests(other).values()) & {
        digest for name, digest in digests(demo).items() if name not in ("campaigns.yaml", "README.txt")
    }
    assert other.truth.campaigns["welcome"] != demo.truth.campaigns["welcome"]


def test_the_page_names_every_file(demo: DemoFiles) -> None:
    page = demo.readme.read_text(encoding="utf-8")
    assert [path.name for path in demo.directory.iterdir() if path.name not in page and path != demo.readme] == []


def digests(files: DemoFiles) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files.directory.iterdir()}
