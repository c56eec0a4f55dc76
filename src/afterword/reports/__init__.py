"""Counts and statistics per campaign, and the ways to show them.

- `report`: `report_of` makes the content of report.json from `tables`, the results of all queries
- `sql`, `queries/`: the named queries; `units`, `ages`, `series`, `revenue`, `steps`: what is made of their results
- `persons`: what persons did by the time they came of age; `person_count`, `person_cells`, `person_money` count it,
  `person_json` tells it
- `queried`: the tables by SQL from stored rows; `counted`, `keys`, `grouping`: the same while the rows come by
- `exchange`: exchange rates and the one rounding; `warnings`: what a reader must know
- `files`: `write_report_files`; `page`, `page_context`, `page_charts`, `charts`, `templates/`: report.html
- `render_terminal`, `render_markdown`, `render_csv`: the same numbers as text; `wording`: how they read
"""

from afterword.reports.facts import FactCounts
from afterword.reports.files import write_report_files

__all__ = ["FactCounts", "write_report_files"]
