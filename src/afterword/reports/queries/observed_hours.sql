-- For the delays: in which hour of its age an exposure left observation without converting, per mask of the conversion
-- events that it was still at risk of. A later exposure takes its own instant (so the hour that ends there is the last);
-- the end of the facts does not.
SELECT
    campaign,
    variant,
    at_risk & ~converted AS unconverted,
    least(
        last_hour,
        CASE
            WHEN superseded_at IS NULL THEN ($as_of - exposed_at) // 3600000000
            ELSE (superseded_at - exposed_at + 3599999999) // 3600000000 - 1
        END
    ) AS hour,
    count(*) AS n
FROM exposures
JOIN report_campaigns USING (campaign)
GROUP BY ALL
