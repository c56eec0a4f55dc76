-- The exact ages of the conversions in some hours of age: those that quartiles fall into.
WITH wanted AS (
    SELECT
        unnest($campaign::INTEGER[]) AS campaign,
        unnest($letter::UTINYINT[]) AS letter,
        unnest($hour::BIGINT[]) AS hour
)
SELECT campaign, letter, variant, hour, age
FROM (
    SELECT campaign, letter, variant, (converted_at - exposed_at) // 3600000000 AS hour, converted_at - exposed_at AS age
    FROM conversions
)
SEMI JOIN wanted USING (campaign, letter, hour)
