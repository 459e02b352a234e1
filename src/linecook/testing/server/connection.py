"""One connection of the misbehaving server: HTTP/1.1 as far as clients need it, and the ways to break it."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or __package__:
    from .kitchen import Kitchen, Request, completion, number
else:  # the program's modules are found beside it
    from kitchen import Request, completion, number

MOST_HEAD = 64 * 1024
PIECES = 20
SLOW = 10.0  # times the latency, for a slow body


class Connection(asyncio.Protocol):
    """One connection: requests one after the other, answers when their time has come."""

    def __init__(self, kitchen: Kitchen) -> None:
        self._kitchen = kitchen
        self._buffer = bytearray()
        self._transport: Any = None
        self.request: Request | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._told_to_go_on = False
        self._keep = True

    # -- in ------------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self.request is None:
            self._parse()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self.request is not None:
            request, self.request = self.request, None
            self._kitchen.gone(request)

    def _parse(self) -> None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > MOST_HEAD:
                self._bad(431)
            return
        lines = self._buffer[:end].decode("latin-1").split("\r\n")
        fields = (line.partition(":") for line in lines[1:])
        headers = {name.strip().lower(): value.strip() for name, _, value in fields}
        first = lines[0].split(" ")
        if len(first) != 3:
            self._bad(400)
            return
        if "transfer-encoding" in headers:
            self._bad(411)
            return
        length = number(headers.get("content-length"), 0)
        if len(self._buffer) < end + 4 + length:
            if headers.get("expect", "").lower() == "100-continue" and not self._told_to_go_on:
                self._told_to_go_on = True
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            return
        body = bytes(self._buffer[end + 4 : end + 4 + length])
        del self._buffer[: end + 4 + length]
        self._told_to_go_on = False
        self._keep = headers.get("connection", "").lower() != "close" and first[2] == "HTTP/1.1"
        self.request = Request(first[0], first[1], body)
        self._kitchen.take(self, self.request)

    def _bad(self, status: int) -> None:
        self._transport.write(_head(status, {"Content-Length": "0", "Connection": "close"}))
        self._transport.close()

    # -- out -----------------------------------------------------------------------------------------------------

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        """Do *action* after *seconds*, unless the client leaves before."""
        self._timer = self._kitchen.loop.call_later(seconds, action)

    def answer(self, request: Request, status: int, content: dict[str, Any], headers: dict[str, str]) -> None:
        """Send a whole answer."""
        body = json.dumps(content).encode()
        head = self._head_of(status, len(body), headers)
        self._transport.write(head if request.method == "HEAD" else head + body)
        self._done(request, status)

    def _head_of(self, status: int, length: int, headers: dict[str, str]) -> bytes:
        return _head(
            status,
            {
                "Content-Type": "application/json",
                "Content-Length": str(length),
                "Connection": "keep-alive" if self._keep else "close",
                **headers,
            },
        )

    def _done(self, request: Request, status: int, *, close: bool = False) -> None:
        self._timer = self.request = None
        self._kitchen.ended(request, status)
        if close or not self._keep:
            self._transport.close()
        elif self._buffer:
            self._kitchen.loop.call_soon(self._parse_next)

    def _parse_next(self) -> None:
        if self.request is None and not self._transport.is_closing():
            self._parse()

    # -- faults, named as in Phase -------------------------------------------------------------------------------

    def reset(self, request: Request) -> None:
        """Reset the connection."""
        sock = self._transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()
        self._done(request, 0, close=True)

    def hang(self, request: Request) -> None:
        """Never answer; the client's leaving ends it."""

    def slow(self, request: Request) -> None:
        """Send the body in pieces, over ``SLOW`` times the latency."""
        body = json.dumps(completion(request)).encode()
        self._transport.write(self._head_of(200, len(body), {}))
        size = max(1, -(-len(body) // PIECES))
        pieces = iter([body[at : at + size] for at in range(0, len(body), size)])
        self._trickle(request, pieces, SLOW * request.latency / PIECES)

    def _trickle(self, request: Request, pieces: Iterator[bytes], pause: float) -> None:
        piece = next(pieces, None)
        if piece is None:
            self._done(request, 200)
            return
        self._transport.write(piece)
        self.later(pause, lambda: self._trickle(request, pieces, pause))

    def garbage(self, request: Request) -> None:
        """Send bytes that are no HTTP."""
        self._transport.write(request.rng.randbytes(200) + b"\r\n\r\n")
        self._done(request, 0, close=True)

    def cut(self, request: Request) -> None:
        """Send half of the body, and end."""
        body = json.dumps(completion(request)).encode()
        self._transport.write(self._head_of(200, len(body), {}) + body[: len(body) // 2])
        self._done(request, 200, close=True)

    def nonsense(self, request: Request) -> None:
        """Send a body that is no JSON."""
        body = b"<html>it works!"
        self._transport.write(self._head_of(200, len(body), {}) + body)
        self._done(request, 200)


def _head(status: int, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} As Told", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
