-- What one campaign's days count, in cells of variant, channel (-1: none) and Canvas step (-1: none). `measure` says what;
-- variant -1 are all variants with a message, where a sum over variants would count a user twice.
-- A fact that names no channel has the only one of its campaign ($only; -1 if there are several).
WITH exposed AS MATERIALIZED (
    SELECT variant, CASE WHEN channel >= 0 THEN channel ELSE $only END AS channel, "user", exposed_day AS day,
        coalesce(outcome, -1) AS outcome
    FROM exposures
    WHERE campaign = $campaign AND exposed_day BETWEEN $first AND $last
),
converted AS MATERIALIZED (
    SELECT variant, CASE WHEN channel >= 0 THEN channel ELSE $only END AS channel, step, letter, converted_day,
        exposed_day
    FROM conversions
    WHERE campaign = $campaign AND (converted_day BETWEEN $first AND $last OR exposed_day BETWEEN $first AND $last)
),
cells AS (
    SELECT variant, channel, -1 AS step, 'exposures' AS measure, day, count(*) AS n FROM exposed GROUP BY ALL
    UNION ALL
    SELECT variant, channel, -1, 'sent', day, count(*) FROM exposed WHERE outcome IN (-1, $sent) GROUP BY ALL
    UNION ALL
    SELECT variant, channel, -1, 'failed', day, count(*) FROM exposed WHERE outcome = $failed GROUP BY ALL
    UNION ALL
    SELECT variant, channel, -1, 'recipients', day, count(DISTINCT "user") FROM exposed GROUP BY ALL
    UNION ALL
    SELECT -1, -1, -1, 'recipients', day, count(DISTINCT "user")
    FROM exposed WHERE list_contains($messaged::INTEGER[], variant) GROUP BY ALL
    UNION ALL
    SELECT variant, channel, step, concat('converted ', letter), converted_day, count(*) FROM converted GROUP BY ALL
    UNION ALL
    SELECT variant, channel, step, concat('converted by exposure ', letter), exposed_day, count(*)
    FROM converted GROUP BY ALL
    UNION ALL
    SELECT variant, -1, step, 'received', received_day, count(*) FROM received WHERE campaign = $campaign GROUP BY ALL
)
SELECT variant, channel, step, measure, day, n FROM cells WHERE day BETWEEN $first AND $last
