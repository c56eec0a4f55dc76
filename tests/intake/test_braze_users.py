"""Users in the Braze-compatible dialect: erased, merged, given an alias, identified (rules 36 and 37)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from afterword.errors import Reason
from afterword.intake.bodies import RequestError
from afterword.intake.braze_users import (
    REQUIRED,
    Answer,
    read_delete,
    read_identify,
    read_merge,
    read_new_alias,
)
from tests.intake.requests import encoded

ALIAS = {"alias_name": "n", "alias_label": "l"}


def deleted(answer: Answer) -> list[str]:
    return [deletion.user_id for deletion in answer.accepted.deletions]


def merged(answer: Answer) -> list[tuple[int, str, str]]:
    return [(merge.item, merge.from_user_id, merge.to_user_id) for merge in answer.accepted.merges]


@pytest.mark.parametrize(
    ("body", "users"),
    [
        ({"external_ids": ["a", 5]}, ["a", "5"]),
        ({"user_aliases": [ALIAS]}, ["~alias/l/n"]),
        ({"braze_ids": ["b"], "external_ids": None}, ["~braze/b"]),
    ],
)
def test_users_are_deleted_by_any_id(body: object, users: list[str]) -> None:
    answer = read_delete(encoded(body))
    assert deleted(answer) == users
    assert (answer.status, answer.answer) == (201, {"message": "success", "deleted": len(users)})


def test_ids_that_are_none_are_named_and_the_others_deleted() -> None:
    answer = read_delete(b'{"external_ids": ["a", null, {}, "\\ud800"]}')
    assert deleted(answer) == ["a"]
    assert [(each.item, each.kind, each.reason) for each in answer.accepted.rejected] == [
        (1, "deletions", Reason.MISSING_FIELD),
        (2, "deletions", Reason.BAD_TYPE),
        (3, "deletions", Reason.BAD_TYPE),
    ]
    types = [REQUIRED, "'external_id' is not valid", "'external_ids' is not valid"]
    errors = [{"type": each, "input_array": "external_ids", "index": n} for n, each in enumerate(types, 1)]
    assert answer.answer == {"message": "success", "deleted": 1, "errors": errors}


def test_users_are_merged() -> None:
    body = {
        "merge_updates": [
            {"identifier_to_merge": {"external_id": "old"}, "identifier_to_keep": {"external_id": 5}},
            {"identifier_to_merge": {"user_alias": ALIAS}, "identifier_to_keep": {"email": "A@b.c"}},
            {"identifier_to_merge": {"external_id": "old"}},
            {"identifier_to_merge": {}, "identifier_to_keep": {"external_id": "u"}},
        ]
    }
    answer = read_merge(encoded(body))
    assert merged(answer) == [(0, "old", "5"), (1, "~alias/l/n", "~email/a@b.c")]
    assert answer.answer == {
        "message": "success",
        "errors": [
            {"type": "'identifier_to_keep' is required", "input_array": "merge_updates", "index": 2},
            {"type": "'identifier_to_merge' is required", "input_array": "merge_updates", "index": 3},
        ],
    }


def test_an_alias_of_a_user_is_a_merge_and_one_of_nobody_is_no_fact() -> None:
    body = {"user_aliases": [{**ALIAS, "external_id": "u"}, ALIAS, {"alias_name": "n", "external_id": "u"}]}
    answer = read_new_alias(encoded(body))
    assert merged(answer) == [(0, "~alias/l/n", "u")]
    assert answer.answer == {
        "message": "success",
        "aliases_processed": 2,
        "errors": [{"type": "'alias_label' is required", "input_array": "user_aliases", "index": 2}],
    }


def test_users_known_otherwise_get_their_id() -> None:
    body = {
        "aliases_to_identify": [{"external_id": "u", "user_alias": ALIAS}, {"user_alias": ALIAS}],
        "emails_to_identify": [{"external_id": "v", "email": "A@b.c", "prioritization": ["unidentified"]}],
        "phone_numbers_to_identify": [{"external_id": "w", "phone": "+491"}],
        "merge_behavior": "merge",
    }
    answer = read_identify(encoded(body))
    assert merged(answer) == [(0, "~alias/l/n", "u"), (2, "~email/a@b.c", "v"), (3, "~phone/+491", "w")]
    assert answer.answer["aliases_processed"] == 3
    assert answer.answer["errors"] == [
        {"type": "'external_id' is required", "input_array": "aliases_to_identify", "index": 1}
    ]


Reader = Callable[[bytes], Answer]


@pytest.mark.parametrize(
    ("read", "body", "sentence"),
    [
        (read_delete, {}, "one of external_ids, user_aliases, braze_ids is missing"),
        (
            read_delete,
            {"external_ids": ["a"], "braze_ids": ["b"]},
            "the request has external_ids and braze_ids, must have only one of them",
        ),
        (read_delete, {"external_ids": ["a"] * 51}, "external_ids has 51 items, must be at most 50"),
        (read_delete, {"external_ids": "a"}, "external_ids must be a list"),
        (read_delete, [], "the body must be a JSON object"),
        (read_merge, {}, "merge_updates is missing"),
        (read_merge, {"merge_updates": [{}] * 51}, "merge_updates has 51 items, must be at most 50"),
        (read_new_alias, {"user_aliases": {}}, "user_aliases must be a list"),
        (
            read_identify,
            {},
            "one of aliases_to_identify, emails_to_identify, phone_numbers_to_identify is missing",
        ),
    ],
)
def test_a_request_that_cannot_be_used_is_one_sentence(read: Reader, body: object, sentence: str) -> None:
    with pytest.raises(RequestError) as caught:
        read(encoded(body))
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("read", "body", "fields"),
    [
        (read_delete, {"braze_ids": []}, "'braze_ids'"),
        (read_merge, {"merge_updates": [5]}, "'merge_updates'"),
        (
            read_identify,
            {"aliases_to_identify": [{}], "emails_to_identify": []},
            "'aliases_to_identify' or 'emails_to_identify'",
        ),
    ],
)
def test_a_request_without_anything_good_is_a_bad_request(read: Reader, body: dict[str, Any], fields: str) -> None:
    answer = read(encoded(body))
    assert answer.status == 400
    assert answer.answer["message"] == f"Valid data must be provided in {fields}."
    assert len(answer.answer.get("errors", ())) == len(answer.accepted.rejected) == sum(map(len, body.values()))
