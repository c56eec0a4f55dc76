"""The only place that opens databases; everyone else is handed what it opened.

- `connection`, `facts`: opening a database in memory, and the database file with the tables of facts (`facts.sql`)
- `loader`: from the log into these tables, exactly once; `frames`: the log in batches; `shapes`, `staging`: SQL
  shreds them; `fact_keys`, `repetitions`: ids that came before; `people`: attributes, merges, deletions, who is refused
- `erasing`, `erasing_log`, `database_file`: a person leaves the store, the log, and the blocks of the file
- `statements`, `sql`, `canonical`: running and quoting SQL, one spelling for equal JSON
- `metadata`: SQLite or PostgreSQL, which holds what people edit: `campaigns` with rules, forms, plans and history,
  `bucket_tables` of their shares, `holdouts`, `settings_table`, `keys` with their `permissions`, `idempotency`,
  `webhooks`; under them `metadata_database`, `metadata_tables` and `migrations`
"""
