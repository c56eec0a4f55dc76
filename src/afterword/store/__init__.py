"""The only place that opens DuckDB; everyone else is handed a connection."""
