-- The exchange rates that persons' purchases may need, from a week before the first day.
SELECT rates.currency, rates.date - DATE '1970-01-01' AS day, rate
FROM rates
WHERE rates.currency IN (SELECT unnest($currencies::VARCHAR[]))
    AND rates.date - DATE '1970-01-01' BETWEEN $first - 7 AND $last
ORDER BY ALL
