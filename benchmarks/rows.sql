-- The facts as they are in the files. Repetitions stay: see best.sql why they do no harm there.

CREATE TEMP VIEW event_rows AS FROM read_parquet(getvariable('events'));

CREATE TEMP VIEW exposure_rows AS
SELECT *, file_row_number AS exposure FROM read_parquet(getvariable('exposures'));
