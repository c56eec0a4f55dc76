-- One pass over the recipients: how many units look alike, per variant and day of first exposure.
-- Masks have one bit per conversion event (A is 1, B is 2, C is 4, D is 8). pending: not converted in any variant, the
-- latest exposure is to this variant, and its window is open. matured: the full deadline has passed since the first exposure.
SELECT
    campaign,
    variant AS scope,
    variants_seen > 1 AS several,
    first_day - DATE '1970-01-01' AS day,
    converted,
    CASE
        WHEN NOT latest OR last_exposed_at + longest <= $as_of THEN 0
        ELSE (
            (last_exposed_at + deadline_a > $as_of)::INTEGER
            + (last_exposed_at + deadline_b > $as_of)::INTEGER * 2
            + (last_exposed_at + deadline_c > $as_of)::INTEGER * 4
            + (last_exposed_at + deadline_d > $as_of)::INTEGER * 8
        ) & ~unit_converted::INTEGER
    END AS pending,
    CASE
        WHEN first_exposed_at + longest <= $as_of THEN 15
        ELSE (first_exposed_at + deadline_a <= $as_of)::INTEGER
            + (first_exposed_at + deadline_b <= $as_of)::INTEGER * 2
            + (first_exposed_at + deadline_c <= $as_of)::INTEGER * 4
            + (first_exposed_at + deadline_d <= $as_of)::INTEGER * 8
    END AS matured,
    count(*) AS n
FROM recipients
JOIN report_campaigns USING (campaign)
GROUP BY ALL
