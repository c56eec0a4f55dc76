"""Drafts: kept however wrong they are, and never overwritten unseen."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from afterword.errors import UserError
from afterword.store.campaigns import UnknownCampaign
from afterword.store.drafts import MAX_BYTES, Draft, DraftChanged, UnknownDraft
from afterword.store.metadata import Metadata, open_metadata
from tests.store.campaign_world import campaign

HALF = {"name": "", "variants": [{"share": "abc"}], "deadline": None, "note": "naïve 🚀 \0 </script>"}


def made(metadata: Metadata, document: Mapping[str, Any] = HALF, at: int = 10) -> Draft:
    return metadata.drafts.create(document, "p1", at, os.urandom)


def test_a_draft_is_kept_as_it_is(place: str) -> None:
    with open_metadata(place) as metadata:
        metadata.campaigns.create(campaign(), 1)
        draft = metadata.drafts.create(HALF, "p1", 10, os.urandom, of="cart-rescue")
    with open_metadata(place) as metadata:
        assert metadata.drafts.get(draft.id) == draft
    assert (draft.document, draft.revision, draft.of) == (HALF, 1, "cart-rescue")
    assert (draft.created_at, draft.updated_at, draft.updated_by) == (10, 10, "p1")


def test_saving_makes_the_next_revision(metadata: Metadata) -> None:
    draft = made(metadata)
    saved = metadata.drafts.save(draft.id, {"name": "Cart"}, 1, "p2", 20)
    assert (saved.document, saved.revision, saved.updated_at, saved.updated_by) == ({"name": "Cart"}, 2, 20, "p2")
    assert (saved.created_at, metadata.drafts.get(draft.id)) == (10, saved)


def test_of_two_who_edit_the_second_is_told_what_the_first_saved(metadata: Metadata) -> None:
    draft = made(metadata)
    first = metadata.drafts.save(draft.id, {"name": "one"}, 1, "p1", 20)
    with pytest.raises(DraftChanged, match="was saved by p1 meanwhile and is at revision 2") as caught:
        metadata.drafts.save(draft.id, {"name": "other"}, 1, "p2", 21)
    assert caught.value.newer == first == metadata.drafts.get(draft.id)
    with pytest.raises(DraftChanged):
        metadata.drafts.delete(draft.id, 1)
    assert metadata.drafts.save(draft.id, {"name": "both"}, caught.value.newer.revision, "p2", 22).revision == 3


def test_saving_the_same_again_is_no_conflict(metadata: Metadata) -> None:
    draft = made(metadata)
    saved = metadata.drafts.save(draft.id, {"name": "one"}, 1, "p1", 20)
    assert metadata.drafts.save(draft.id, {"name": "one"}, 1, "p1", 30) == saved  # the answer was lost
    with pytest.raises(DraftChanged):  # true is not one, although they compare as equal
        metadata.drafts.save(metadata.drafts.save(draft.id, {"n": 1}, 2, "p1", 31).id, {"n": True}, 2, "p1", 32)


def test_of_many_who_save_at_once_none_overwrites_another(place: str) -> None:
    with open_metadata(place) as one, open_metadata(place) as other:
        draft = made(one)

        def save(number: int) -> bool:
            try:
                (one, other)[number % 2].drafts.save(draft.id, {"by": number}, 1, f"p{number}", 20)
            except DraftChanged:
                return False
            return True

        with ThreadPoolExecutor(8) as pool:
            assert sorted(pool.map(save, range(16))) == [False] * 15 + [True]


def test_drafts_are_listed_last_changed_first_and_deleted(metadata: Metadata) -> None:
    first, second = made(metadata, {"n": 1}, 10), made(metadata, {"n": 2}, 20)
    assert [draft.id for draft in metadata.drafts.list()] == [second.id, first.id]
    first = metadata.drafts.save(first.id, {"n": 3}, 1, "p1", 30)
    assert metadata.drafts.list() == [first, second]
    assert metadata.drafts.delete(second.id) == second
    assert metadata.drafts.delete(first.id, 2) == first
    assert metadata.drafts.list() == []


def test_a_draft_has_bounds(metadata: Metadata) -> None:
    around = len('{"x":""}')
    draft = made(metadata, {"x": "é" * ((MAX_BYTES - around) // 2)})
    deep: dict[str, Any] = {}
    for _ in range(100_000):
        deep = {"x": deep}
    for document, sentence in (
        ({"x": "y" * (MAX_BYTES - around + 1)}, "has 262,145 bytes, at most 262,144 are allowed"),
        ({"x": float("nan")}, "is no JSON object that can be kept"),
        ({"x": "\ud800"}, "is no JSON object that can be kept"),
        (deep, "is no JSON object that can be kept"),
    ):
        with pytest.raises(UserError, match=re.escape(sentence)):
            metadata.drafts.save(draft.id, document, 1, "p1", 20)
    assert metadata.drafts.get(draft.id) == draft


def test_what_is_not_there_is_said(metadata: Metadata) -> None:
    for draft_id in ("d_x", "", "\0", "\ud800"):
        with pytest.raises(UnknownDraft):
            metadata.drafts.save(draft_id, {}, 1, "p1", 20)
    with pytest.raises(UnknownCampaign):
        metadata.drafts.create({}, "p1", 10, os.urandom, of="nothing")
