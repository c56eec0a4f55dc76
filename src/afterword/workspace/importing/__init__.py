"""Bringing history: files of facts through the log of a data directory, in order, resumable."""
