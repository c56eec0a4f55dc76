"""Frames: what goes in comes out, what was changed is noticed, and the bytes are those of docs/log-format.md."""

from __future__ import annotations

import threading
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from afterword.log import MAX_CONTENT_BYTES, Frame, FrameTooLargeError
from afterword.log.frames import (
    HEADER_BYTES,
    BadFrameError,
    Codec,
    Encoded,
    check_payload,
    decode,
    encode,
    erased,
    header_of,
)

SHORT = Frame(1_700_000_000_000_000, "native.events", "k1", b"{}", extra=b"x")
any_frame = st.builds(
    Frame,
    received_at=st.integers(-(2**63), 2**63 - 1),
    dialect=st.text(st.characters(codec="utf-8"), max_size=40),
    key_id=st.text(st.characters(codec="utf-8"), max_size=40),
    body=st.binary(max_size=3000) | st.binary(max_size=8).map(lambda part: part * 400),
    extra=st.binary(max_size=100),
)


def taken_apart(raw: bytes) -> Frame:
    header = header_of(raw[:HEADER_BYTES])
    check_payload(header, raw[HEADER_BYTES:])
    return decode(header, raw[HEADER_BYTES:])


@given(any_frame, st.integers(0, 2**63 - 1))
def test_what_goes_in_comes_out(frame: Frame, position: int) -> None:
    raw = encode(frame).at(position)
    assert header_of(raw[:HEADER_BYTES]).position == position
    assert taken_apart(raw) == frame


def test_bytes_are_those_of_the_documentation() -> None:
    page = (Path(__file__).parents[2] / "docs" / "log-format.md").read_text("utf-8")
    example = page.partition("## An example")[2].partition("```text\n")[2].partition("```")[0]
    documented = [line.partition("  ")[0] for line in example.splitlines()]
    assert encode(SHORT).at(5, 2) == bytes.fromhex(" ".join(documented))


def test_any_flipped_bit_is_noticed() -> None:
    raw = encode(Frame(1, "d", "k", b"body " * 30)).at(7, 3)
    for place in range(len(raw)):
        for bit in range(8):
            changed = bytearray(raw)
            changed[place] ^= 1 << bit
            with pytest.raises(BadFrameError):
                taken_apart(bytes(changed))


def test_any_missing_end_is_noticed() -> None:
    raw = encode(SHORT).at(7)
    for length in range(len(raw)):
        with pytest.raises(BadFrameError):
            taken_apart(raw[:length])


def test_what_does_not_shrink_is_stored_as_it_is() -> None:
    assert encode(Frame(1, "d", "k", bytes(range(256)))).codec == Codec.PLAIN
    assert encode(Frame(1, "d", "k", b"again " * 100)).codec == Codec.ZSTD


def test_an_erased_frame_is_only_a_place() -> None:
    header = header_of(erased(17).at(9))
    assert (header.position, header.received_at, header.stored, header.length) == (9, 17, 0, 0)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        pytest.param(Frame(1, "d", "k", bytes(MAX_CONTENT_BYTES)), "must be at most 16777216", id="body"),
        pytest.param(Frame(1, "é" * 128, "k", b""), "dialect has 256 bytes, must be at most 255", id="dialect"),
        pytest.param(Frame(1, "d", "k" * 256, b""), "key has 256 bytes, must be at most 255", id="key"),
        pytest.param(Frame(1, "d", "k", b"", bytes(65_537)), "65537 bytes, must be at most 65536", id="extra"),
    ],
)
def test_too_large_is_refused(frame: Frame, message: str) -> None:
    with pytest.raises(FrameTooLargeError, match=message):
        encode(frame)


def test_the_largest_frame_fits() -> None:
    overhead = encode(Frame(1, "", "", b"")).length
    frame = Frame(1, "", "", bytes(MAX_CONTENT_BYTES - overhead))
    assert taken_apart(encode(frame).at(0)) == frame


@pytest.mark.parametrize("content", [b"", b"\x05\x00\x00\x00\x00\x00abc", b"\x01\x00\x00\x00\x00\x00\xff"])
def test_content_that_does_not_hold_together_is_noticed(content: bytes) -> None:
    raw = Encoded(1, 0, 0, len(content), content, zlib.crc32(content)).at(0)
    with pytest.raises(BadFrameError):
        taken_apart(raw)


@pytest.mark.parametrize("length", [0, 10, 100_000])
def test_content_of_another_length_than_was_said_is_noticed(length: int) -> None:
    good = encode(Frame(1, "d", "k", b"again " * 100))
    raw = Encoded(good.kind, good.codec, 1, length, good.payload, good.payload_crc).at(0)
    with pytest.raises(BadFrameError):
        taken_apart(raw)


def test_one_codec_serves_many_threads() -> None:
    wrong = []

    def work(number: int) -> None:
        for turn in range(300):
            frame = Frame(turn, "d", "k", (b"%d and %d " % (number, turn)) * 400)
            if taken_apart(encode(frame).at(turn)) != frame:
                wrong.append((number, turn))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
