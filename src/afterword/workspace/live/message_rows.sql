-- What became of one campaign's messages, fact by fact: each belongs to the exposure that it names, else
-- to the user's latest one at or before it (rule 13). Scanners' clicks are left out, proxies' opens are not. `place` is 1
-- of the first of its kind for each exposure.
WITH opened AS MATERIALIZED (
    SELECT "user", exposure, exposure_id, exposed_at, exposed_day, variant,
        CASE WHEN channel >= 0 THEN channel ELSE $only END AS channel,
        coalesce(outcome, -1) AS outcome, CASE WHEN $per_channel THEN coalesce(channel, -1) ELSE -1 END AS place
    FROM exposures
    WHERE campaign = $campaign
),
latest AS (
    SELECT "user", place, exposed_at, max(exposure) AS exposure, arg_max(variant, exposure) AS variant,
        arg_max(channel, exposure) AS channel
    FROM opened
    GROUP BY ALL
),
told AS MATERIALIZED (
    SELECT e.event_id, e.kind, e.occurred_at, e.exposure_id, u."user",
        coalesce(list_position($channels::VARCHAR[], e.channel) - 1, -1) AS said
    FROM main.events e
    LEFT JOIN aliases a ON a.user_id = e.user_id
    JOIN users u ON u.user_id = coalesce(a.person, e.user_id)
    WHERE e.campaign_id = $campaign_id AND starts_with(e.kind, 'message_') AND NOT (e.machine AND e.kind = 'message_click')
        AND e.occurred_at <= $as_of AND e.position <= $position
),
named AS (
    SELECT t.kind, t.event_id, t.occurred_at, t.said, x.exposure, x.variant, x.channel
    FROM told t
    JOIN opened x ON x."user" = t."user" AND x.exposure_id = t.exposure_id
),
unnamed AS (
    SELECT *, CASE WHEN $per_channel THEN said ELSE -1 END AS place FROM told
    ANTI JOIN named ON named.event_id = told.event_id AND named.kind = told.kind
),
followed AS (
    SELECT t.kind, t.event_id, t.occurred_at, t.said, x.exposure, x.variant, x.channel
    FROM unnamed t
    ASOF JOIN latest x ON x."user" = t."user" AND x.place = t.place AND t.occurred_at >= x.exposed_at
),
attributed AS MATERIALIZED (
    SELECT kind, exposure, variant, CASE WHEN said >= 0 THEN said ELSE channel END AS channel,
        timezone($timezone, make_timestamptz(occurred_at))::DATE AS day,
        row_number() OVER (PARTITION BY exposure, kind ORDER BY occurred_at, event_id) AS place
    FROM (FROM named UNION ALL FROM followed)
),
bounced AS (
    -- A sender may say so with the exposure instead of by an event.
    SELECT 'message_bounced' AS kind, exposure, variant, channel, exposed_day AS day, 1 AS place
    FROM opened
    WHERE outcome = $bounced AND exposure NOT IN (SELECT exposure FROM attributed WHERE kind = 'message_bounced')
)
SELECT kind, exposure, variant, channel, day, place
FROM (FROM attributed UNION ALL FROM bounced)
WHERE day BETWEEN $first AND $last
