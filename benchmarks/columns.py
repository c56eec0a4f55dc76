"""Arrow columns from NumPy numbers, made without a Python object per row."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


def numbered(prefix: str, numbers: Ints, digits: int, present: Mask | None = None) -> pa.Array:
    """Return texts such as `e-000000123`; absent where `present` is false."""
    lead = np.frombuffer(prefix.encode(), dtype=np.uint8)
    width = len(lead) + digits
    text = np.empty((len(numbers), width), dtype=np.uint8)
    text[:, : len(lead)] = lead
    rest = numbers.copy()
    for place in range(width - 1, len(lead) - 1, -1):
        rest, digit = np.divmod(rest, 10)
        text[:, place] = digit + ord("0")
    offsets = np.arange(0, (len(numbers) + 1) * width, width, dtype=np.int32)
    column = pa.StringArray.from_buffers(len(numbers), pa.py_buffer(offsets), pa.py_buffer(text))
    return column if present is None else pc.if_else(pa.array(present), column, None)


def chosen(words: pa.Array, codes: Ints) -> pa.Array:
    """Return the word of each code; absent where the code is negative."""
    return words.take(pa.array(codes, mask=codes < 0))


def times(microseconds: Ints) -> pa.Array:
    """Return instants in UTC."""
    return pa.array(microseconds, type=pa.int64()).cast(pa.timestamp("us", tz="UTC"))


def money(cents: Ints, present: Mask) -> pa.Array:
    """Return exact amounts with two decimals; absent where `present` is false."""
    halves = np.empty((len(cents), 2), dtype=np.int64)  # a decimal128 is two words, the low one first
    halves[:, 0] = cents
    halves[:, 1] = cents >> 63
    column = pa.Array.from_buffers(pa.decimal128(18, 2), len(cents), [None, pa.py_buffer(halves)])
    return pc.if_else(pa.array(present), column, pa.scalar(None, type=pa.decimal128(18, 2)))


def quantities(numbers: Ints) -> pa.Array:
    """Return whole numbers; absent where zero."""
    return pa.array(numbers, mask=numbers == 0, type=pa.int32())
