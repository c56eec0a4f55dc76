"""Users to variants: a salted hash and the bucket table of the shares (rules 30-32, decision 0047).

The hash is defined on bytes, so that any language computes it alike. For a purpose of eight characters, a salt of 32
and a user's id in UTF-8, it is the first 8 bytes of SHA-256(salt + purpose + id), read as one number, the first byte
the highest. With the purpose `control:` the number modulo 10,000 is below the control's share in hundredths of a
percent for the users who are control. For all others the number with the purpose `variant:`, modulo the size of the
bucket table, is their bucket in it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from afterword.model import Campaign
from afterword.store.bucket_tables import BUCKETS, Buckets, BucketTable, first_buckets

CONTROL, VARIANT = "control:", "variant:"
"""What a hash is for; both have the same length, so that no salt and id can be taken for another."""
_BYTES = 8

Numbers: TypeAlias = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Split:
    """All that it takes to assign the users of a campaign while its shares stand."""

    salt: str
    control: str | None
    """The id of the control variant; None without one."""
    control_buckets: int
    """The control's share in hundredths of a percent, fixed at launch."""
    table: BucketTable

    @property
    def variants(self) -> tuple[str, ...]:
        """The variants by code: those with a message as in the table, then control if there is one."""
        return self.table.variants if self.control is None else (*self.table.variants, self.control)


def split_of(campaign: Campaign, buckets: Buckets | None = None) -> Split:
    """Return how a campaign is split while `buckets` stand; without them, how it is launched."""
    control = next((variant.id for variant in campaign.variants if variant.control), None)
    if buckets is None:
        messages = {variant.id: variant.share_hundredths for variant in campaign.variants if not variant.control}
        buckets = first_buckets(campaign.id, messages)
    return Split(buckets.salt, control, BUCKETS - len(buckets.table.codes), buckets.table)


def numbers(salt: str, purpose: str, users: Sequence[str]) -> Numbers:
    """Return the hash of each user; raises `UnicodeEncodeError` for what is no text (a lone surrogate)."""
    prefix = (salt + purpose).encode()
    digest = hashlib.sha256
    joined = b"".join([digest(prefix + user.encode()).digest()[:_BYTES] for user in users])
    return np.frombuffer(joined, dtype=">u8").astype(np.uint64)


def codes(split: Split, users: Sequence[str]) -> NDArray[np.int64]:
    """Return for each user the position of the variant in `split.variants`."""
    size = len(split.table.codes)
    found = np.full(len(users), len(split.table.variants), dtype=np.int64)
    messaged = np.ones(len(users), dtype=np.bool_)
    if split.control_buckets:
        messaged = numbers(split.salt, CONTROL, users) % np.uint64(BUCKETS) >= split.control_buckets
    if size:
        buckets = buckets_of(split, [user for user, one in zip(users, messaged.tolist(), strict=True) if one])
        found[messaged] = np.frombuffer(split.table.codes, dtype=np.uint8)[buckets]
    return found


def buckets_of(split: Split, users: Sequence[str]) -> NDArray[np.int64]:
    """Return the bucket of each user in the table; it means nothing for those who are control."""
    return (numbers(split.salt, VARIANT, users) % np.uint64(len(split.table.codes))).astype(np.int64)


def assign(split: Split, users: Sequence[str]) -> list[str]:
    """Return the variant of each user."""
    variants = split.variants
    return [variants[code] for code in codes(split, users).tolist()]
