"""Strings in compiled code: the order of their bytes, and finding one exactly among many."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from afterword.attribution.texts import TextIndex, keys_of, sorted_texts, string_array, text_of_strings

ALIKE = st.sampled_from(["", "a", "a\0", "a\0\0", "12345678", "123456789", "12345678\0", "é" * 5, "x" * 300])
TEXTS = st.lists(st.one_of(ALIKE, st.text(max_size=20)), max_size=60)


@given(TEXTS)
def test_texts_are_sorted_by_their_bytes(texts: list[str]) -> None:
    different = list(dict.fromkeys(texts))
    found = string_array(sorted_texts(text_of_strings(different))).to_pylist()
    assert found == sorted(different, key=str.encode)


@given(TEXTS, TEXTS)
def test_only_known_texts_are_found(known: list[str], asked: list[str]) -> None:
    known = list(dict.fromkeys(known))
    index = TextIndex(text_of_strings(known), np.arange(len(known), dtype=np.int32))
    text = text_of_strings([*asked, *known])
    expected = [known.index(one) if one in known else -1 for one in [*asked, *known]]
    assert index.find(text, keys_of(text)).tolist() == expected


def test_texts_whose_places_collide_are_told_apart() -> None:
    # Twice as many texts as bytes of the smallest table: the chains of places are long.
    known = [f"customer-{number:06}" for number in range(20_000)]
    index = TextIndex(text_of_strings(known), np.arange(len(known), dtype=np.int32))
    asked = text_of_strings([f"customer-{number:06}" for number in range(19_000, 21_000)])
    assert index.find(asked, keys_of(asked)).tolist() == [*range(19_000, 20_000), *[-1] * 1_000]
