-- Unique recipients per day of exposure: a unit with two exposures on one day counts once on it. A unit's only exposure
-- needs no look at others, and once per exposure every exposure is a unit. Only once per channel the channel is part of it.
WITH repeated AS MATERIALIZED (
    SELECT campaign, variant, exposed_day, user, CASE WHEN per_channel THEN channel ELSE -1 END AS channel
    FROM exposures
    JOIN report_campaigns USING (campaign)
    WHERE NOT per_exposure AND NOT (first AND superseded_at IS NULL)
    GROUP BY ALL
),
repeated_sightings AS (
    SELECT campaign, unnest(totals) AS scope, exposed_day, user, channel
    FROM repeated
    JOIN report_variants USING (campaign, variant)
),
repeated_totals AS (
    SELECT DISTINCT campaign, scope, exposed_day, user, channel FROM repeated_sightings
),
lone AS MATERIALIZED (
    SELECT campaign, variant, exposed_day, count(*) AS n
    FROM exposures
    JOIN report_campaigns USING (campaign)
    WHERE per_exposure OR (first AND superseded_at IS NULL)
    GROUP BY ALL
),
counted AS (
    SELECT campaign, variant AS scope, exposed_day, n FROM lone
    UNION ALL
    SELECT campaign, unnest(totals), exposed_day, n FROM lone JOIN report_variants USING (campaign, variant)
    UNION ALL
    SELECT campaign, variant, exposed_day, count(*) FROM repeated GROUP BY ALL
    UNION ALL
    SELECT campaign, scope, exposed_day, count(*) FROM repeated_totals GROUP BY ALL
)
SELECT campaign, scope, exposed_day - DATE '1970-01-01' AS day, sum(n)::BIGINT AS n
FROM counted
GROUP BY ALL
