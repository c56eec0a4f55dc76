-- Conversions per day of exposure and own day.
SELECT
    campaign,
    variant,
    letter,
    exposed_day - DATE '1970-01-01' AS exposed_day,
    converted_day - DATE '1970-01-01' AS converted_day,
    count(*) AS n
FROM conversions
GROUP BY ALL
