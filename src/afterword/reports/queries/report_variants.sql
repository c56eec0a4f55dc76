-- Which variant is the control, and the totals that each belongs to: -1 without control, -2 with control.
CREATE OR REPLACE TEMP TABLE report_variants AS
SELECT campaign, variant, control, CASE WHEN control THEN [-2] ELSE [-1, -2] END AS totals
FROM (
    SELECT
        unnest($campaign::INTEGER[]) AS campaign,
        unnest($variant::INTEGER[]) AS variant,
        unnest($control::BOOLEAN[]) AS control
)
