"""Looking inside another process of this user's: one that runs ``linecook run``, or has a ``Runtime(control=True)``."""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from .doors import is_alive, knock, remove_if_dead, sockets
from .messages import LONGEST_ANSWER, PROTOCOL, CancelledCall, Greeting, Question, Refusal, receive, send

if TYPE_CHECKING:
    from ..facts import Snapshot
    from ..stuck.diagnosis import Diagnosis
    from .livecalls import LiveCalls

T = TypeVar("T")

_CURE = "use the linecook of its own environment"
_PATIENCE = 15.0  # seconds for an answer: longer than the other side waits for its event loop


class Remote:
    """A connection to one process; also a context manager.

    Args:
      pid: the process.
      patience: seconds to wait for its first word, ≥ 0.

    Raises:
      ConnectionError: there is no such process, it is another user's, it has no control socket, or its linecook
        speaks another protocol; the message says which, and what to do.
      TimeoutError: it doesn't answer: it is stopped, or something holds its interpreter.

    Attributes:
      pid: the process.
      program: its command line.
      python: its version of Python.
      began: ``time.time()`` there when it could first be looked at.

    One thread at a time. Nothing here blocks longer than 15 s; don't call it on an event loop.
    """

    def __init__(self, pid: int, *, patience: float = 5.0) -> None:
        self.pid = pid
        self._socket = _connect(pid)
        try:
            self._greet(patience)
        except BaseException:
            self._socket.close()
            raise

    def _greet(self, patience: float) -> None:
        greeting: Any = self._receive(Greeting, patience)
        if greeting.protocol == 0:
            raise ConnectionError(f"process {self.pid} has no time: {greeting.program}; try again in a moment")
        if greeting.protocol != PROTOCOL:
            raise ConnectionError(
                f"process {self.pid} runs another version of linecook (protocol {greeting.protocol}, not {PROTOCOL}): "
                f"{_CURE}"
            )
        self.program: str = greeting.program
        self.python: str = greeting.python
        self.began: float = greeting.began

    def calls(self, most: int | None = 200) -> LiveCalls:
        """Return the calls under way: the *most* longest (None: all), what they run under, and counts of all.

        Raises:
          ConnectionError: the process has ended.
          TimeoutError: it didn't answer in time.
        """
        from .livecalls import LiveCalls

        return self._ask(Question("calls", most=most), LiveCalls)

    def diagnosis(self, most: int | None = None) -> Diagnosis:
        """Return who waits on what there, held by whom, and what is stuck; see ``diagnose``.

        Args:
          most: how many tasks of each kind are told closely, ≥ 1; None: as many as ``diagnose`` tells.

        Raises:
          ConnectionError: the process has ended, or its linecook is too old to know.
          TimeoutError: it didn't answer in time.
        """
        from ..stuck.diagnosis import Diagnosis

        return self._ask(Question("diagnose", most=most), Diagnosis)

    def snapshots(self) -> list[Snapshot]:
        """Return what is going on, for each of its event loops; errors as for ``calls``."""
        from ..facts import Snapshot

        return self._ask(Question("snapshot"), list[Snapshot])

    def cancel(self, target: int | str, reason: str = "") -> CancelledCall:
        """Cancel one call, and wait at most 2 s for its end.

        Args:
          target: its ``id``, or its path where no other has the same.
          reason: why, for whoever reads the outcome.

        Raises:
          LookupError: there is no such call, or several have that path.
          RuntimeError: it can't be cancelled alone, or the event loop stands still; nothing was cancelled.
          ConnectionError, TimeoutError: as for ``calls``; whether it was cancelled isn't known then.
        """
        return self._ask(Question("cancel", target=str(target), reason=reason), CancelledCall)

    def close(self) -> None:
        """End the connection."""
        self._socket.close()

    def __enter__(self) -> Remote:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, question: Question, kind: type[T]) -> T:
        from msgspec import json

        try:
            send(self._socket, json.encode(question))
        except OSError:
            self._gone()
        return self._receive(kind, _PATIENCE)

    def _receive(self, kind: type[T], patience: float) -> T:
        from msgspec import MsgspecError, json

        try:
            raw = receive(self._socket, LONGEST_ANSWER, patience)
        except TimeoutError:
            raise TimeoutError(_why_silent(self.pid)) from None
        except ConnectionError:
            self._gone()
        if raw is None:
            self._gone()
        for expected in (kind, Refusal):
            with contextlib.suppress(MsgspecError):
                answer: Any = json.decode(raw, type=expected)
                break
        else:
            raise ConnectionError(f"process {self.pid} answers in words that this linecook doesn't know; {_CURE}")
        if isinstance(answer, Refusal):
            _raise_refusal(answer)
        found: T = answer
        return found

    def _gone(self) -> NoReturn:
        raise ConnectionError(f"process {self.pid} has ended, or has closed its runtime, while it was asked") from None


def _raise_refusal(refusal: Refusal) -> NoReturn:
    errors = {"lookup": LookupError, "state": RuntimeError}
    raise errors.get(refusal.kind, ConnectionError)(refusal.refused)


def processes() -> list[Remote]:
    """Return a connection to each process of this user's that can be looked at; those that don't answer are left out.

    Sockets of processes that are gone are removed on the way.
    """
    found: list[Remote] = []
    for pid, path in sockets():
        if not is_alive(pid):
            remove_if_dead(path)
        elif pid not in [remote.pid for remote in found]:
            with contextlib.suppress(OSError):
                found.append(Remote(pid, patience=1.0))
    return found


def _connect(pid: int) -> socket.socket:
    if not is_alive(pid):
        raise ConnectionError(f"there is no process {pid}.{_who_can_be_asked()}")
    for number, path in sockets():
        if number == pid:
            try:
                visitor = knock(path)
            except (TimeoutError, BlockingIOError):  # of those who wait there already it lets none in
                raise TimeoutError(_why_silent(pid)) from None
            except OSError as error:
                raise ConnectionError(f"process {pid} can't be reached at {path}: {error.strerror or error}") from None
            if visitor is not None:
                return visitor
    owner = _owner_of(pid)
    if owner not in (None, os.geteuid()):
        raise ConnectionError(f"process {pid} belongs to user {owner}: only that user can look inside")
    raise ConnectionError(
        f"process {pid} can't be looked into: it runs neither `linecook run` nor an open Runtime(control=True)."
        f"{_who_can_be_asked()}"
    )


def _who_can_be_asked() -> str:
    pids = sorted({pid for pid, _ in sockets() if is_alive(pid)})
    if not pids:
        return " No process of yours can be looked into just now."
    return f" Those that can: {', '.join(map(str, pids[:10]))} (`linecook ps` lists them)."


def _owner_of(pid: int) -> int | None:
    try:
        return os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return None


def _why_silent(pid: int) -> str:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return f"process {pid} has ended"
    if state in ("T", "t"):
        return f"process {pid} is stopped: `kill -CONT {pid}` lets it go on"
    return f"process {pid} doesn't answer: something holds its Python interpreter (a call into C), or it has no time"
