-- As recipient_cells, but for the totals and only units of persons who saw several variants: a total counts each unit
-- once, from its first exposure in that total. Units of all others enter the totals as they are.
WITH sightings AS (
    SELECT recipients.*, unnest(totals) AS scope
    FROM recipients
    JOIN report_variants USING (campaign, variant)
    WHERE variants_seen > 1
),
units AS (
    SELECT
        campaign,
        scope,
        user,
        min(first_exposed_at) AS first_exposed_at,
        min(first_day) AS first_day,
        max(last_exposed_at) AS last_exposed_at,
        bool_or(latest) AS latest,
        bit_or(converted) AS converted,
        bit_or(unit_converted) AS unit_converted
    FROM sightings
    GROUP BY campaign, scope, user, channel, exposure
)
SELECT
    campaign,
    scope,
    true AS several,
    first_day - DATE '1970-01-01' AS day,
    converted,
    CASE
        WHEN NOT latest OR last_exposed_at + longest <= $as_of THEN 0
        ELSE (
            (last_exposed_at + deadline_a > $as_of)::INTEGER
            + (last_exposed_at + deadline_b > $as_of)::INTEGER * 2
            + (last_exposed_at + deadline_c > $as_of)::INTEGER * 4
            + (last_exposed_at + deadline_d > $as_of)::INTEGER * 8
        ) & ~unit_converted::INTEGER
    END AS pending,
    CASE
        WHEN first_exposed_at + longest <= $as_of THEN 15
        ELSE (first_exposed_at + deadline_a <= $as_of)::INTEGER
            + (first_exposed_at + deadline_b <= $as_of)::INTEGER * 2
            + (first_exposed_at + deadline_c <= $as_of)::INTEGER * 4
            + (first_exposed_at + deadline_d <= $as_of)::INTEGER * 8
    END AS matured,
    count(*) AS n
FROM units
JOIN report_campaigns USING (campaign)
GROUP BY ALL
