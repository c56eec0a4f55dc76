"""The only place that opens databases; everyone else is handed what it opened.

- `connection`, `sql`: DuckDB, which holds facts
- `metadata`: SQLite or PostgreSQL, which holds what people edit: `campaigns` with their rules, forms and history,
  `settings_table`, `keys` with their `permissions`, `idempotency`; under them `metadata_database`, `metadata_tables`
  and `migrations`
"""
