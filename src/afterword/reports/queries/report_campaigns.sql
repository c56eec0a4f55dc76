-- What the other queries must know of each campaign; a letter that it does not have has deadline 0. Times are microseconds.
CREATE OR REPLACE TEMP TABLE report_campaigns AS
SELECT
    unnest($campaign::INTEGER[]) AS campaign,
    unnest($per_exposure::BOOLEAN[]) AS per_exposure,
    unnest($per_channel::BOOLEAN[]) AS per_channel,
    unnest($deadline_a::BIGINT[]) AS deadline_a,
    unnest($deadline_b::BIGINT[]) AS deadline_b,
    unnest($deadline_c::BIGINT[]) AS deadline_c,
    unnest($deadline_d::BIGINT[]) AS deadline_d,
    unnest($longest::BIGINT[]) AS longest,
    unnest($last_hour::SMALLINT[]) AS last_hour
