"""From the outside world to definitions and facts: what is malformed is named, the rest is kept.

- `definitions`: campaigns with their conversion events, from YAML, JSON or Python
- `sources`, `streams`, `staging`: files by name, read as records; whatever is not Parquet becomes Parquet
- `columns`, `times`, `amounts`, `proofs`: a column's value, what may be wrong with it, and what a file proves of itself
- `facts`, `scan`: one normalised SELECT per kind of fact; `side_tables`: merges and exchange rates
- `accepted`: what a request is accepted as; `segment`: requests in Segment's protocol (`segment_bodies`,
  `segment_messages`, `segment_orders`, `segment_values`)
- `definition_files`, `definition_fields`, `definition_filters`, `definition_forms`: its parts
- `accepted`: what a request is accepted as, in whatever dialect; `bodies`, `instants`, `steps`: the way from JSON to it
- `native`: Afterword's own dialect; `braze`, with `braze_items`, `braze_orders`, `braze_users`: another;
  `typed`, `native_typed`, `braze_typed`: their good items, decoded all at once
"""
