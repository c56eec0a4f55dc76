"""Decisions on results: which variant a user gets, and what the shares of the next send are.

- `allocation`: from what the rates may be to shares (Thompson sampling), and when to stop
- `bandit`: Intelligent Selection: decisions on the shares of a recurring campaign, each with its inputs and reason
"""
