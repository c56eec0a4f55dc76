-- revenue_cells from purchases that were summed as they came by; the sums are in halves of 32 bits.
CREATE OR REPLACE TEMP TABLE revenue_cells AS
SELECT
    campaign,
    variant,
    step,
    currency,
    exposed_day,
    occurred_day,
    upper::HUGEINT * 4294967296 + lower AS net,
    purchases
FROM counted_revenue
