"""The wire: what is packed comes out again, large things without being copied on the way."""

from __future__ import annotations

import pickle
import socket
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linecook.lanes import wire


def through_socket(value: Any, prefix: int = 0) -> Any:
    """Send *value* as a body; the receiver has *prefix* bytes of it before its Reader begins."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        bulk = wire.pack_bulk(value)
        sender = threading.Thread(target=wire.send_all, args=(ours, bulk.parts()))
        sender.start()
        early = theirs.recv(min(prefix, bulk.size), socket.MSG_WAITALL) if prefix else b""
        reader = wire.Reader(theirs, bulk.size, early)
        result = reader.load(len(bulk.buffers))
        sender.join()
        assert reader.left == 0
        return result


values = st.recursive(
    st.none() | st.integers() | st.text() | st.binary(max_size=3000),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=5),
    max_leaves=20,
)


@pytest.mark.slow
@given(values, st.integers(0, 10))
def test_what_is_packed_comes_out_again(value, prefix):
    assert through_socket(value, prefix) == value


@pytest.mark.parametrize("prefix", [0, 3, 20, 5000])
def test_large_bytes_and_text_come_out_whole(prefix):
    value = {"a": b"x" * 300_000, "b": "ü" * 200_000, "c": [b"y" * 70_000, 5]}
    assert through_socket(value, prefix) == value


@pytest.mark.parametrize("prefix", [0, 8, 20_000])
def test_buffers_travel_out_of_band(prefix):
    value = [pickle.PickleBuffer(bytearray(b"z" * 50_000)), pickle.PickleBuffer(bytearray(b"tiny"))]
    bulk = wire.pack_bulk(value)
    assert [buffer.nbytes for buffer in bulk.buffers] == [50_000]
    assert [bytes(part) for part in through_socket(value, prefix)] == [b"z" * 50_000, b"tiny"]
    body = memoryview(bytearray(b"".join(bytes(part) for part in bulk.parts())))
    assert len(body) == bulk.size
    assert [bytes(part) for part in wire.unpack(body, 1)] == [b"z" * 50_000, b"tiny"]


def test_large_bytes_are_not_copied_when_packed():
    data = b"x" * 1_000_000
    assert any(chunk is data for chunk in wire.pack_bulk(((data,), {})).chunks)


def test_what_is_bulky_is_seen_two_containers_deep():
    big = b"x" * wire.BULKY_BYTES
    assert wire.is_bulky((big,))
    assert wire.is_bulky(([{"a": big}],))
    assert wire.is_bulky(({"a": bytearray(big)},))
    assert wire.is_bulky((memoryview(big),))
    assert not wire.is_bulky((1, None, "short", [1] * 100_000, {"a": (b"",)}))


def test_a_body_that_cannot_be_rebuilt_is_read_to_its_end():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        broken = b"\x80\x05not a pickle at all"
        ours.sendall(broken + b"next")
        reader = wire.Reader(theirs, len(broken))
        with pytest.raises(Exception):  # whatever pickle says
            reader.load(0)
        assert reader.left == 0
        assert theirs.recv(10) == b"next"


def test_a_broken_stream_is_an_end_of_file():
    ours, theirs = socket.socketpair()
    with theirs:
        ours.sendall(b"abc")
        ours.close()
        with pytest.raises(EOFError):
            wire.Reader(theirs, 10).drain()


def test_heads_have_the_size_both_sides_expect():
    assert wire.HEAD.size == 16
    assert wire.RESULT.unpack(wire.RESULT.pack(7, 9, wire.RAISED, 2, 1.0, 2.0, -1.0)) == (7, 9, 1, 2, 1.0, 2.0, -1.0)
    assert wire.FLAGS_AT + wire.FLAGS <= wire.PAGE_BYTES
