"""Decisions on results: which variant a user gets, and what the shares of the next send are.

- `assignment`: users to variants, by a salted hash and the bucket table of the shares
- `deciding`: the answer for each user: held out, the first exposure's variant, or what the hash says
- `holdouts`: who is kept out of all messages for a while
- `named_queries`: `queries/*.sql`, among them the assignment again, in SQL
- `bandit`: Intelligent Selection: decisions on the shares of a recurring campaign, each with its inputs and reason
- `situation`: what such a decision is made from; `wording`: why it is as it is, in words
- `allocation`: from what the rates may be to shares (Thompson sampling), and when to stop
- `experiment`: what a verdict is made of: sums and counts per variant; `evidence`: differences between its arms
- `winner`: one verdict per campaign; `guardrails`, `split`, `missing` and `plain` are what it looks at
- `figures`, `forecasts`: every conversion event against control; what open windows will bring
- `sizing`, `sized`: how many users and days the smallest effect takes, what those that there are can show, and in words
- `sentences`, `told`: the verdict in plain language, and as report.json has it
- `permuting`, `naming`: variant labels dealt out anew, and many experiments judged at once
"""
