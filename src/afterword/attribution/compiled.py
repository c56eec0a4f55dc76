"""Numba behind a typed door: `compiled` for entry points, `inlinable` for the functions they call.

An `inlinable` function stays an ordinary Python function when Python calls it, and is compiled
when a compiled function calls it. That is what lets the explanations run the very same sweep
uncompiled, with a trace (DESIGN.md, decision 2).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar, cast

import numba
import numpy as np
from numba.extending import register_jitable
from numpy.typing import NDArray

F = TypeVar("F", bound=Callable[..., Any])

I64 = NDArray[np.int64]
I32 = NDArray[np.int32]
I16 = NDArray[np.int16]
I8 = NDArray[np.int8]
U64 = NDArray[np.uint64]
U16 = NDArray[np.uint16]
U8 = NDArray[np.uint8]

Int: TypeAlias = Any
"""A number in compiled code: Python's or NumPy's, of whatever width."""

NEVER = np.iinfo(np.int64).max
"""A time that does not come: no later exposure, a stream that has ended."""


def compiled(function: F) -> F:
    """Compile on first use, keep the machine code on disk, run without Python's lock."""
    return cast(F, numba.njit(cache=True, nogil=True)(function))


@compiled
def _same(number: int) -> int:
    return number


def load_compiler() -> None:
    """Have Numba set itself up, half a second in which it does nothing else: the database may read meanwhile."""
    _same(0)


def inlinable(function: F) -> F:
    """Leave `function` plain for Python and let compiled callers compile it into themselves."""
    inlined: F = register_jitable(function)
    return inlined


def compiled_without_allocation(function: F) -> F:
    """Compile a function that makes no array, without counting references to those it is given.

    Passing a tuple of arrays to a called function would count a reference for each of them, which for
    the sweep costs more than its work. Numba refuses to compile such a function if it allocates.
    """
    options: dict[str, Any] = {"cache": True, "nogil": True, "_nrt": False}
    return cast(F, numba.njit(**options)(function))
