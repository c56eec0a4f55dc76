-- The rows of credited_purchases.parquet. They are ordered by `place_1` and so on, which no two of them share.
SELECT
    k.campaign_id,
    k.variants[c.variant + 1] AS variant_id,
    CASE WHEN c.channel >= 0 THEN $channels[c.channel + 1] END AS channel,
    x.exposure_id,
    u.user_id,
    c.event_id,
    c.occurred_at,
    (c.amount::DECIMAL(18, 0) * 0.000001::DECIMAL(7, 6))::DECIMAL(18, 6) AS amount,
    m.code AS currency,
    (c.refunded::DECIMAL(18, 0) * 0.000001::DECIMAL(7, 6))::DECIMAL(18, 6) AS refunded,
    k.campaign_id AS place_1,
    u.user_id AS place_2,
    CASE WHEN c.channel >= 0 THEN $channel_order[c.channel + 1] ELSE 99 END::BIGINT AS place_3,
    x.exposure_id AS place_4,
    c.occurred_at AS place_5,
    c.event_id AS place_6
FROM derived.credited c
JOIN wanted_campaigns k USING (campaign)
JOIN derived.users u USING ("user")
JOIN derived.exposures x ON x.campaign = c.campaign AND x.exposure = c.exposure
JOIN derived.currencies m USING (currency)
WHERE k.variant IS NULL OR c.variant = k.variant
