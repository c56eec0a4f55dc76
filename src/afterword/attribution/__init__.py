"""Which event counts for which exposure: matching, the sweep over each user's history, and its explanation."""
