# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import pytest
from sardine.backend.protocol import ErrorCode, JobWarning, Progress, SardineError, encode
from sardine.plugin.child.message_stream import MAX_LINE_BYTES, Excerpt, MessageStream

MESSAGES = [Progress("predict", 3, 9, 0.5, 12.0), JobWarning("w", "Wärme in Ωmega\n"), Progress("write", 9, 9)]
BYTES = "".join(encode(message) for message in MESSAGES).encode()


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 10_000])
def test_message_stream_should_give_the_same_messages_wherever_it_is_cut(size: int) -> None:
    stream = MessageStream()
    messages = [m for start in range(0, len(BYTES), size) for m in stream.feed(BYTES[start : start + size])]
    assert messages == MESSAGES
    assert stream.stray.text == ""


def test_message_stream_should_keep_what_is_no_message_and_go_on() -> None:
    stream = MessageStream()
    noise = b'Loading \xff weights\r\n\n[1, 2]\n{"type": "hullo"}\n'
    assert stream.feed(noise + BYTES) == MESSAGES
    assert stream.stray.text == 'Loading \\xff weights\n[1, 2]\n{"type": "hullo"}'


def test_message_stream_should_not_grow_with_a_line_that_never_ends() -> None:
    stream = MessageStream()
    for _ in range(10):
        assert stream.feed(b"z" * (MAX_LINE_BYTES // 4)) == []
        assert len(stream._rest) <= MAX_LINE_BYTES
    assert stream.feed(b"\n" + BYTES) == MESSAGES
    assert stream.stray.text.startswith("zzz")


def test_message_stream_should_refuse_another_protocol_version() -> None:
    with pytest.raises(SardineError) as caught:
        MessageStream().feed(b'{"type": "hello", "versions": {}, "protocol": 99}\n')
    assert caught.value.code is ErrorCode.PROTOCOL_MISMATCH


def test_excerpt_should_keep_the_head_and_the_tail() -> None:
    excerpt = Excerpt(head_lines=2, tail_lines=3)
    text = "".join(f"line {n}\n" for n in range(10)) + "unfinished"
    for start in range(0, len(text), 4):
        excerpt.feed(text[start : start + 4].encode())
    assert excerpt.text.split("\n") == ["line 0", "line 1", "[5 lines left out]", "line 7", "line 8", "line 9", "unfinished"]


def test_excerpt_should_leave_a_short_text_as_it_is() -> None:
    excerpt = Excerpt()
    excerpt.feed("größer\nals 1\n".encode())
    assert excerpt.text == "größer\nals 1"
