-- What an analyst writes who knows the rules: each id once, upgrades by LAG, and a range join of
-- exposures with the events that came within the window, up to the next exposure.

CREATE TEMP MACRO is_numeric(version) AS regexp_full_match(version, '[0-9]+(\.[0-9]+)*');

CREATE TEMP MACRO parts(version) AS
    list_transform(string_split(regexp_replace(version, '(\.0+)+$', ''), '.'), lambda part: part::HUGEINT);

CREATE TEMP MACRO is_upgrade(old, new) AS
    CASE WHEN is_numeric(old) AND is_numeric(new) THEN parts(new) > parts(old) ELSE new <> old END;

CREATE TEMP TABLE events AS
SELECT DISTINCT ON (kind, event_id)
    event_id, user_id, kind, occurred_at, name, product_id, app_id, app_version, device_id, price, quantity
FROM read_parquet(getvariable('events'));

CREATE TEMP TABLE exposures AS
SELECT
    exposure_id, user_id, campaign_id, variant_id, exposed_at,
    lead(exposed_at) OVER (PARTITION BY user_id, campaign_id ORDER BY exposed_at, exposure_id) AS next_exposed_at
FROM (
    SELECT DISTINCT ON (exposure_id) exposure_id, user_id, campaign_id, variant_id, exposed_at
    FROM read_parquet(getvariable('exposures'))
);

CREATE TEMP TABLE upgrades AS
WITH sessions AS (
    SELECT
        event_id, user_id, occurred_at, app_id, trim(app_version) AS version,
        lag(trim(app_version)) OVER (
            PARTITION BY user_id, app_id, device_id ORDER BY occurred_at, event_id
        ) AS version_before
    FROM events
    WHERE kind = 'session' AND trim(app_version) <> ''
)
SELECT event_id, user_id, occurred_at, app_id
FROM sessions
WHERE is_upgrade(version_before, version);

CREATE TEMP TABLE conversions AS
WITH happened AS (
    SELECT event_id, user_id, kind, occurred_at, name, product_id, app_id FROM events
    UNION ALL
    SELECT event_id, user_id, 'upgrade', occurred_at, NULL, NULL, app_id FROM upgrades
),
windows AS (
    SELECT
        exposures.*, letter, kind, name, apps, products,
        exposed_at + to_microseconds(deadline_us) AS ends_at
    FROM exposures JOIN goals USING (campaign_id)
)
SELECT
    windows.campaign_id, windows.letter, windows.user_id, windows.exposure_id, windows.variant_id,
    happened.occurred_at AS converted_at, happened.event_id
FROM windows
JOIN happened
    ON happened.user_id = windows.user_id
    AND happened.kind = windows.kind
    AND happened.occurred_at BETWEEN windows.exposed_at AND windows.ends_at
    AND (happened.occurred_at < windows.next_exposed_at OR windows.next_exposed_at IS NULL)
    AND (windows.name IS NULL OR happened.name = windows.name)
    AND (len(windows.apps) = 0 OR list_contains(windows.apps, happened.app_id))
    AND (len(windows.products) = 0 OR list_contains(windows.products, happened.product_id))
QUALIFY row_number() OVER (
    PARTITION BY windows.campaign_id, windows.letter, windows.user_id
    ORDER BY happened.occurred_at, happened.event_id
) = 1;

CREATE TEMP TABLE credited AS
WITH windows AS (
    SELECT exposures.*, exposed_at + to_microseconds(deadline_us) AS ends_at
    FROM exposures JOIN goals USING (campaign_id)
    WHERE letter = 'A'
)
SELECT
    windows.campaign_id, windows.variant_id, windows.exposure_id, windows.user_id,
    events.event_id, events.price * events.quantity AS amount
FROM windows
JOIN events
    ON events.user_id = windows.user_id
    AND events.kind = 'purchase'
    AND events.occurred_at BETWEEN windows.exposed_at AND windows.ends_at
    AND (events.occurred_at < windows.next_exposed_at OR windows.next_exposed_at IS NULL);

CREATE TEMP VIEW report AS
WITH recipients AS (
    SELECT campaign_id, variant_id, count(DISTINCT user_id) AS exposed FROM exposures GROUP BY ALL
),
converted AS (
    SELECT
        campaign_id, variant_id,
        count(*) FILTER (letter = 'A') AS a,
        count(*) FILTER (letter = 'B') AS b,
        count(*) FILTER (letter = 'C') AS c,
        count(*) FILTER (letter = 'D') AS d
    FROM conversions
    GROUP BY ALL
),
revenue AS (
    SELECT campaign_id, variant_id, sum(amount) AS revenue FROM credited GROUP BY ALL
)
SELECT
    campaign_id, variant_id, exposed,
    coalesce(a, 0) AS a, coalesce(b, 0) AS b, coalesce(c, 0) AS c, coalesce(d, 0) AS d,
    coalesce(revenue, 0)::DECIMAL(38, 2) AS revenue
FROM recipients
LEFT JOIN converted USING (campaign_id, variant_id)
LEFT JOIN revenue USING (campaign_id, variant_id);
