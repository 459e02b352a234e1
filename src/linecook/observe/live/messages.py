"""What goes over a control socket: a length in four bytes, then as much JSON; a greeting first."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass

PROTOCOL = 1
"""Raised when a question or an answer changes so that one side would misread the other."""

LONGEST_QUESTION = 64 * 1024
LONGEST_ANSWER = 256 * 1024 * 1024

_WHOLE = 10.0  # seconds for a message to come in or go out whole, once it has begun


@dataclass(frozen=True, slots=True)
class Greeting:
    """What a process says of itself to whoever connects.

    Attributes:
      protocol: ``PROTOCOL`` there; 0: this is a refusal, and ``program`` says why.
      pid: its process id, in its own container.
      program: its command line, in words.
      python: its version of Python.
      began: ``time.time()`` when it opened the socket.
    """

    protocol: int
    pid: int
    program: str
    python: str
    began: float


@dataclass(frozen=True, slots=True)
class Question:
    """What a visitor asks.

    Attributes:
      do: ``"calls"``, ``"diagnose"``, ``"snapshot"`` or ``"cancel"``.
      most: for ``calls`` and ``diagnose``: how many at most; None: all, and the usual number.
      target: for ``cancel``: a call's number or path.
      reason: for ``cancel``: in the operator's words.
    """

    do: str
    most: int | None = None
    target: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a question has no answer.

    Attributes:
      kind: ``"question"`` (it makes no sense), ``"lookup"`` (no such call, or several), ``"state"`` (not
        now), ``"fault"`` (an error of ours; the log there has it).
    """

    refused: str
    kind: str = "question"


@dataclass(frozen=True, slots=True)
class CancelledCall:
    """What came of cancelling one call.

    Attributes:
      id: its number.
      path: where it stood.
      ended: whether it has ended; False: it was asked to, and runs on.
      work: what became of its body: ``"stopped"``, ``"abandoned"`` (its thread runs on), ``"not started"``; or
        ``"running"``, when it has not ended.
      told: what came of it, in words.
    """

    id: int
    path: str
    ended: bool
    work: str
    told: str


class TooLong(OSError):
    """A message is longer than the other side may send."""


def send(connection: socket.socket, message: bytes) -> None:
    """Send *message*, within 10 s.

    Raises:
      OSError: the other side is gone, or doesn't read.
    """
    connection.settimeout(_WHOLE)
    connection.sendall(len(message).to_bytes(4, "big") + message)


def receive(connection: socket.socket, longest: int, patience: float) -> bytes | None:
    """Return the next message; None when the other side has gone in between.

    Args:
      connection: the socket.
      longest: bytes it may have.
      patience: seconds to wait for its first byte; then it has 10 s to come in whole.

    Raises:
      TooLong: it is longer.
      OSError: nothing came in time, or the other side went in the middle of it.
    """
    connection.settimeout(patience)
    head = connection.recv(4)
    if not head:
        return None
    deadline = time.monotonic() + _WHOLE
    head += _exactly(connection, 4 - len(head), deadline)
    length = int.from_bytes(head, "big")
    if length > longest:
        raise TooLong(f"a message of {length:,} bytes; {longest:,} are allowed")
    return _exactly(connection, length, deadline)


def _exactly(connection: socket.socket, count: int, deadline: float) -> bytes:
    parts: list[bytes] = []
    while count:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("a message did not come in whole within 10 s")
        connection.settimeout(left)
        part = connection.recv(min(count, 1 << 20))
        if not part:
            raise ConnectionResetError("the other side went in the middle of a message")
        parts.append(part)
        count -= len(part)
    return b"".join(parts)
