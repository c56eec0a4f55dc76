"""Decisions on results: which variant a user gets, and what the shares of the next send are.

- `experiment`: what a verdict is made of: sums and counts per variant
- `winner`: one verdict per campaign, with its sentence
"""
