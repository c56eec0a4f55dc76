"""Simulations against known truth: what the statistics promise, measured. `make sim` runs them."""
