"""Users in the Braze-compatible dialect: how they are named, erased, merged and identified."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec import Raw

from afterword.errors import Reason
from afterword.intake import steps
from afterword.intake.accepted import Accepted, Deletion, Merge
from afterword.intake.bodies import SPOILED, Body, RequestError, check_text
from afterword.intake.steps import Draft, draft_of

USER = "user"
"""The field that a fault names if an item names no user."""
NAMED_BY = ("external_id", "user_alias", "braze_id", "email", "phone")
"""How an item may name its user; the first that it has counts."""
REQUIRED = "'external_id', 'braze_id', 'user_alias', 'email' or 'phone' is required"
MAX_USERS = 50
"""Users in one request to erase, merge or identify."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a request: the facts, and the answer in the dialect's form."""

    accepted: Accepted
    status: int
    answer: dict[str, Any]


def user_of(draft: Draft) -> str | None:
    """Return the id of the user that an item names; a fault if it names none."""
    for name in NAMED_BY:
        if draft[name] is not None:
            return _NAMES[name](draft, name)
    draft.fault(Reason.MISSING_FIELD, USER, f"the user is missing: {REQUIRED}")
    return None


def alias_id(draft: Draft, name: str) -> str | None:
    """Return the id of a user named by `alias_name` and `alias_label`, the fields of `draft`; `name` is theirs."""
    draft.need("alias_label")
    draft.need("alias_name")
    label, alias = steps.identifier(draft, "alias_label"), steps.identifier(draft, "alias_name")
    if label is None or alias is None:
        return None
    # Two labels with a stroke in them must not become one id.
    return _named(draft, name, "alias", f"{label.replace('%', '%25').replace('/', '%2F')}/{alias}")


def _external(draft: Draft, name: str) -> str | None:
    return steps.identifier(draft, name)


def _alias(draft: Draft, name: str) -> str | None:
    inner = draft_of(draft.fields[name])
    user = alias_id(inner, name)
    draft.take(inner, name, f"{name}: ")
    return user


def _prefixed(prefix: str, normal: Callable[[str], str] = str) -> Callable[[Draft, str], str | None]:
    def read(draft: Draft, name: str) -> str | None:
        value = steps.identifier(draft, name)
        return None if value is None else _named(draft, name, prefix, normal(value))

    return read


def _named(draft: Draft, name: str, prefix: str, value: str) -> str:
    user = f"~{prefix}/{value}"
    steps.check_length(draft, name, user)
    return user


_NAMES: dict[str, Callable[[Draft, str], str | None]] = {
    "external_id": _external,
    "user_alias": _alias,
    "braze_id": _prefixed("braze"),
    "email": _prefixed("email", str.lower),
    "phone": _prefixed("phone"),
}


def error_of(draft: Draft, array: str, index: int) -> dict[str, Any]:
    """Return what is wrong with an item as the original says it in the `errors` of an answer."""
    fault = draft.worst
    field = fault.field if fault and fault.field else array
    said = f"'{field}' is not valid"
    if fault is not None and fault.reason is Reason.MISSING_FIELD:
        said = REQUIRED if field == USER else f"'{field}' is required"
    return {"type": said, "input_array": array, "index": index}


def read_delete(body: bytes) -> Answer:
    """Read the body of `/users/delete`."""
    arrays = _arrays(body, ("external_ids", "user_aliases", "braze_ids"), only_one=True)
    [(array, items)] = [(name, items) for name, items in arrays.items() if items is not None]
    names = {"external_ids": "external_id", "user_aliases": "user_alias", "braze_ids": "braze_id"}
    accepted, errors = Accepted(), list[dict[str, Any]]()
    for item, raw in enumerate(items):
        draft = Draft({names[array]: raw}) if raw is not SPOILED else draft_of(raw)
        user = user_of(draft)
        if draft.faults or user is None:
            errors.append(_refuse(accepted, draft, item, "deletions", array, item))
        else:
            accepted.deletions.append(Deletion(item, user))
    return _answer(accepted, errors, len(accepted.deletions), "deleted", array)


