SELECT DISTINCT product_id FROM main.events
WHERE kind = 'purchase' AND product_id IS NOT NULL AND occurred_at <= $as_of
ORDER BY product_id LIMIT $limit OFFSET $offset
