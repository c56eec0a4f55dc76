"""Tables of buckets: which message variant each bucket of a campaign belongs to, and how that follows the shares.

A campaign has 10,000 buckets, one for each hundredth of a percent. As many as the control's share are the control's,
which a hash of its own fills; the others stand in the table, so that every share is met exactly (decision 0047).
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypedDict

BUCKETS = 10_000
SALT_LENGTH = 32


@dataclass(frozen=True, slots=True)
class BucketTable:
    """Who has which bucket during one share epoch."""

    variants: tuple[str, ...]
    """Ids of the message variants; the position is the code."""
    codes: bytes
    """The code of each bucket's variant, one byte each."""

    def count(self, variant: str) -> int:
        """Return how many buckets a variant has."""
        return self.codes.count(self.variants.index(variant)) if variant in self.variants else 0


def salt_of(campaign_id: str) -> str:
    """Return the salt of a campaign: 32 hexadecimal digits of the SHA-256 of its id.

    Derived, not drawn, so that a definition file, another machine and a restored backup give the same answers.
    """
    return hashlib.sha256(b"afterword campaign\n" + campaign_id.encode()).hexdigest()[:SALT_LENGTH]


def first_table(shares: Mapping[str, int]) -> BucketTable:
    """Return the table of a launch: each variant has its share in hundredths of a percent, one after the other."""
    return BucketTable(tuple(shares), b"".join(bytes([code]) * share for code, share in enumerate(shares.values())))


def next_table(old: BucketTable, shares: Mapping[str, int], home: BucketTable) -> BucketTable:
    """Return the table of the next epoch, in which the fewest buckets have moved.

    No table with the new shares can move fewer: a variant with d buckets less than before has lost at least d, and
    here it loses exactly d, to variants that grow. Among the tables that move as few, one is taken in which many
    buckets stand as in `home`, the table of the launch, so that shares that go to and fro move the same ones
    again.

    Args:
        old: the table that stood until now.
        shares: the new shares of all message variants, in hundredths of a percent; new variants may be among them.
        home: the table of the launch.

    Raises:
        ValueError: the shares have another sum than the table has buckets, or a variant of the table is missing.

    """
    if sum(shares.values()) != len(old.codes) or not set(old.variants) <= set(shares):
        raise ValueError("the shares of the message variants must keep their sum, and all their variants")
    variants = (*old.variants, *(variant for variant in shares if variant not in old.variants))
    had = Counter(old.codes)
    missing = {code: shares[variant] - had[code] for code, variant in enumerate(variants)}
    codes = bytearray(old.codes)
    homes = [variants.index(home.variants[code]) for code in home.codes]
    free = sorted(bucket for code in missing for bucket in _released(codes, code, -missing[code], homes))
    elsewhere = []
    for bucket in free:
        code = homes[bucket]
        if missing[code] > 0:
            codes[bucket] = code
            missing[code] -= 1
        else:
            elsewhere.append(bucket)
    wanted = [code for code, count in missing.items() for _ in range(count)]
    for bucket, code in zip(elsewhere, wanted, strict=True):
        codes[bucket] = code
    return BucketTable(variants, bytes(codes))


def _released(codes: bytearray, code: int, count: int, homes: list[int]) -> list[int]:
    """Return the buckets that a variant gives up: first those that were another's at launch, then its highest."""
    if count <= 0:
        return []
    own = [bucket for bucket, owner in enumerate(codes) if owner == code]
    return sorted(own, key=lambda bucket: (homes[bucket] == code, -bucket))[:count]


@dataclass(frozen=True, slots=True)
class Buckets:
    """What is kept of a share epoch."""

    salt: str
    table: BucketTable
    moved: bytes
    """For each bucket 1 if it has had several variants since the launch, so that a user in it may have been told
    another one, else 0."""


def first_buckets(campaign_id: str, shares: Mapping[str, int]) -> Buckets:
    """Return what a launch begins with, from the shares of the message variants."""
    table = first_table(shares)
    return Buckets(salt_of(campaign_id), table, bytes(len(table.codes)))


def next_buckets(old: Buckets, shares: Mapping[str, int], home: Buckets) -> Buckets:
    """Return what a change of shares leads to; see `next_table`."""
    table = next_table(old.table, shares, home.table)
    # A variant's code never changes, as variants are only added.
    changed = zip(old.moved, old.table.codes, table.codes, strict=True)
    return Buckets(old.salt, table, bytes(moved or was != becomes for moved, was, becomes in changed))


class Packed(TypedDict):
    """The columns that are stored: some tens to some thousands of bytes."""

    salt: str
    variants: str
    codes: bytes
    moved: bytes


def packed(buckets: Buckets) -> Packed:
    """Return what is stored."""
    variants = json.dumps(buckets.table.variants)
    return Packed(
        salt=buckets.salt,
        variants=variants,
        codes=zlib.compress(buckets.table.codes, 9),
        moved=zlib.compress(buckets.moved, 9),
    )


def unpacked(columns: Packed) -> Buckets:
    """Return what was `packed`."""
    table = BucketTable(tuple(json.loads(columns["variants"])), zlib.decompress(columns["codes"]))
    return Buckets(columns["salt"], table, zlib.decompress(columns["moved"]))
