-- The exchange rates that may be needed: of currencies in use, from a week before the first purchase.
SELECT rates.currency, rates.date - DATE '1970-01-01' AS day, rate
FROM rates
WHERE rates.currency IN (SELECT code FROM currencies)
    AND rates.date >= (SELECT min(occurred_day) - 7 FROM revenue_cells)
    AND rates.date <= (SELECT max(occurred_day) FROM revenue_cells)
ORDER BY ALL
