WITH found AS (
    SELECT date_trunc($unit, timezone($timezone, make_timestamptz(occurred_at))) AS bucket, quantity
    FROM main.events
    WHERE kind = 'purchase' AND ($product IS NULL OR product_id = $product) AND occurred_at <= $as_of
        AND ($app_id IS NULL OR app_id = $app_id)
)
SELECT bucket, sum(quantity) AS n FROM found WHERE bucket BETWEEN $first AND $last GROUP BY bucket
