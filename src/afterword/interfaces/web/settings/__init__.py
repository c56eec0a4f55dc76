"""Settings: people, keys, holdouts, deletions, the audit log, and one's own account."""
