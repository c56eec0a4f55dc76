-- The variant of each user in `users_to_assign`, by the same hash and table as `selection.assignment.assign` (decision
-- 0047). `$table` has one digit for each bucket, the position of its variant in `$variants`, which are numbered from 0.
SELECT
    user_id,
    CASE
        WHEN ('0x' || left(sha256($salt || 'control:' || user_id), 16))::UBIGINT % 10000 < $control_buckets
            THEN $control
        ELSE $variants[1 + substring(
            $table,
            1 + (('0x' || left(sha256($salt || 'variant:' || user_id), 16))::UBIGINT % $message_buckets)::BIGINT,
            1
        )::BIGINT]
    END AS variant_id
FROM users_to_assign
