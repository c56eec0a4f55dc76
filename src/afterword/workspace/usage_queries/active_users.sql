-- A person who is active on a day counts from that day on, for $days days or until active again: so that every day has each
-- person once, a row says who comes (+1) and who goes (-1).
WITH active AS (
    SELECT DISTINCT coalesce(a.person, e.user_id) AS person,
        date_trunc($unit, timezone($timezone, make_timestamptz(occurred_at))) AS day
    FROM main.events e
    LEFT JOIN derived.aliases a ON a.user_id = e.user_id
    WHERE kind = 'session' AND occurred_at <= $as_of AND ($app_id IS NULL OR app_id = $app_id)
        AND occurred_at BETWEEN epoch_us($first - to_days($days::INTEGER + 1)) AND epoch_us($last + INTERVAL 2 DAY)
),
spells AS (
    SELECT day AS begun,
        least(day + to_days($days::INTEGER), lead(day) OVER (PARTITION BY person ORDER BY day)) AS gone
    FROM active
)
SELECT begun AS bucket, count(*) AS change FROM spells GROUP BY begun
UNION ALL
SELECT gone, -count(*) FROM spells GROUP BY gone
