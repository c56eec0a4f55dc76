"""Decisions on results: which variant a user gets, and what the shares of the next send are.

- `assignment`: users to variants, by a salted hash and the bucket table of the shares, in Python and in SQL
"""
