-- Step messages and their distinct recipients (exposures once per exposure, persons otherwise), per variant and for all
-- variants with a message (-1).
WITH units AS MATERIALIZED (
    SELECT campaign, step, variant, CASE WHEN per_exposure THEN exposure ELSE user END AS unit, count(*) AS n
    FROM received
    JOIN report_campaigns USING (campaign)
    GROUP BY ALL
),
totals AS (
    SELECT campaign, step, unit, sum(n) AS n
    FROM units
    JOIN report_variants USING (campaign, variant)
    WHERE NOT control
    GROUP BY ALL
)
SELECT campaign, step, variant AS scope, sum(n)::BIGINT AS received, count(*) AS recipients
FROM units
GROUP BY ALL
UNION ALL
SELECT campaign, step, -1, sum(n)::BIGINT, count(*)
FROM totals
GROUP BY ALL
