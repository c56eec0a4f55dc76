-- One pass over the credited purchases: exact sums of millionths, refunds taken off.
CREATE OR REPLACE TEMP TABLE revenue_cells AS
SELECT campaign, variant, step, currency, exposed_day, occurred_day, sum(amount - refunded) AS net, count(*) AS purchases
FROM credited
GROUP BY ALL
