-- Which kinds of news about messages were ever received, by the channel that they name: what no sender reports is unknown,
-- not 0.
SELECT DISTINCT kind, list_position($channels::VARCHAR[], channel) - 1 AS channel
FROM main.events
WHERE starts_with(kind, 'message_') AND channel IS NOT NULL
UNION
SELECT DISTINCT e.kind, coalesce(list_position($channels::VARCHAR[], e.channel) - 1, -1)
FROM main.events e
WHERE starts_with(e.kind, 'message_') AND e.campaign_id = $campaign_id
UNION
SELECT DISTINCT CASE outcome WHEN 'bounced' THEN 'message_bounced' ELSE outcome END,
    coalesce(list_position($channels::VARCHAR[], channel) - 1, -1)
FROM main.exposures
WHERE outcome IN ('bounced', 'failed') AND (channel IS NOT NULL OR campaign_id = $campaign_id)
