-- The rows of conversions.parquet. They are ordered by `place_1` and so on, which no two of them share.
SELECT
    concat(k.campaign_id, '/', $letters[letter + 1], '/', x.exposure_id, '/', c.event_id) AS conversion_id,
    k.campaign_id,
    $letters[letter + 1] AS conversion_event,
    u.user_id,
    x.exposure_id,
    k.variants[c.variant + 1] AS variant_id,
    CASE WHEN c.channel >= 0 THEN $channels[c.channel + 1] END AS channel,
    CASE WHEN c.step >= 0 THEN k.steps[c.step + 1] END AS step_id,
    c.exposed_at,
    c.converted_at,
    c.event_id,
    c.after_open,
    c.after_click,
    k.version AS definition_version,
    $as_of::BIGINT AS as_of,
    k.campaign_id AS place_1,
    c.letter::BIGINT AS place_2,
    u.user_id AS place_3,
    CASE WHEN c.channel >= 0 THEN $channel_order[c.channel + 1] ELSE 99 END::BIGINT AS place_4,
    x.exposure_id AS place_5
FROM derived.conversions c
JOIN wanted_campaigns k USING (campaign)
JOIN derived.users u USING ("user")
JOIN derived.exposures x ON x.campaign = c.campaign AND x.exposure = c.exposure
WHERE ($letter IS NULL OR c.letter = $letter) AND (k.variant IS NULL OR c.variant = k.variant)
