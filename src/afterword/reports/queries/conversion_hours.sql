-- Conversions per hour of age since the exposure.
SELECT campaign, variant, letter, (converted_at - exposed_at) // 3600000000 AS hour, count(*) AS n
FROM conversions
GROUP BY ALL
