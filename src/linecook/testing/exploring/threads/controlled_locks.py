"""Locks that wait in turn: whoever finds one taken lets others go on, instead of blocking the whole program.

Each is a real lock underneath. Outside of an exploration, and on a foreign thread, it is just that; and a lock that
was made before the exploration began can be wrapped while it lasts.
"""

from __future__ import annotations

from _thread import RLock as _CRLock
from _thread import allocate_lock
from threading import TIMEOUT_MAX
from typing import Any

from .control import here


class _TakenInTurn:
    """What both kinds of lock do.

    Attributes:
      holder: who took it, when that was under control; None else.
    """

    __slots__ = ("__weakref__", "_real", "holder")

    _kind = ""

    def __init__(self, real: Any = None) -> None:
        self._real: Any = real or self._new()
        self.holder: Any = None

    def _new(self) -> Any:
        """Return a real lock of this kind."""
        raise NotImplementedError

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take the lock; as ``acquire`` of ``threading``'s, in virtual time."""
        _check(blocking, timeout)
        taker = here()
        if taker is None:
            return bool(self._real.acquire(blocking, timeout))
        taker.pause("acquire")
        if not self._real.acquire(False):
            if not blocking or timeout == 0:
                return False
            if not taker.wait(self._is_free, self, None if timeout < 0 else timeout):
                return False
            self._real.acquire(False)
        self.holder = taker
        return True

    def release(self) -> None:
        """Give the lock back, once; as ``release`` of ``threading``'s."""
        self._let_go()
        giver = here()
        if giver is not None:
            giver.pause("release")

    def _let_go(self) -> None:
        raise NotImplementedError

    def _is_free(self) -> bool:
        raise NotImplementedError

    def _at_fork_reinit(self) -> None:
        self._real._at_fork_reinit()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_error: object) -> None:
        self.release()

    def __repr__(self) -> str:
        return f"<{'unlocked' if self._is_free() else 'locked'} {self._kind}{held_by(self.holder)}>"


class ControlledLock(_TakenInTurn):
    """A ``threading.Lock``."""

    __slots__ = ()
    _kind = "lock"

    def _new(self) -> Any:
        return allocate_lock()

    def _let_go(self) -> None:
        self.holder = None
        self._real.release()

    def give_up(self) -> None:
        """Release the lock if it is taken, without a switch point: its holder has come to its end."""
        self.holder = None
        if self._real.locked():
            self._real.release()

    def locked(self) -> bool:
        """Say whether the lock is taken."""
        return bool(self._real.locked())

    def _is_free(self) -> bool:
        return not self._real.locked()


class ControlledRLock(_TakenInTurn):
    """A ``threading.RLock``, which its owner may take again; the owner, as there, is the real thread."""

    __slots__ = ()
    _kind = "rlock"

    def _new(self) -> Any:
        return _CRLock()

    def _let_go(self) -> None:
        self._real.release()
        if self._is_free():
            self.holder = None

    def _is_free(self) -> bool:
        # The explorer asks this too, so "mine" won't do; and before 3.14 an RLock tells its owner in its text alone.
        return " owner=0 " in repr(self._real)

    # what threading.Condition asks of a lock that can be taken more than once

    def _is_owned(self) -> bool:
        return bool(self._real._is_owned())

    def _release_save(self) -> Any:
        saved = self._real._release_save()
        self.holder = None
        return saved

    def _acquire_restore(self, saved: Any) -> None:
        taker = here()
        if taker is not None:
            taker.wait(self._is_free, self, None)
        self._real._acquire_restore(saved)
        self.holder = taker

    def _recursion_count(self) -> int:
        return int(self._real._recursion_count())


def held_by(holder: Any) -> str:
    """Return who holds a lock, as a report says it."""
    return "" if holder is None else f" held by {holder.name}"


def _check(blocking: bool, timeout: float) -> None:
    if not blocking and timeout != -1:
        raise ValueError("can't specify a timeout for a non-blocking call")
    if timeout < 0 and timeout != -1:
        raise ValueError("timeout value must be a non-negative number")
    if timeout > TIMEOUT_MAX:
        raise OverflowError("timeout value is too large")
