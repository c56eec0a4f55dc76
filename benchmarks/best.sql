-- The best SQL that we could write for DuckDB. The events flow from the file through one hash join
-- with the exposures (a quarter as many) and are never stored as a whole; each is a small number,
-- its class; windows are clipped at the next exposure; only what lies in the widest window of its
-- campaign is kept, and what that means is decided on those few rows.
--
-- A repetition has the same content as its original, so where only the first counts it changes
-- nothing: the earlier copy of an exposure has an empty window, LAG sees no change of version, and
-- the least of equal events is the event. Only the sum of purchases must leave repetitions out.

CREATE TEMP TABLE campaigns AS
SELECT
    campaign_id,
    (row_number() OVER (ORDER BY campaign_id) - 1)::SMALLINT AS campaign,
    max(deadline_us) AS widest,
    max(deadline_us) FILTER (letter = 'A') AS revenue_window
FROM goals
GROUP BY campaign_id;

-- `unit` is what converts at most once: a user in a campaign.
CREATE TEMP TABLE windows AS
SELECT
    exposure, user_id, campaign, variant_id, exposure_id,
    epoch_us(exposed_at) AS opens_at,
    first_value(exposure) OVER latest AS unit,
    least(
        epoch_us(exposed_at) + widest,
        coalesce(lead(epoch_us(exposed_at)) OVER latest - 1, 9_000_000_000_000_000_000)
    ) AS closes_at
FROM exposure_rows JOIN campaigns USING (campaign_id)
WINDOW latest AS (PARTITION BY user_id, campaign ORDER BY exposed_at, exposure_id);

-- Every window in each week that it touches, so that the join meets only events of about that time.
CREATE TEMP TABLE windows_by_week AS
SELECT
    exposure, user_id, campaign, unit, opens_at, closes_at,
    unnest(range(opens_at // 604_800_000_000, closes_at // 604_800_000_000 + 1)) AS week
FROM windows
WHERE closes_at >= opens_at;

CREATE TEMP TABLE classes AS
WITH words AS (
    SELECT DISTINCT kind, coalesce(name, product_id, app_id, '') AS word FROM event_rows
)
SELECT kind, word, (row_number() OVER ())::INTEGER AS class
FROM (FROM words UNION ALL SELECT 'upgrade', word FROM words WHERE kind = 'session');

CREATE TEMP TABLE class_goals AS
SELECT class, campaign, ascii(letter) - ascii('A') AS letter, deadline_us
FROM goals
JOIN campaigns USING (campaign_id)
JOIN classes
    ON classes.kind = goals.kind
    AND (goals.name IS NULL OR goals.name = word)
    AND (len(apps) = 0 OR list_contains(apps, word))
    AND (len(products) = 0 OR list_contains(products, word));

-- Numeric versions count up from 1, equal ones the same; others have a number of their own below 0.
CREATE TEMP TABLE version_codes AS
WITH versions AS (
    SELECT DISTINCT app_version, trim(app_version) AS version
    FROM event_rows
    WHERE kind = 'session' AND trim(app_version) <> ''
)
SELECT
    app_version,
    dense_rank() OVER (
        ORDER BY list_transform(
            string_split(regexp_replace(version, '(\.0+)+$', ''), '.'), lambda part: part::HUGEINT
        )
    )::INTEGER AS code
FROM versions WHERE regexp_full_match(version, '[0-9]+(\.[0-9]+)*')
UNION ALL
SELECT app_version, -(dense_rank() OVER (ORDER BY version))::INTEGER
FROM versions WHERE NOT regexp_full_match(version, '[0-9]+(\.[0-9]+)*');

CREATE TEMP TABLE upgrades AS
WITH sessions AS (
    SELECT
        user_id, app_id, event_id, epoch_us(occurred_at) AS moment, code,
        lag(code) OVER (PARTITION BY user_id, app_id, device_id ORDER BY occurred_at, event_id) AS before
    FROM event_rows JOIN version_codes USING (app_version)
    WHERE kind = 'session'
)
SELECT user_id, class, moment, event_id
FROM sessions JOIN classes ON classes.kind = 'upgrade' AND classes.word = coalesce(app_id, '')
WHERE CASE WHEN code > 0 AND before > 0 THEN code > before ELSE code <> before END;

CREATE TEMP TABLE pairs AS
WITH happened AS (
    SELECT
        user_id, class, epoch_us(occurred_at) AS moment, event_id,
        CASE WHEN classes.kind = 'purchase' THEN price * quantity END AS amount
    FROM event_rows
    JOIN classes ON classes.kind = event_rows.kind AND classes.word = coalesce(name, product_id, app_id, '')
    UNION ALL
    SELECT user_id, class, moment, event_id, NULL FROM upgrades
)
SELECT exposure, unit, campaign, class, moment, moment - opens_at AS age, event_id, amount
FROM (SELECT *, moment // 604_800_000_000 AS week FROM happened)
JOIN windows_by_week USING (user_id, week)
WHERE moment BETWEEN opens_at AND closes_at;

CREATE TEMP TABLE conversions AS
WITH firsts AS (
    SELECT unit, letter, min((moment, event_id, exposure)) AS least
    FROM pairs JOIN class_goals USING (class, campaign)
    WHERE age <= deadline_us
    GROUP BY unit, letter
)
SELECT
    campaign_id, chr(ascii('A') + letter::INTEGER) AS letter, user_id, exposure_id, variant_id,
    make_timestamptz(least[1]) AS converted_at, least[2] AS event_id
FROM firsts JOIN windows ON windows.exposure = least[3] JOIN campaigns USING (campaign);

CREATE TEMP TABLE credited AS
WITH purchases AS (
    SELECT DISTINCT exposure, event_id, amount
    FROM pairs JOIN campaigns USING (campaign)
    WHERE amount IS NOT NULL AND age <= revenue_window
)
SELECT campaign_id, variant_id, exposure_id, user_id, event_id, amount
FROM purchases JOIN windows USING (exposure) JOIN campaigns USING (campaign);

CREATE TEMP VIEW report AS
WITH recipients AS (
    SELECT campaign_id, variant_id, count(*) AS exposed
    FROM (SELECT DISTINCT campaign, variant_id, unit FROM windows) JOIN campaigns USING (campaign)
    GROUP BY campaign_id, variant_id
),
converted AS (
    SELECT
        campaign_id, variant_id,
        count(*) FILTER (letter = 'A') AS a,
        count(*) FILTER (letter = 'B') AS b,
        count(*) FILTER (letter = 'C') AS c,
        count(*) FILTER (letter = 'D') AS d
    FROM conversions
    GROUP BY campaign_id, variant_id
),
revenue AS (
    SELECT campaign_id, variant_id, sum(amount) AS revenue FROM credited GROUP BY campaign_id, variant_id
)
SELECT
    campaign_id, variant_id, exposed,
    coalesce(a, 0) AS a, coalesce(b, 0) AS b, coalesce(c, 0) AS c, coalesce(d, 0) AS d,
    coalesce(revenue, 0)::DECIMAL(38, 2) AS revenue
FROM recipients
LEFT JOIN converted USING (campaign_id, variant_id)
LEFT JOIN revenue USING (campaign_id, variant_id);
