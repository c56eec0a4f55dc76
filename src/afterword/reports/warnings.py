"""What a reader must know before trusting a campaign's numbers."""

from __future__ import annotations

from typing import Any

from afterword.model import Campaign
from afterword.reports.revenue import CampaignRevenue
from afterword.reports.units import members
from afterword.stats.adapted import METHOD

SEVERAL_VARIANTS_SHARE = 0.01
"""From this share of persons in several variants on, a report warns (rule 17)."""


def warnings_of(everyone: dict[str, Any], revenue: CampaignRevenue, campaign: Campaign) -> list[dict[str, Any]]:
    """The warnings of a campaign: a code for programs and a sentence for people."""
    warnings = []
    several, persons = everyone["several_variants"], everyone["persons"]
    if persons and several / persons >= SEVERAL_VARIANTS_SHARE:
        warnings.append(
            {
                "code": "several_variants",
                "message": f"{several:,} of {persons:,} users ({several / persons:.1%}) were exposed to more than one "
                "variant; comparisons leave them out, and the split may be broken.",
            }
        )
    if campaign.selection is not None:
        warnings.append(
            {
                "code": "adapted_shares",
                "message": "Shares follow results here (Intelligent Selection), so differences from control are "
                f"{METHOD}, over users who have come of age. Ordinary intervals, lift and confidence would mislead "
                "and are left out.",
            }
        )
    apart = revenue.of(members(campaign, len(campaign.variants) + 1)).apart()
    if apart:
        amounts = ", ".join(f"{amount} {currency}" for currency, amount in apart.items())
        warnings.append(
            {
                "code": "unconverted_revenue",
                "message": f"Revenue in currencies without a rate is not in the amounts: {amounts}.",
            }
        )
    return warnings
