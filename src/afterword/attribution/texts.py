"""Strings in compiled code: their hashes, their order by bytes, and finding one among many known ones.

Strings are laid out as Arrow does (`runs.Text`). A word is up to eight bytes as one number, the first byte
the highest, so that words compare as the bytes do (rule 8).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from afterword.attribution.compiled import I32, I64, U8, U64, Int, compiled, inlinable
from afterword.attribution.runs import Text, take_text
from afterword.attribution.sorting import id_ties, order_rows

WORD = 8
MOST_BYTES = 1 << 31
"""Of text in one Arrow column with small offsets."""
_M = np.uint64(0xC6A4A7935BD1E995)
_SEED = np.uint64(0x9E3779B97F4A7C15)
_R = np.uint64(47)
_FF = np.uint64(0xFFFFFFFFFFFFFFFF)


def numbers_of(array: pa.Array) -> NDArray[Any]:
    """Return a column of integers without missing values as it stands (`to_numpy` loads pandas, if there is one)."""
    if not len(array):
        return np.empty(0, str(array.type))
    return np.frombuffer(array.buffers()[1], str(array.type))[array.offset : array.offset + len(array)]


def text_of(array: pa.Array) -> Text:
    """Return a string column of Arrow; a missing value is an empty string."""
    _, offsets, data = array.buffers()
    wide = pa.types.is_large_string(array.type)
    begin = np.frombuffer(offsets, np.int64 if wide else np.int32)[array.offset : array.offset + len(array) + 1]
    content = np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8)
    return Text(begin.astype(np.int64, copy=False), content)


def string_array(text: Text) -> pa.Array:
    """Return strings as an Arrow column."""
    small = text.data.shape[0] < MOST_BYTES
    offsets = text.offsets.astype(np.int32) if small else text.offsets
    kind = pa.string() if small else pa.large_string()
    return pa.Array.from_buffers(kind, len(offsets) - 1, [None, pa.py_buffer(offsets), pa.py_buffer(text.data)])


def text_of_strings(strings: list[str]) -> Text:
    """Return strings of Python."""
    encoded = [one.encode() for one in strings]
    offsets = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
    return Text(offsets, np.frombuffer(b"".join(encoded), np.uint8))


@inlinable
def word_at(data: U8, at: Int, length: Int) -> Int:
    """Return `length` bytes (1 or more; the first 8 count) from `at` as a word, with zeros behind."""
    if at + WORD <= data.shape[0]:
        # Written out because then the compiler makes one load of it.
        word = (
            np.uint64(data[at]) << np.uint64(56)
            | np.uint64(data[at + 1]) << np.uint64(48)
            | np.uint64(data[at + 2]) << np.uint64(40)
            | np.uint64(data[at + 3]) << np.uint64(32)
            | np.uint64(data[at + 4]) << np.uint64(24)
            | np.uint64(data[at + 5]) << np.uint64(16)
            | np.uint64(data[at + 6]) << np.uint64(8)
            | np.uint64(data[at + 7])
        )
        return word if length >= WORD else word & (_FF << np.uint64(8 * (WORD - length)))
    word = np.uint64(0)
    for k in range(min(length, WORD)):
        word |= np.uint64(data[at + k]) << np.uint64(8 * (7 - k))
    return word


@inlinable
def hash_of(data: U8, start: Int, end: Int) -> Int:
    """Return the hash of one string (MurmurHash64A, by words as above)."""
    h = _SEED ^ (np.uint64(end - start) * _M)
    for at in range(start, end, WORD):
        k = word_at(data, at, end - at) * _M
        k = (k ^ (k >> _R)) * _M
        h = (h ^ k) * _M
    h = (h ^ (h >> _R)) * _M
    return h ^ (h >> _R)


class Keys(NamedTuple):
    """What strings are told apart by, in columns: nearly always without looking at their bytes again."""

    hash: U64
    word: U64
    """The first word."""
    length: U64


@compiled
def _keys(offsets: I64, data: U8, hashes: U64, words: U64, lengths: U64) -> None:
    for i in range(hashes.shape[0]):
        start, end = offsets[i], offsets[i + 1]
        hashes[i] = hash_of(data, start, end)
        words[i] = word_at(data, start, end - start) if end > start else np.uint64(0)
        lengths[i] = np.uint64(end - start)


def keys_of(text: Text) -> Keys:
    """Return the keys of strings."""
    size = len(text.offsets) - 1
    keys = Keys(np.empty(size, np.uint64), np.empty(size, np.uint64), np.empty(size, np.uint64))
    _keys(text.offsets, text.data, *keys)
    return keys


@compiled
def _joined(prefix: U8, a_offsets: I64, a_data: U8, between: int, b_offsets: I64, b_data: U8) -> tuple[I64, U8]:
    size = a_offsets.shape[0] - 1
    offsets = np.empty(size + 1, np.int64)
    data = np.empty(
        size * (prefix.shape[0] + 1) + a_offsets[size] - a_offsets[0] + b_offsets[size] - b_offsets[0], np.uint8
    )
    at = 0
    for i in range(size):
        offsets[i] = at
        for k in range(prefix.shape[0]):
            data[at + k] = prefix[k]
        at += prefix.shape[0]
        start, length = a_offsets[i], a_offsets[i + 1] - a_offsets[i]
        for k in range(length):
            data[at + k] = a_data[start + k]
        at += length
        data[at] = between
        at += 1
        start, length = b_offsets[i], b_offsets[i + 1] - b_offsets[i]
        for k in range(length):
            data[at + k] = b_data[start + k]
        at += length
    offsets[size] = at
    return offsets, data


def joined_texts(prefix: str, first: Text, between: str, second: Text) -> Text:
    """Return each string as prefix, first, one character, second."""
    head = np.frombuffer(prefix.encode(), np.uint8)
    return Text(*_joined(head, first.offsets, first.data, ord(between), second.offsets, second.data))


@compiled
def hash_texts(offsets: I64, data: U8) -> U64:
    """Return the hash of each string."""
    out = np.empty(offsets.shape[0] - 1, np.uint64)
    for i in range(out.shape[0]):
        out[i] = hash_of(data, offsets[i], offsets[i + 1])
    return out


def sorted_texts(text: Text) -> Text:
    """Return different strings in order of their bytes."""
    words = keys_of(text).word
    order: I32 = np.argsort(words).astype(np.int32)
    ordered = words[order]
    if (ordered[1:] == ordered[:-1]).any():
        # Words of the same first bytes: compare them whole. A signed number of the same order is what this takes.
        signed = (words ^ np.uint64(1 << 63)).view(np.int64)
        none: I32 = np.zeros(len(words), np.int32)
        order = order_rows(order, none, signed, id_ties(text), 0, 1).rows
    return Text(*take_text(text.offsets, text.data, order))


class TextIndex:
    """Known different strings, each with a number; finds the number of any string, exactly."""

    def __init__(self, known: Text, numbers: I32) -> None:
        """Index strings; `numbers` says what each stands for."""
        self._known = known
        self._numbers = numbers
        size = 64
        while size < 3 * len(numbers):
            size *= 2
        self._table: U64 = np.zeros((size, 2), np.uint64)
        _enter(self._table, known.offsets, known.data, keys_of(known))

    def find(self, text: Text, keys: Keys) -> I32:
        """Return the number of each string, -1 for unknown ones; `keys` are theirs."""
        found: I32 = np.empty(len(keys.hash), np.int32)
        left = _look(self._table, keys, found)
        _look_on(self._table, self._known.offsets, self._known.data, text.offsets, text.data, keys, left, found)
        _translate(found, self._numbers)
        return found


# A place of the table holds the first word of a string, and its length and number (from 1) in the halves of another.
_HALF = np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)
_ONE = np.uint64(1)
_ZERO = np.uint64(0)


@compiled
def _enter(table: U64, offsets: I64, data: U8, keys: Keys) -> None:
    """Put each string into the first free place from its hash."""
    mask = np.uint64(table.shape[0] - 1)
    for i in range(keys.hash.shape[0]):
        place = keys.hash[i] & mask
        while table[place, 1] != _ZERO:
            place = (place + _ONE) & mask
        table[place, 0] = keys.word[i]
        table[place, 1] = (keys.length[i] << _HALF) | np.uint64(i + 1)


@compiled
def _look(table: U64, keys: Keys, found: I32) -> I32:
    """Look at each string's first place only; return the rows for which that does not decide.

    There is no branch here, so that the processor can wait for many places at once: that is most of the time.
    """
    mask = np.uint64(table.shape[0] - 1)
    left = np.empty(keys.hash.shape[0], np.int32)
    count = 0
    for i in range(keys.hash.shape[0]):
        place = keys.hash[i] & mask
        word, rest = table[place, 0], table[place, 1]
        same = (word == keys.word[i]) & ((rest >> _HALF) == keys.length[i]) & (keys.length[i] <= np.uint64(WORD))
        found[i] = np.int32(rest & _LOW) - 1
        left[count] = i
        count += not (same | (rest == _ZERO))
    return left[:count]


@compiled
def _look_on(
    table: U64, known_offsets: I64, known_data: U8, offsets: I64, data: U8, keys: Keys, left: I32, found: I32
) -> None:
    mask = np.uint64(table.shape[0] - 1)
    for row in left:
        place = keys.hash[row] & mask
        found[row] = -1
        rest = table[place, 1]
        while rest != _ZERO:
            if table[place, 0] == keys.word[row] and (rest >> _HALF) == keys.length[row]:
                k = np.int64(rest & _LOW) - 1
                same = True
                start, other = offsets[row], known_offsets[k]
                for b in range(WORD, np.int64(keys.length[row])):
                    if data[start + b] != known_data[other + b]:
                        same = False
                        break
                if same:
                    found[row] = k
                    break
            place = (place + _ONE) & mask
            rest = table[place, 1]


@compiled
def _translate(found: I32, numbers: I32) -> None:
    for i in range(found.shape[0]):
        if found[i] >= 0:
            found[i] = numbers[found[i]]
