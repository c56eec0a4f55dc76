-- Conversions after an open and after a click, per Canvas step (-1: none).
SELECT campaign, variant, letter, step, after_open, after_click, count(*) AS n
FROM conversions
GROUP BY ALL
