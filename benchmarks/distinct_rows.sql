-- The facts without repetitions. Grouping numbers is cheaper than grouping texts: only rows whose
-- hash occurs twice are looked at by id, and what is left out is a short list of row numbers.

CREATE TEMP TABLE repeated_events AS
WITH hashes AS (
    SELECT file_row_number AS place, kind, event_id, hash(kind, event_id) AS hash
    FROM read_parquet(getvariable('events'))
),
candidates AS (
    FROM hashes SEMI JOIN (SELECT hash FROM hashes GROUP BY hash HAVING count(*) > 1) USING (hash)
)
SELECT place FROM candidates QUALIFY row_number() OVER (PARTITION BY kind, event_id ORDER BY place) > 1;

CREATE TEMP TABLE repeated_exposures AS
WITH hashes AS (
    SELECT file_row_number AS place, exposure_id, hash(exposure_id) AS hash
    FROM read_parquet(getvariable('exposures'))
),
candidates AS (
    FROM hashes SEMI JOIN (SELECT hash FROM hashes GROUP BY hash HAVING count(*) > 1) USING (hash)
)
SELECT place FROM candidates QUALIFY row_number() OVER (PARTITION BY exposure_id ORDER BY place) > 1;

CREATE TEMP VIEW event_rows AS
FROM (SELECT *, file_row_number AS place FROM read_parquet(getvariable('events')))
ANTI JOIN repeated_events USING (place);

CREATE TEMP VIEW exposure_rows AS
FROM (SELECT *, file_row_number AS place, file_row_number AS exposure FROM read_parquet(getvariable('exposures')))
ANTI JOIN repeated_exposures USING (place);
