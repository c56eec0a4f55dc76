"""Demo data with known truth: a published e-mail test rebuilt from its totals, a Canvas and an app update.

- `facts`: columns in memory become Parquet and CSV files
- `email_test`: 64,000 customers in three arms, with exactly the published totals
- `welcome`: a Canvas with steps, re-entries, triggers, clicks and refunds
- `update_app`: a push campaign whose success is an upgrade, on devices of all sorts
- `texts`: the definitions and the page that explains the directory
- `files`: writes everything (`write_demo`) and says what is true about it (`truth`)
"""

from __future__ import annotations

from afterword.demo.files import DemoFiles, write_demo
from afterword.demo.truth import CampaignTruth, DemoTruth, VariantTruth

__all__ = ["CampaignTruth", "DemoFiles", "DemoTruth", "VariantTruth", "write_demo"]
