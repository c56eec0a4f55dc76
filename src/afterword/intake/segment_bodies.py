"""The body of a request in Segment's protocol, taken apart into messages before any of them is judged."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

import msgspec

from afterword.errors import Reason, UserError
from afterword.intake.accepted import Json
from afterword.intake.segment_values import MAX_DEPTH, Fields, Unusable, check_depth, shown

MAX_BATCH_BYTES = 500 * 1024
MAX_MESSAGE_BYTES = 32 * 1024
MAX_MESSAGES = 20_000
"""More than this many that say anything do not fit into a batch."""

# The repetitions give nothing back, so that no body takes more than one pass; a text that never closes ends the body.
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[][{},:]', re.DOTALL)
_HALF = re.compile(rb"\\u[dD][89aAbB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])")


class _Envelope(msgspec.Struct):
    """The body of a batch."""

    batch: list[msgspec.Raw]
    sentAt: Json = None
    context: Json = None
    writeKey: Json = None


_ENVELOPES = msgspec.json.Decoder(_Envelope, float_hook=Decimal)
_MESSAGES = msgspec.json.Decoder(float_hook=Decimal)
_FAULTS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, InvalidOperation, ValueError)


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch whose messages are still text."""

    messages: list[bytes]
    sent_at: Json = None
    context: Json = None
    write_key: Json = None


def batch_of(body: bytes) -> Batch:
    """Take a batch apart; `UserError` if it is none."""
    if len(body) > MAX_BATCH_BYTES:
        raise UserError(f"the body has {len(body)} bytes, must be at most {MAX_BATCH_BYTES}")
    try:
        envelope = _ENVELOPES.decode(body)
        messages = [bytes(message) for message in envelope.batch]
    except _FAULTS as fault:
        # One message that is no JSON (NaN, half a surrogate pair, nested without end) must not cost its neighbours.
        apart = _split(body)
        if apart is None:
            raise _no_batch(fault) from None
        messages, rest = apart
        try:
            envelope = _ENVELOPES.decode(rest)
        except _FAULTS as fault_of_rest:
            raise _no_batch(fault_of_rest) from None
    if len(messages) > MAX_MESSAGES:
        raise UserError(f"the batch has {len(messages)} messages, must be at most {MAX_MESSAGES}")
    return Batch(messages, envelope.sentAt, envelope.context, envelope.writeKey)


def _no_batch(fault: Exception) -> UserError:
    if isinstance(fault, msgspec.ValidationError):
        return UserError(f'the body must be a JSON object with a list "batch": {_first_lower(str(fault))}')
    return UserError(f"the body is not JSON: {_detail(fault)}")


def _detail(fault: Exception) -> str:
    if isinstance(fault, RecursionError):
        return f"it is nested more than {MAX_DEPTH} levels deep"
    if isinstance(fault, UnicodeDecodeError):
        return "it is not UTF-8"
    if isinstance(fault, InvalidOperation):
        return "it holds a number that is out of range"
    return _first_lower(str(fault).removeprefix("JSON is malformed: "))


def _first_lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _split(body: bytes) -> tuple[list[bytes], bytes] | None:
    """Return the elements of the list `batch` by its brackets alone, and the body with that list empty."""
    depth = 0
    start = item = -1
    messages: list[bytes] = []
    before = last = b""
    for match in _TOKEN.finditer(body):
        token = match[0]
        if token in (b"[", b"{"):
            depth += 1
            if depth == 2 and (before, last, token) == (b'"batch"', b":", b"["):
                start, item = match.start(), match.end()
        elif token in (b"]", b"}"):
            depth -= 1
            if depth == 1 and start >= 0:
                end = body[item : match.start()]
                if messages or end.strip():
                    messages.append(end)
                return messages, body[:start] + b"[]" + body[match.end() :]
        elif token == b"," and depth == 2 and start >= 0:
            messages.append(body[item : match.start()])
            item = match.end()
        before, last = last, token
    return None


def message_of(text: bytes) -> Fields:
    """Decode one message; `Unusable` if it is too large or no JSON object."""
    if len(text) > MAX_MESSAGE_BYTES:
        raise Unusable(Reason.TOO_LARGE, f"the message has {len(text)} bytes, must be at most {MAX_MESSAGE_BYTES}")
    try:
        message = _MESSAGES.decode(text)
    except _FAULTS as fault:
        # A text cut in the middle of an emoji is the fault that honest clients have; the decoder has no word for it.
        detail = "it holds half of a surrogate pair" if _HALF.search(text) else _detail(fault)
        raise Unusable(Reason.BAD_TYPE, f"the message is not JSON: {detail}") from None
    # Counting brackets is cheap, and nearly always enough.
    if text.count(b"{") + text.count(b"[") > MAX_DEPTH:
        check_depth(message)
    if not isinstance(message, dict):
        raise Unusable(Reason.BAD_TYPE, f"the message {shown(message)} is not a JSON object")
    return message
