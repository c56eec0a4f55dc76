"""Compiled steps that make the sweep's numbers of the columns of events, batch by batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from afterword.attribution.compiled import I8, I32, I64, U8, U64, Int, compiled, inlinable
from afterword.model import EventKind

IRRELEVANT = 0
"""The token of events that nothing asks for."""
KINDS = 16
"""Room for all kinds of events."""
NOTHING, PRODUCT, NAME, APP = range(4)
"""The column by which a kind of event is told apart."""
_PURCHASE, _SESSION, _UPGRADE = int(EventKind.PURCHASE), int(EventKind.SESSION), int(EventKind.UPGRADE)
_OPEN, _CLICK = int(EventKind.MESSAGE_OPEN), int(EventKind.MESSAGE_CLICK)
_M = np.uint64(0x9FB21C651E98DF25)


class TokenTable(NamedTuple):
    """Where tokens are looked up."""

    default: I32
    """By kind: the token of events whose name nobody mentions."""
    by_campaign: I32
    """By kind and machine: the token of the first campaign's messages, -1 if it is not by campaign."""
    column: U8
    """By kind: which name tells events apart."""
    key: U64
    """Hash table: the name's hash, mixed with the kind."""
    token: I32
    """Hash table: its token, 0 in a free place."""


@inlinable
def _mixed(kind: Int, key: Int) -> Int:
    h = (key ^ np.uint64(kind)) * _M
    return h ^ (h >> np.uint64(32))


def token_table(default: I32, by_campaign: I32, column: U8, rows: Sequence[tuple[int, int, int]]) -> TokenTable:
    """Return the table for names given as (kind, hash, token)."""
    size = 64
    while size < 4 * len(rows):
        size *= 2
    table = TokenTable(default, by_campaign, column, np.zeros(size, np.uint64), np.zeros(size, np.int32))
    kind = np.array([row[0] for row in rows], np.uint8)
    _enter(table, kind, np.array([row[1] for row in rows], np.uint64), np.array([row[2] for row in rows], np.int32))
    return table


@compiled
def _enter(table: TokenTable, kind: U8, key: U64, token: I32) -> None:
    mask = np.uint64(table.key.shape[0] - 1)
    for i in range(kind.shape[0]):
        h = _mixed(kind[i], key[i])
        place = h & mask
        while table.token[place] != 0:
            place = (place + np.uint64(1)) & mask
        table.key[place] = h
        table.token[place] = token[i]


@compiled
def find_tokens(table: TokenTable, kind: U8, product: U64, name: U64, app: U64, campaign: I32, machine: U8) -> I32:
    """Return the token of each event."""
    out = np.empty(kind.shape[0], np.int32)
    mask = np.uint64(table.key.shape[0] - 1)
    for i in range(kind.shape[0]):
        k = kind[i]
        out[i] = table.default[k]
        column = table.column[k]
        if column != NOTHING:
            key = product[i] if column == PRODUCT else (name[i] if column == NAME else app[i])
            h = _mixed(k, key)
            place = h & mask
            while table.token[place] != 0:
                if table.key[place] == h:
                    out[i] = table.token[place]
                    break
                place = (place + np.uint64(1)) & mask
        elif table.by_campaign[k, 0] >= 0:
            first = table.by_campaign[k, machine[i]]
            out[i] = IRRELEVANT if first < 0 or campaign[i] < 0 else first + campaign[i]
    return out


@compiled
def find_values(kind: U8, amount: I64, app: U64, device: U64, exposure: I64) -> I64:
    """Return what the sweep needs of each event: the amount, the installation, or the exposure that is named."""
    out = np.zeros(kind.shape[0], np.int64)
    for i in range(kind.shape[0]):
        k = kind[i]
        if k == _PURCHASE:
            out[i] = amount[i]
        elif k in (_SESSION, _UPGRADE):
            h = (app[i] * _M) ^ device[i]
            out[i] = np.int64(((h ^ (h >> np.uint64(32))) * _M) >> np.uint64(1))
        elif k in (_OPEN, _CLICK):
            out[i] = exposure[i]
    return out


@compiled
def mix_into(content: U64, column: NDArray[Any]) -> None:
    """Mix a column of integers into the hashes of the rows."""
    for i in range(content.shape[0]):
        h = (content[i] ^ np.uint64(column[i])) * _M
        content[i] = h ^ (h >> np.uint64(32))


def unclear_channels(
    kind: U8, campaign: I32, channel: I8, machine: U8, known: NDArray[np.bool_], per_channel: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Return which opens and clicks count once per channel where nobody says which (rule 16).

    Args:
        kind: of each event.
        campaign: of each event, -1 for none.
        channel: of each event, -1 for none.
        machine: 1 for what machines did.
        known: whether the event names an exposure of a user who has any; that says the channel.
        per_channel: by campaign, whether it counts so.

    """
    message = (kind == _OPEN) | (kind == _CLICK)
    asked = np.append(per_channel, False)[campaign]  # no campaign is the last one
    unclear: NDArray[np.bool_] = message & (channel < 0) & (machine == 0) & ~known & asked
    return unclear
