"""What comes from outside the loop: answers, the steps of threads; and steps of tasks that were held back.

The loop keeps what is under way; its plan decides when each arrives. An arrival is known by the task that asked for it
and by its number among what that task has asked for: that is how a token names it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, get_args

if TYPE_CHECKING:
    from ..threads.threads import ControlledThread
    from .loop import ExploredLoop
    from .options import Handle

Fault = Literal["raise", "hang", "late", "twice", "death"]
FaultKind = Literal["raise", "hang", "late", "twice", "death", "cancel"]
FAULTS: frozenset[FaultKind] = frozenset(get_args(FaultKind))


class Arrival:
    """Something that is under way outside and can arrive. Subclasses say what it then does.

    Attributes:
      name: how a token calls it, once a tracer has named it.
      what: how a reader calls it.
      between: whether it may also arrive between two handles of one turn, as ``call_soon_threadsafe`` does.
    """

    __slots__ = ("__weakref__", "name", "what")

    between = False
    faults: tuple[Fault, ...] = ()

    def __init__(self, what: str) -> None:
        self.name = ""
        self.what = what

    def can_come(self) -> bool:
        """Say whether it can arrive now."""
        raise NotImplementedError

    def is_over(self) -> bool:
        """Say whether nobody waits for it any more."""
        raise NotImplementedError

    def arrive(self, loop: ExploredLoop) -> bool:
        """Arrive; return whether more of it is to come. Whatever it runs is queued, as the stock loop queues it."""
        raise NotImplementedError

    def arrive_faulty(self, loop: ExploredLoop, fault: Fault) -> bool:
        """Arrive with *fault*; return whether more of it is to come."""
        raise NotImplementedError


class Answer(Arrival):
    """The answer that a future waits for.

    Args:
      future: what is answered; a cancelled one is not.
      value, error: the answer; with an error the value isn't used.
    """

    __slots__ = ("error", "future", "value")

    faults: tuple[Fault, ...] = ("raise", "hang", "late")

    def __init__(self, what: str, future: asyncio.Future[Any], value: Any = None, error: BaseException | None = None):
        self.name = ""
        self.what = what
        self.future = future
        self.value = value
        self.error = error

    def can_come(self) -> bool:
        return not self.future.done()

    def is_over(self) -> bool:
        return self.future.done()

    def arrive(self, loop: ExploredLoop) -> bool:
        loop.enqueue(self.tell)
        return False

    def arrive_faulty(self, loop: ExploredLoop, fault: Fault) -> bool:
        if fault == "late":
            loop.delay(self)
        elif fault == "raise":
            self.error = loop.fault_of(self)
            loop.enqueue(self.tell)
        return False  # what hangs never comes

    def tell(self) -> None:
        """Answer, unless nobody waits any more."""
        future = self.future
        if future.done():
            return
        if self.error is not None:
            future.set_exception(self.error)
        else:
            future.set_result(self.value)


class HeldStep(Arrival):
    """A task's next step, held back behind those of others (tier "any")."""

    __slots__ = ("handle",)

    def __init__(self, handle: Handle, task: asyncio.Task[Any]) -> None:
        super().__init__(f"the held-back step of {task.get_name()}")
        self.handle = handle

    def can_come(self) -> bool:
        return True

    def is_over(self) -> bool:
        return self.handle._cancelled

    def arrive(self, loop: ExploredLoop) -> bool:
        loop.requeue(self.handle)
        return False


class ThreadStep(Arrival):
    """The next step of a body that runs in a thread, up to where it may lose its turn.

    Args:
      thread: the thread.
      ended: called on the explorer's thread when the body has ended.
    """

    __slots__ = ("ended", "thread")

    between = True

    def __init__(self, thread: ControlledThread, ended: Callable[[ExploredLoop], None] | None = None) -> None:
        super().__init__(thread.name)
        self.thread = thread
        self.ended = ended

    def can_come(self) -> bool:
        return self.thread.can_go_on()

    def is_over(self) -> bool:
        return self.thread.state == "ended"

    def arrive(self, loop: ExploredLoop) -> bool:
        thread = self.thread
        state = thread.step()
        if state == "ended":
            if self.ended is not None:
                self.ended(loop)
            return False
        if thread.deadline is not None:
            loop.call_at(thread.deadline, _time_has_come)  # what a thread waits for is something to jump to
        return True


def _time_has_come() -> None:
    """Nothing more: the thread that waits for this moment looks at the time itself."""
