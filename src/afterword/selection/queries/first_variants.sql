-- The variant of the first exposure of each of some users to a campaign; of two at one time that with the smaller id.
SELECT user_id, arg_min(variant_id, (exposed_at, exposure_id)) AS variant_id
FROM main.exposures
WHERE campaign_id = $campaign AND variant_id IS NOT NULL AND user_id IN (SELECT unnest($users::VARCHAR[]))
GROUP BY user_id
