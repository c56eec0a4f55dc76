"""Conversions across campaigns: who deserves what, in six views, and what messages caused.

- `asking`: the form, and the question that it asks of `api.crediting`
- `answering`: the result as the page's tables and chart show it
- `files`: the table as a file
- `page`: the page, which is there at once and fills itself in
"""
