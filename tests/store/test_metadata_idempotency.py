from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from afterword.errors import UserError
from afterword.store.idempotency import ABANDONED_MICROSECONDS, KEPT_MICROSECONDS, Answer, IdempotencyConflict
from afterword.store.metadata import Metadata, open_metadata

DONE = Answer(201, b'{"message": "success"}')
BODY = b'{"events": []}'


def finished(metadata: Metadata, key: str = "order-1", *, key_id: str = "k1", at: int = 10) -> None:
    assert metadata.idempotency.begin(key_id, key, BODY, at) is None
    metadata.idempotency.finish(key_id, key, at, DONE)


def test_a_request_that_comes_again_gets_its_answer(metadata: Metadata) -> None:
    finished(metadata)
    for now in (11, 10 + KEPT_MICROSECONDS - 1):
        assert metadata.idempotency.begin("k1", "order-1", BODY, now) == DONE


def test_keys_are_kept_per_api_key(metadata: Metadata) -> None:
    finished(metadata)
    assert metadata.idempotency.begin("k2", "order-1", b"another", 11) is None
    assert metadata.idempotency.begin("k1", "order-2", b"another", 11) is None


def test_the_same_key_with_another_body_is_a_conflict(metadata: Metadata) -> None:
    finished(metadata)
    with pytest.raises(IdempotencyConflict, match='the Idempotency-Key "order-1" was used for another body'):
        metadata.idempotency.begin("k1", "order-1", BODY + b" ", 11)
    assert metadata.idempotency.begin("k1", "order-1", BODY, 12) == DONE


def test_a_request_that_is_worked_on_is_not_done_twice(metadata: Metadata) -> None:
    assert metadata.idempotency.begin("k1", "order-1", BODY, 10) is None
    with pytest.raises(IdempotencyConflict, match="is still worked on"):
        metadata.idempotency.begin("k1", "order-1", BODY, 11)


def test_a_request_that_failed_can_be_tried_again(metadata: Metadata) -> None:
    assert metadata.idempotency.begin("k1", "order-1", BODY, 10) is None
    metadata.idempotency.abandon("k1", "order-1", 10)
    assert metadata.idempotency.begin("k1", "order-1", b"another", 11) is None


def test_a_request_that_died_with_its_process_can_be_tried_again(metadata: Metadata) -> None:
    assert metadata.idempotency.begin("k1", "order-1", BODY, 10) is None
    assert metadata.idempotency.begin("k1", "order-1", BODY, 10 + ABANDONED_MICROSECONDS) is None
    metadata.idempotency.finish("k1", "order-1", 10, Answer(500, b"of the one that was taken for dead"))
    metadata.idempotency.abandon("k1", "order-1", 10)
    metadata.idempotency.finish("k1", "order-1", 10 + ABANDONED_MICROSECONDS, DONE)
    assert metadata.idempotency.begin("k1", "order-1", BODY, 20 + ABANDONED_MICROSECONDS) == DONE


def test_an_answer_stays_what_it_was(metadata: Metadata) -> None:
    finished(metadata)
    metadata.idempotency.finish("k1", "order-1", 10, Answer(500, b"late"))
    metadata.idempotency.abandon("k1", "order-1", 10)
    assert metadata.idempotency.begin("k1", "order-1", BODY, 11) == DONE


def test_after_a_day_a_key_is_new(metadata: Metadata) -> None:
    finished(metadata)
    assert metadata.idempotency.begin("k1", "order-1", b"another", 10 + KEPT_MICROSECONDS) is None


def test_pruning_forgets_what_is_a_day_old(metadata: Metadata) -> None:
    finished(metadata, "old", at=10)
    finished(metadata, "new", at=11)
    assert metadata.idempotency.prune(10 + KEPT_MICROSECONDS) == 1
    assert metadata.idempotency.prune(10 + KEPT_MICROSECONDS) == 0
    assert metadata.idempotency.begin("k1", "new", BODY, 12) == DONE
    assert metadata.idempotency.begin("k1", "old", b"another", 12) is None


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        pytest.param("", "the Idempotency-Key is empty", id="empty"),
        pytest.param("x" * 256, "has 256 characters, at most 255 are allowed", id="long"),
        pytest.param("a\0", "cannot be printed", id="nul"),
    ],
)
def test_what_is_no_key_is_refused(metadata: Metadata, key: str, sentence: str) -> None:
    with pytest.raises(UserError, match=re.escape(sentence)):
        metadata.idempotency.begin("k1", key, BODY, 1)


def test_of_many_at_once_one_is_new(place: str) -> None:
    with open_metadata(place) as one, open_metadata(place) as other:

        def ask(number: int) -> str:
            try:
                began = (one, other)[number % 2].idempotency.begin("k1", "order-1", BODY, 10)
            except IdempotencyConflict:
                return "conflict"
            return "new" if began is None else "answered"

        with ThreadPoolExecutor(8) as pool:
            assert sorted(pool.map(ask, range(24))) == ["conflict"] * 23 + ["new"]


def test_requests_that_name_an_erased_person_are_forgotten(metadata: Metadata) -> None:
    finished(metadata)
    finished(metadata, "for Quixote")
    assert metadata.idempotency.begin("k1", "order-2", BODY, 10) is None
    metadata.idempotency.finish("k1", "order-2", 10, Answer(400, b'{"message": "no user Quixote"}'))
    assert metadata.idempotency.begin("k1", "order-3", BODY, 10) is None  # is still worked on
    assert metadata.forget_naming(lambda text: b"Quixote" in text) == 2
    assert metadata.idempotency.begin("k1", "order-1", BODY, 11) == DONE
    for key in ("for Quixote", "order-2"):
        assert metadata.idempotency.begin("k1", key, BODY, 12) is None


def test_what_was_forgotten_is_in_no_file(tmp_path: Path) -> None:
    with open_metadata(tmp_path / "metadata.sqlite") as metadata:
        finished(metadata, "for Quixote")
        assert any(b"Quixote" in path.read_bytes() for path in tmp_path.iterdir())
        assert metadata.forget_naming(lambda text: b"Quixote" in text) == 1
        assert not any(b"Quixote" in path.read_bytes() for path in tmp_path.iterdir())
