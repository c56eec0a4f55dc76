-- Persons by the first thing that they did; refunds, and what became of messages, are none.
WITH firsts AS (
    SELECT coalesce(a.person, e.user_id) AS person, min(occurred_at) AS first_at
    FROM main.events e
    LEFT JOIN derived.aliases a ON a.user_id = e.user_id
    WHERE kind IN ('session', 'purchase', 'custom', 'upgrade') AND occurred_at <= $as_of
        AND ($app_id IS NULL OR app_id = $app_id)
    GROUP BY ALL
),
found AS (
    SELECT date_trunc($unit, timezone($timezone, make_timestamptz(first_at))) AS bucket FROM firsts
)
SELECT bucket, count(*) AS n FROM found WHERE bucket BETWEEN $first AND $last GROUP BY bucket
