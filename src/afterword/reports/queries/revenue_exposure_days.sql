-- Revenue per day of exposure; the day of purchase matters only where a rate is needed (0 otherwise).
SELECT
    campaign,
    variant,
    code,
    exposed_day - DATE '1970-01-01' AS day,
    CASE WHEN code = $currency THEN 0 ELSE occurred_day - DATE '1970-01-01' END AS rate_day,
    sum(net) AS net
FROM revenue_cells
JOIN currencies USING (currency)
GROUP BY ALL
ORDER BY ALL
