"""A run from files to a results directory, and what can be asked of the results afterwards."""
