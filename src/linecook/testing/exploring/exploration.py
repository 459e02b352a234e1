"""What an exploration found, as plain data: for ``check``, for reports, for tools."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Literal

from .mistakes import ExplorationFailed, OneMoreAwait

Kind = Literal[
    "invariant",
    "exception",
    "deadlock",
    "leaked task",
    "lost update",
    "exception never retrieved",
    "swallowed cancellation",
    "hang",
]
Label = Literal["shown on the stock loop", "not on the stock loop", "not known on the stock loop", "without the GIL"]


@dataclass(frozen=True, slots=True)
class Place:
    """A line of the user's code."""

    file: str
    line: int
    function: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line} in {self.function}"


@dataclass(frozen=True, slots=True)
class Access:
    """A read or write of a ``Shared`` value.

    Attributes:
      party: the task or thread.
      kind: ``"read"`` or ``"write"``.
      what: the cell's name.
      value: its value, as text.
    """

    party: str
    kind: str
    what: str
    value: str
    place: Place | None


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a schedule.

    Attributes:
      party: who made it: a task's name, ``thread``…, ``loop`` for a plain callback, ``outside`` for an arrival.
      path: the party as a token names it.
      what: what it was, in words: ``begins``, ``goes on``, ``ends``, an arrival's description.
      began: where the party stood before; None: at its beginning, or nobody's code.
      place: where it is suspended now; None: it has ended, or nobody's code.
      awaits: what it now waits for, as text; empty: nothing.
      woken_by: what made it go on.
      deviates: whether the schedule departs from the default here.
      overtakes: whether this arrived although something was ready.
      accesses: reads and writes of shared values in this step.
      time: virtual seconds since the start.
    """

    party: str
    path: str
    what: str
    began: Place | None = None
    place: Place | None = None
    awaits: str = ""
    woken_by: str = ""
    deviates: bool = False
    overtakes: bool = False
    accesses: tuple[Access, ...] = ()
    time: float = 0.0


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong in one schedule, the smallest found.

    Attributes:
      kind: what sort of failure.
      message: what happened, in one or a few lines.
      report: everything, for people.
      token: give it to ``explore(main, token=...)`` or ``replay`` to run that schedule again.
      label: whether a stock event loop can do this.
      overtakings, faults: what the schedule costs.
      steps: the schedule.
      accesses: of a lost update, the stale read, the write that is lost, the write on top of it.
      awaits: of a lost update, where the task waited between its read and its write.
      waits: of a deadlock, who waits where for what, a line each.
      error: the exception, where there is one.
    """

    kind: Kind
    message: str
    report: str
    token: str
    label: Label
    overtakings: int
    faults: int = 0
    steps: tuple[Step, ...] = ()
    accesses: tuple[Access, ...] = ()
    waits: tuple[str, ...] = ()
    error: BaseException | None = field(default=None, compare=False)
    awaits: tuple[Place, ...] = ()

    def __str__(self) -> str:
        return self.report


@dataclass(frozen=True, slots=True)
class Exploration:
    """What was searched and what was found.

    Attributes:
      failure: None when no schedule failed.
      schedules: how many were run, those for shrinking not counted.
      verdict: what was searched, in words: never more than that.
      exhausted: whether every schedule within the bounds was run.
      seconds: how long it took.
      interrupted: whether Ctrl-C ended it before its time.
    """

    failure: Failure | None
    schedules: int
    verdict: str
    exhausted: bool = False
    seconds: float = 0.0
    interrupted: bool = False

    def check(self, *, strict: bool = False) -> Exploration:
        """Raise if a schedule failed; return itself otherwise, for ``explore(main).check().verdict``.

        Args:
          strict: whether what no stock loop shows is an error too, and not a warning.

        Raises:
          ExplorationFailed: with the report.
          KeyboardInterrupt: Ctrl-C ended the search before anything was found: a test must not pass for that.

        Warns:
          OneMoreAwait: the failure is not known to be possible on a stock loop (tier "any").
        """
        if self.failure is None:
            if self.interrupted:
                raise KeyboardInterrupt(self.verdict)
            return self
        if strict or self.failure.label == "shown on the stock loop":
            raise ExplorationFailed(self.failure.report) from self.failure.error
        warnings.warn(self.failure.report, OneMoreAwait, stacklevel=2)
        return self

    def __str__(self) -> str:
        return self.verdict if self.failure is None else self.failure.report
