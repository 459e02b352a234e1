"""A thread of the program under control: it runs when the explorer says so, and stops where it may lose its turn."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from contextvars import Context, copy_context
from dataclasses import dataclass
from types import FrameType
from typing import Any, Literal

from .control import Control, Endless, Ready, active
from .switching import Points
from .workers import Unwind, Worker

_identities: dict[int, Any] = vars(threading)["_active"]

State = Literal["new", "switch", "blocked", "sleeping", "ended"]
"""Where a thread stands: not begun, at a switch point, waiting for somebody, for time to pass, or through."""

CLEAN_UP = 10_000
"""Switch points that the clean-up of an abandoned thread may pass before it is cut short."""

SLICE = 1_000
"""Switch points in a row after which others get a turn anyway: a thread that spins would else keep it for ever."""

SLICE_SECONDS = 1e-4
"""Virtual seconds that so many switch points take: what spins until a deadline comes to it."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a thread stands in the user's code.

    Attributes:
      file: path of the file.
      line: number of the line, from 1.
      function: name of the function.
      why: what makes it a switch point: ``"call"``, ``"call into C"``, ``"loop"``, ``"resume"``, ``"access"``,
        ``"acquire"``, ``"release"``, ``"wait"``, ``"sleep"``.
    """

    file: str
    line: int
    function: str
    why: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line} in {self.function} ({self.why})"


class ControlledThread:
    """A function on a real thread of its own that runs one step at a time.

    Args:
      function: the body.
      args: its arguments.
      kwargs: its named arguments.
      context: context variables it runs in; None for a copy of the caller's.
      points: None, or what the control must have been opened with.
      name: how reports call it; the second of a name in a schedule is ``name (2)``.
      starts_itself: whether *function* does more than to call the user's body, as ``threading.Thread`` does.

    A ``Control`` must be open. Nothing runs before the first ``step``.

    Attributes:
      state: see ``State``.
      points: how many switch points the thread has passed; the same in every run of the same schedule.
      turns: how many steps it has made.
      waits_for: the lock, queue, event or future that a blocked thread waits for; None else.
      deadline: the virtual time at which a blocked or sleeping thread stops waiting; None without a limit.
      go_on: asked at each switch point, on the thread itself: true lets it run on, without the turn being passed
        forth and back. None stops at each.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
        context: Context | None = None,
        *,
        points: Points | None = None,
        name: str = "",
        go_on: Callable[[ControlledThread], bool] | None = None,
        starts_itself: bool = False,
    ) -> None:
        control = active()
        if control is None:
            raise RuntimeError("no control of threads is open: with Control(): …")
        if points not in {None, control.points}:
            raise ValueError(f"points={points!r}: this control was opened with points={control.points!r}")
        self.name = control.add(self, name)
        self.state: State = "new"
        self.points = 0
        self.turns = 0
        self.ident = 0
        self.waits_for: object = None
        self.deadline: float | None = None
        self.go_on = go_on
        self.on_end: Callable[[], None] | None = None
        self.sentinel: Any = None
        self._control: Control = control
        self._job: tuple[Callable[..., Any], tuple[Any, ...], Mapping[str, Any]] | None = (function, args, kwargs or {})
        self._context = context or copy_context()
        self._worker: Worker | None = None
        self._ready: Ready | None = None
        self._frame: FrameType | None = None
        self._why = "start"
        self._value: Any = None
        self._error: BaseException | None = None
        self._broken: BaseException | None = None
        self._unwinding = 0  # switch points passed since it was abandoned, from 1; 0 while it isn't
        self._has_unwound = False
        self._quiet = False
        # Where the body begins nothing has happened yet since the first step: one point to choose is enough. But what
        # threading.Thread does before it calls the body is news to whoever has started it.
        self._begins_alone = not starts_itself

    def __repr__(self) -> str:
        return f"<{self.name}: {self.state}>"

    # what the explorer calls

    def can_go_on(self) -> bool:
        """Say whether a step would get anywhere."""
        if self._ready is None:
            return self.state != "ended"
        return self._ready() or (self.deadline is not None and self._control.scheduler.now() >= self.deadline)

    def step(self) -> State:
        """Let the thread run until its next switch point, wait or end, and say which.

        Raises:
          EscapedControl: it waits for something real; the message names the call. It is lost and never steps again.
          RuntimeError: it has ended.
        """
        if self._has_ended():
            raise RuntimeError(f"{self.name} has ended")
        self._frame = None
        self.turns += 1
        worker = self._worker or self._begin()
        try:
            self._control.workers.step(worker, self)
        except BaseException:
            self._lose()
            raise
        if self._broken is not None:
            broken, self._broken = self._broken, None
            raise broken
        if self._has_ended():
            self._give_back()
        return self.state

    def result(self) -> Any:
        """Return what the function returned, or raise what it raised.

        Raises:
          RuntimeError: it hasn't ended.
        """
        if self.state != "ended":
            raise RuntimeError(f"{self.name} hasn't ended: it is {self.state}")
        if self._error is not None:
            raise self._error
        return self._value

    @property
    def error(self) -> BaseException | None:
        """What the function raised, None when it returned or hasn't ended."""
        return self._error

    @property
    def at(self) -> Place | None:
        """Where the thread stands in the user's code; None before its first step and after its end."""
        frame = self._frame
        code = self._control.code
        while frame is not None and frame.f_back is not None and not code.has_file(frame.f_code.co_filename):
            frame = frame.f_back
        if frame is None:
            return None
        return Place(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name, self._why)

    def abandon(self) -> None:
        """End the thread now: it unwinds at once, its clean-up runs through, what it returns or raises is dropped."""
        if self._has_ended():
            return
        if self._worker is None:
            self._end()
            return
        self._unwinding = 1
        while not self._has_ended():
            self.step()
        self._value = self._error = None

    def _has_ended(self) -> bool:
        return self.state == "ended"

    # what runs on the thread

    def point(self, frame: FrameType, why: str) -> None:
        """Stop here, unless ``go_on`` says otherwise."""
        if self._unwinding:
            self._clean_up(why)
            return
        if self._quiet or (not self.points and why == "call" and self._begins_alone):
            self.points += not self._quiet
            return
        self.points += 1
        if self.points % SLICE == 0:
            self._spin(frame)
            return
        self._frame = frame
        self._why = why
        if self.go_on is not None and self._goes_on(self.go_on):
            return
        self.state = "switch"
        self._hand_back()
        if self._unwinding:
            self._clean_up(why)

    @contextmanager
    def undisturbed(self) -> Generator[None]:
        """Pass no switch points: what is done in here is the explorer's business, though it calls the user's code."""
        before, self._quiet = self._quiet, True
        try:
            yield
        finally:
            self._quiet = before

    def pause(self, why: str) -> None:
        """Pass a switch point that a stand-in brings (a lock is taken or given back), if the user's code called it."""
        frame: FrameType | None = sys._getframe(2)
        if frame is not None and frame.f_code.co_name in {"__enter__", "__exit__"}:
            frame = frame.f_back
        if frame is not None and self._control.code.has_file(frame.f_code.co_filename):
            self.point(frame, why)

    def wait(self, ready: Ready, waits_for: object, timeout: float | None) -> bool:
        """Block until *ready* holds, at most *timeout* virtual seconds, and say whether it does."""
        now = self._control.scheduler.now
        deadline = None if timeout is None else now() + timeout
        while not ready():
            if deadline is not None and now() >= deadline:
                return False
            self._stop("blocked", "wait", ready, waits_for, deadline)
        return True

    def sleep(self, seconds: float) -> None:
        """Wait until *seconds* of virtual time have passed."""
        deadline = self._control.scheduler.now() + seconds
        self._stop("sleeping", "sleep", _never, None, deadline)

    def _stop(self, state: State, why: str, ready: Ready, waits_for: object, deadline: float | None) -> None:
        if self._unwinding:
            raise Unwind
        self._ready, self.waits_for, self.deadline = ready, waits_for, deadline
        self._frame = sys._getframe(2)
        self._why = why
        self.state = state
        self._hand_back()
        self._ready = self.waits_for = self.deadline = None
        if self._unwinding:
            self._has_unwound = True
            raise Unwind

    def _spin(self, frame: FrameType) -> None:
        if self.points >= self._control.most_points:
            raise Endless(
                f"{self.name} has passed {self.points:,} switch points without an end; it is at "
                f"{frame.f_code.co_filename}:{frame.f_lineno}, in {frame.f_code.co_name}"
            )
        deadline = self._control.scheduler.now() + SLICE_SECONDS
        self._stop("sleeping", "loop", _never, None, deadline)

    def _goes_on(self, go_on: Callable[[ControlledThread], bool]) -> bool:
        try:
            return go_on(self)
        except BaseException as error:  # the explorer's own: it must not be caught by the user's code
            self._broken = error
            return False

    def _hand_back(self) -> None:
        assert self._worker is not None
        self._worker.hand_back()

    def _clean_up(self, why: str) -> None:
        """Unwind at the first switch point; what the clean-up then passes is let through, for a while."""
        self._unwinding += 1
        if self._has_unwound and self._unwinding <= CLEAN_UP:
            return
        # What is raised at a jump skips its function's handlers, in CPython 3.12 and 3.13: one point later will do.
        if why == "loop" and self._unwinding < CLEAN_UP:
            return
        self._has_unwound = True
        raise Unwind

    def _begin(self) -> Worker:
        worker = self._worker = self._control.workers.take()
        self.ident = worker.ident
        worker.give(self._run)
        return worker

    def _run(self) -> None:
        assert self._job is not None
        function, args, kwargs = self._job
        try:
            self._value = self._context.run(function, *args, **kwargs)
        except Unwind:
            pass
        except BaseException as error:
            self._error = error
        finally:
            del function, args, kwargs
            self._control.empty_thread_locals()
            _identities.pop(self.ident, None)  # what current_thread() had made for a thread without a Thread
            self._end()

    def _end(self) -> None:
        self._job = None
        self.state = "ended"
        self._frame = None
        if self.on_end is not None:
            self.on_end()

    def _give_back(self) -> None:
        if self._worker is not None:
            self._control.workers.put_back(self._worker)
            self._worker = None

    def _lose(self) -> None:
        self._unwinding = 1  # should it ever come back
        self._worker = None
        self.state = "ended"
        self._job = None


def _never() -> bool:
    return False
