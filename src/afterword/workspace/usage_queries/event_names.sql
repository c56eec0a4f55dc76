SELECT DISTINCT name FROM main.events
WHERE kind = 'custom' AND name IS NOT NULL AND occurred_at <= $as_of
ORDER BY name LIMIT $limit OFFSET $offset
