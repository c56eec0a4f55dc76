-- How often persons did what: events by name, purchases by product, sessions by app.
WITH done AS (
    SELECT w.person, kind, occurred_at,
        coalesce(CASE kind WHEN 'custom' THEN name WHEN 'purchase' THEN product_id ELSE app_id END, '') AS name
    FROM main.events e
    JOIN wanted w USING (user_id)
    WHERE kind IN ('custom', 'purchase', 'session') AND occurred_at <= $as_of
)
SELECT person, kind, name, min(occurred_at) AS first_at, max(occurred_at) AS last_at, count(*) AS n
FROM done
GROUP BY person, kind, name
ORDER BY person, kind, name
