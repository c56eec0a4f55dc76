-- Exposures per variant and outcome (-1: none stated), with the span of their times.
SELECT
    campaign,
    variant,
    coalesce(outcome, -1) AS outcome,
    count(*) AS n,
    min(exposed_at) AS first_at,
    max(exposed_at) AS last_at
FROM exposures
GROUP BY ALL
