"""The audit log: everything that was noted, and nobody who was erased."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from afterword.store.audit import ERASED, MAX_TEXT
from afterword.store.metadata import Metadata, open_metadata


def test_what_was_done_is_listed_newest_first(place: str) -> None:
    with open_metadata(place) as metadata:
        metadata.audit.add(10, "p1", "campaign.launched", "cart-rescue", {"version": "v1"})
        metadata.audit.add(9, "key:abc", "users.listed", "cart-rescue", {}, user_id="ann")
    with open_metadata(place) as metadata:
        second, first = metadata.audit.list()
    assert (first.number, first.at, first.actor, first.action) == (1, 10, "p1", "campaign.launched")
    assert (first.subject, first.detail, first.user_id) == ("cart-rescue", {"version": "v1"}, None)
    assert (second.number, second.at, second.user_id) == (2, 9, "ann")


def test_it_is_read_in_pages_by_who_and_what(metadata: Metadata) -> None:
    for number in range(10):
        metadata.audit.add(number, f"p{number % 2}", ("campaign.launched", "campaigns")[number % 3 == 0], "x", {})

    def numbers(**asked: object) -> list[int]:
        return [entry.number for entry in metadata.audit.list(**asked)]  # type: ignore[arg-type]

    assert numbers(limit=3) == [10, 9, 8]
    assert numbers(limit=3, before=8) == [7, 6, 5]
    assert numbers(actor="p1") == [10, 8, 6, 4, 2]
    assert numbers(action="campaign") == numbers(action="campaign.launched") == [9, 8, 6, 5, 3, 2]
    assert numbers(action="campaign%") == []
    assert numbers(actor="p0", action="campaigns", before=7) == [1]


def test_old_entries_go_and_numbers_go_on(metadata: Metadata) -> None:
    assert metadata.audit.prune(10) == 0
    for at in (1, 2, 30):
        metadata.audit.add(at, "p1", "a", "x", {})
    assert metadata.audit.prune(2) == 1
    assert [entry.number for entry in metadata.audit.list()] == [3, 2]
    assert metadata.audit.prune(100) == 1  # the newest stays, for its number
    metadata.audit.add(31, "p1", "a", "x", {})
    assert [entry.number for entry in metadata.audit.list()] == [4, 3]


def test_of_many_at_once_none_is_lost(place: str) -> None:
    with open_metadata(place) as one, open_metadata(place) as other:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda n: (one, other)[n % 2].audit.add(n, "p1", "a", str(n), {}), range(24)))
        entries = one.audit.list()
    assert [entry.number for entry in entries] == list(range(24, 0, -1))
    assert {entry.subject for entry in entries} == {str(number) for number in range(24)}


def test_any_text_is_noted_up_to_a_length(metadata: Metadata) -> None:
    metadata.audit.add(1, "p1", "a", "x\0\ud800" + "y" * 5000, {"names": ["z" * 5000, "\0"], "n": 3})
    [entry] = metadata.audit.list()
    assert entry.subject.startswith("x\N{REPLACEMENT CHARACTER}?y")
    assert len(entry.subject) == len(entry.detail["names"][0]) == MAX_TEXT
    assert entry.detail["n"] == 3


def test_an_erased_person_is_no_longer_named_and_who_looked_still_is(tmp_path: Path) -> None:
    with open_metadata(tmp_path / "metadata.sqlite") as metadata:
        metadata.audit.add(1, "p1", "user.explained", "cart-rescue", {}, user_id="Quixote")
        metadata.audit.add(2, "p1", "user.explained", "cart-rescue", {}, user_id="Sancho")
        metadata.audit.add(3, "p1", "campaign.launched", "Quixote", {})  # a campaign, whatever its name
        assert metadata.forget_naming(lambda text: b"Quixote" in text) == 1
        entries = metadata.audit.list()
        assert [(entry.user_id, entry.subject) for entry in entries] == [
            (None, "Quixote"),
            ("Sancho", "cart-rescue"),
            (ERASED, "cart-rescue"),
        ]
        assert [entry.at for entry in entries] == [3, 2, 1]


def test_an_erased_person_is_in_no_file(tmp_path: Path) -> None:
    with open_metadata(tmp_path / "metadata.sqlite") as metadata:
        metadata.audit.add(1, "p1", "user.explained", "cart-rescue", {}, user_id="Quixote")
        assert any(b"Quixote" in path.read_bytes() for path in tmp_path.iterdir())
        metadata.forget_naming(lambda text: b"Quixote" in text)
        assert not any(b"Quixote" in path.read_bytes() for path in tmp_path.iterdir())
