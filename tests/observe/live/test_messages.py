"""Messages of the control socket: whole, bounded, in time."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from linecook.observe.live import messages
from linecook.observe.live.messages import TooLong, receive, send

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    one, other = socket.socketpair()
    with one, other:
        yield one, other


def test_a_message_comes_as_it_went(pair: Pair) -> None:
    for message in (b"", b"{}", b"x" * 1000):
        send(pair[0], message)
        assert receive(pair[1], 1000, 1) == message


def test_a_message_of_many_parts_is_put_together(pair: Pair) -> None:
    large = bytes(range(256)) * 8192
    sender = threading.Thread(target=send, args=(pair[0], large))
    sender.start()
    assert receive(pair[1], len(large), 1) == large
    sender.join()


def test_the_end_between_two_messages_is_no_error(pair: Pair) -> None:
    pair[0].close()
    assert receive(pair[1], 10, 1) is None


def test_the_end_within_a_message_is_one(pair: Pair) -> None:
    pair[0].sendall(b"\0\0\0\x09half")
    pair[0].close()
    with pytest.raises(ConnectionResetError, match="in the middle"):
        receive(pair[1], 10, 1)


def test_a_message_too_long_is_refused_before_it_is_read(pair: Pair) -> None:
    pair[0].sendall(b"\xff\xff\xff\xff")
    with pytest.raises(TooLong, match=r"4,294,967,295 bytes; 10 are allowed"):
        receive(pair[1], 10, 1)


def test_silence_has_an_end(pair: Pair) -> None:
    with pytest.raises(TimeoutError):
        receive(pair[1], 10, 0.01)


def test_a_message_in_drops_has_an_end(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "_WHOLE", 0.03)
    pair[0].sendall(b"\0\0\0\x09half")
    with pytest.raises(TimeoutError):
        receive(pair[1], 10, 1)
