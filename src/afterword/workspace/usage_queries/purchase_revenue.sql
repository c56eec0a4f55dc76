-- Sums of millionths per currency, with the day whose exchange rate counts. A refund is taken off on the day of its purchase,
-- whenever it came (rule 28).
WITH bought AS (
    SELECT event_id, currency, timezone($timezone, make_timestamptz(occurred_at)) AS clock,
        (price * 1000000)::HUGEINT * quantity AS millionths
    FROM main.events
    WHERE kind = 'purchase' AND occurred_at <= $as_of AND ($app_id IS NULL OR app_id = $app_id)
        AND ($product IS NULL OR product_id = $product)
),
asked AS MATERIALIZED (
    SELECT *, date_trunc($unit, clock) AS bucket FROM bought WHERE date_trunc($unit, clock) BETWEEN $first AND $last
),
refunded AS (
    SELECT b.bucket, b.clock, b.currency, -((r.price * 1000000)::HUGEINT * r.quantity) AS millionths
    FROM main.events r
    JOIN asked b ON b.event_id = r.refund_of AND coalesce(r.currency, b.currency) = b.currency
    WHERE r.kind = 'refund' AND r.occurred_at <= $as_of
)
SELECT bucket, clock::DATE AS day, currency, sum(millionths) AS millionths
FROM (SELECT bucket, clock, currency, millionths FROM asked UNION ALL FROM refunded)
GROUP BY ALL
