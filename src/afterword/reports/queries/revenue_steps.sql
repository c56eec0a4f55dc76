-- Revenue per Canvas step (-1: none); the day of purchase matters only where a rate is needed (0 otherwise).
SELECT
    campaign,
    variant,
    step,
    code,
    CASE WHEN code = $currency THEN 0 ELSE occurred_day - DATE '1970-01-01' END AS rate_day,
    sum(net) AS net,
    sum(purchases)::BIGINT AS purchases
FROM revenue_cells
JOIN currencies USING (currency)
GROUP BY ALL
ORDER BY ALL
