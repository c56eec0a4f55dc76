-- As person_sums, but for the totals and only persons who saw several variants.
WITH sightings AS (
    SELECT recipients.*, unnest(totals) AS scope
    FROM recipients
    JOIN report_variants USING (campaign, variant)
    WHERE variants_seen > 1 AND campaign IN (SELECT unnest($campaigns::INTEGER[]))
),
units AS (
    SELECT campaign, scope, user, bit_or(converted) AS converted
    FROM sightings
    GROUP BY campaign, scope, user, channel, exposure
),
persons AS (
    SELECT
        campaign,
        scope,
        user,
        count(*) AS units,
        count(*) FILTER (converted & 1 <> 0) AS a,
        count(*) FILTER (converted & 2 <> 0) AS b,
        count(*) FILTER (converted & 4 <> 0) AS c,
        count(*) FILTER (converted & 8 <> 0) AS d
    FROM units
    GROUP BY campaign, scope, user
)
SELECT
    campaign,
    scope,
    true AS several,
    count(*) AS persons,
    sum(units * units)::BIGINT AS squares,
    sum(units * a)::BIGINT AS cross_a, sum(a * a)::BIGINT AS squares_a, count(*) FILTER (a > 0) AS any_a,
    sum(units * b)::BIGINT AS cross_b, sum(b * b)::BIGINT AS squares_b, count(*) FILTER (b > 0) AS any_b,
    sum(units * c)::BIGINT AS cross_c, sum(c * c)::BIGINT AS squares_c, count(*) FILTER (c > 0) AS any_c,
    sum(units * d)::BIGINT AS cross_d, sum(d * d)::BIGINT AS squares_d, count(*) FILTER (d > 0) AS any_d
FROM persons
GROUP BY campaign, scope
