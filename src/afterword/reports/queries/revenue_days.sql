-- Revenue per day of purchase, which is the day of its exchange rate.
SELECT campaign, variant, code, occurred_day - DATE '1970-01-01' AS day, sum(net) AS net
FROM revenue_cells
JOIN currencies USING (currency)
GROUP BY ALL
ORDER BY ALL
