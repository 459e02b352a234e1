"""What a stage was asked to do: the recipe's parts, checked when they are written, run by ``line``."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from types import CoroutineType
from typing import Any, Literal, cast

from .._core.callframe import CallFrame, shorten
from .._core.endings import EXITS
from .._core.errors import BodyExited, UsageError
from ..tools.decorate import make
from ..tools.policies.retry import Retry
from ..tools.stream import StreamTool
from ..tools.tool import BoundTool, Options, Tool, is_async

Kind = Literal["map", "filter", "flat_map", "into"]
OnError = Literal["raise", "skip"] | Callable[[Any, Exception], Any]
Workers = int | Literal["auto"] | None

WORKERS = {"loop": 32, "thread": 16, "inline": 1}
"""Items of one stage under way at once, unless it says; a stage of processes: four for each CPU, so that none idles."""


@dataclass(frozen=True)
class Work:
    """``map``, ``filter``, ``flat_map`` and the sink of ``into``: a tool, agent or function, called with each item.

    Attributes:
      kind: what is done with its answer.
      tool: what is called.
      workers: most items under way; None for as many as its lane deserves.
      ordered: whether results go on in the order in which items came.
      on_error: see ``Pipeline.map``.
    """

    kind: Kind
    tool: Any
    workers: Workers
    ordered: bool
    on_error: OnError

    @property
    def name(self) -> str:
        """How reports call it."""
        return f"{self.kind}({self.tool.__name__})"


@dataclass(frozen=True)
class Batches:
    """``batch``: lists of *size*, or of fewer after *wait* seconds."""

    size: int
    wait: float | None

    @property
    def name(self) -> str:
        """How reports call it."""
        return f"batch({self.size})"


@dataclass(frozen=True)
class Groups:
    """``group``: the pieces of one ``flat_map`` together again, or runs of the same key."""

    key: Callable[[Any], Any] | None

    @property
    def name(self) -> str:
        """How reports call it."""
        return "group()" if self.key is None else f"group({getattr(self.key, '__name__', 'key')})"


Stage = Work | Batches | Groups


def workers_of(stage: Work) -> int:
    """Return how many items of *stage* are under way at first."""
    if isinstance(stage.workers, int):
        return stage.workers
    lane = stage.tool.lane
    return WORKERS[lane] if lane in WORKERS else 4 * (os.cpu_count() or 1)


def work(
    kind: Kind,
    function: Any,
    workers: Workers,
    ordered: bool,
    on_error: OnError,
    retry: Retry | None,
    attempt_timeout: float | None,
) -> Work:
    """Check what a stage was asked for.

    Raises:
      UsageError: *function* is none, or is a generator where one value is needed; an option makes no sense.
      ValueError: a figure is out of its range.
    """
    if not callable(function):
        takes = "a list, something with put, " if kind == "into" else ""
        hint = ": a call that was made already; name the tool alone" if discard(function) else ""
        raise UsageError(f"{kind} needs {takes}a tool, an agent or a function, not {shorten(function)}{hint}")
    if workers is not None and workers != "auto":
        if isinstance(workers, bool) or not isinstance(workers, int):
            raise UsageError(f"workers= of {kind} must be a whole number, 'auto' or None, not {workers!r}")
        if workers < 1:
            raise ValueError(f"workers= of {kind} must be 1 or more, not {workers}")
    if not isinstance(ordered, bool):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise UsageError(f"ordered= of {kind} must be True or False, not {ordered!r}")
    _check_on_error(kind, on_error)
    made = _tool_from(function, kind)
    changes = {"retry": retry, "attempt_timeout": attempt_timeout}
    asked = {option: value for option, value in changes.items() if value is not None}
    if asked:
        made = made.options(**asked)
    return Work(kind, made, workers, ordered, on_error)


def discard(function: object) -> bool:
    """Give *function* up if it is a call or a coroutine: one error is reported, not also that it was never awaited.

    Returns whether it is one.
    """
    if isinstance(function, CallFrame):
        function.discard()
    elif isinstance(function, CoroutineType):
        function.close()
    else:
        return False
    return True


def ended_by(error: BaseException, whose: str) -> BaseException:
    """Return what *error* is raised as, to which *whose*, a plain function of the user's on the loop, came.

    Its cancellation is nobody's, its exits would end a task of ours in silence, and the pipeline would wait for ever.
    """
    if not isinstance(error, EXITS) or isinstance(error, (KeyboardInterrupt, SystemExit)):
        return error
    exited = BodyExited(
        f"{whose} raised {error!r}. It reaches you as BodyExited, since it would otherwise be taken for a cancellation "
        "or for an end; raise an ordinary exception instead."
    )
    exited.__cause__ = error
    return exited


def refuse_coroutine(value: object, whose: str) -> None:
    """Refuse what nobody would await.

    Raises:
      UsageError: *value*, which *whose* returned, is a coroutine.
    """
    if discard(value):
        raise UsageError(f"{whose} returned {value!r:.80}, which nobody awaits; it must answer at once")


def _check_on_error(kind: Kind, on_error: object) -> None:
    if on_error in ("raise", "skip"):
        return
    if isinstance(on_error, (Tool, BoundTool)) or is_async(on_error):
        raise UsageError(
            f"on_error= of {kind} takes a plain function, which answers at once, not {on_error!r:.80}: catch the error "
            "inside the stage's own function, where you can await"
        )
    if not callable(on_error):
        raise UsageError(
            f"on_error= of {kind} must be 'raise', 'skip' or a function of item and error, not {on_error!r}"
        )


def unbound(made: Any) -> Tool[Any, Any]:
    """Return the tool itself, where *made* is a method bound to its object."""
    found: Any = getattr(made, "__func__", made)
    return cast("Tool[Any, Any]", found)


def _tool_from(function: Any, kind: Kind) -> Any:
    made: Any = function if isinstance(function, (Tool, BoundTool)) else _made_from(function)  # pyright: ignore[reportUnknownVariableType]
    if isinstance(unbound(made), StreamTool) and kind != "flat_map":
        raise UsageError(f"{made.__name__} yields many values; {kind} takes one for each item. Use flat_map.")
    return made


def _made_from(function: Any) -> Any:
    """Return a plain function as what it would be if it were decorated: async an agent, else a tool on a thread."""
    if isinstance(function, type):
        function = _Maker(function)
    return make(function, Options(), "agent" if is_async(function) else "tool")


class _Maker:
    """A class as a function: ``map(Page)`` makes a page of each item."""

    def __init__(self, made: type) -> None:
        self._made = made
        self.__name__ = self.__qualname__ = made.__name__

    def __call__(self, value: Any) -> Any:
        return self._made(value)
