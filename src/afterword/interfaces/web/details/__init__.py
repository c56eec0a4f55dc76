"""The page of one campaign or Canvas, and what hangs on it: who is behind a number, and why somebody converted.

`page` answers, `view` puts the page together from `heading`, `figures`, `variants`, `tables` and `plots`; `grids` has
the tables' types. The numbers are those of report.json (docs/report-json.md).
"""