def read_merge(body: bytes) -> Answer:
    """Read the body of `/users/merge`."""
    array = "merge_updates"
    arrays = _arrays(body, (array,))
    return _merges(arrays, {array: _merge_update}, None)


def read_new_alias(body: bytes) -> Answer:
    """Read the body of `/users/alias/new`: an alias for a user who has an id, or for one who has none yet."""
    array = "user_aliases"
    arrays = _arrays(body, (array,))
    return _merges(arrays, {array: _new_alias}, "aliases_processed")


def read_identify(body: bytes) -> Answer:
    """Read the body of `/users/identify`: users known otherwise get their id."""
    readers = {
        "aliases_to_identify": _identified_by("user_alias"),
        "emails_to_identify": _identified_by("email"),
        "phone_numbers_to_identify": _identified_by("phone"),
    }
    arrays = _arrays(body, tuple(readers))
    return _merges(arrays, readers, "aliases_processed")


_Pair = tuple[str | None, str | None]


def _merge_update(draft: Draft) -> _Pair:
    found: list[str | None] = []
    for name in ("identifier_to_merge", "identifier_to_keep"):
        draft.need(name)
        inner = draft_of(draft.fields.get(name, Raw(b"{}")))
        found.append(user_of(inner))
        draft.take(inner, name, f"{name}: ")
    return found[0], found[1]


def _new_alias(draft: Draft) -> _Pair:
    return alias_id(draft, "alias_name"), steps.identifier(draft, "external_id")


def _identified_by(name: str) -> Callable[[Draft], _Pair]:
    def read(draft: Draft) -> _Pair:
        draft.need("external_id")
        draft.need(name)
        known = _NAMES[name](draft, name) if draft[name] is not None else None
        return known, steps.identifier(draft, "external_id")

    return read


def _arrays(body: bytes, names: Sequence[str], only_one: bool = False) -> dict[str, list[Raw] | None]:
    """Return the arrays that a request has; it must have one at least, and none of them too many items."""
    parts = Body(check_text(body))
    fields = parts.fields()
    arrays = {name: parts.array(fields, name) for name in names}
    given = [name for name, items in arrays.items() if items is not None]
    if not given:
        one_of = "" if len(names) == 1 else "one of "
        raise RequestError(f"{one_of}{', '.join(names)} is missing")
    if only_one and len(given) > 1:
        raise RequestError(f"the request has {' and '.join(given)}, must have only one of them")
    for name in given:
        count = len(arrays[name] or ())
        if count > MAX_USERS:
            raise RequestError(f"{name} has {count} items, must be at most {MAX_USERS}")
    return arrays


def _merges(
    arrays: dict[str, list[Raw] | None], readers: dict[str, Callable[[Draft], _Pair]], counter: str | None
) -> Answer:
    accepted, errors, good, item = Accepted(), list[dict[str, Any]](), 0, 0
    for array, items in arrays.items():
        for index, raw in enumerate(items or ()):
            draft = draft_of(raw)
            known, user = readers[array](draft)
            if draft.faults or known is None:
                errors.append(_refuse(accepted, draft, item, "merges", array, index))
            else:
                good += 1
                if user is not None:  # an alias of nobody yet is no fact
                    accepted.merges.append(Merge(item, known, user))
            item += 1
    return _answer(accepted, errors, good, counter, *(name for name, items in arrays.items() if items is not None))


def _refuse(accepted: Accepted, draft: Draft, item: int, kind: str, array: str, index: int) -> dict[str, Any]:
    accepted.rejected.append(draft.rejected(item, kind))
    return error_of(draft, array, index)


def _answer(accepted: Accepted, errors: list[dict[str, Any]], good: int, counter: str | None, *arrays: str) -> Answer:
    if not good:
        message = f"Valid data must be provided in {_quoted(arrays)}."
        return Answer(accepted, 400, {"message": message} | ({"errors": errors} if errors else {}))
    answer: dict[str, Any] = {"message": "success"}
    if counter is not None:
        answer[counter] = good
    if errors:
        answer["errors"] = errors
    return Answer(accepted, 201, answer)


def _quoted(names: Iterable[str]) -> str:
    return " or ".join(f"'{name}'" for name in names)
