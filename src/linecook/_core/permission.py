"""What an agent with ``tools=`` may call, and whatever it calls may call: these tools and agents, and no others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .callframe import CallFrame
from .context import Frame
from .errors import NotAllowed

_NAMES = 8  # tools named in the error


class Permission:
    """What one agent may call.

    Args:
      agent: its name.
      own: its function: an agent may call itself, which allows it no more.
      tools: each as name, function and, of a method, the instance it is bound to; None for a function.

    A tool is known by its function, so ``fetch.options(timeout=3)`` is ``fetch``; a bound method by its instance too.
    """

    __slots__ = ("_bound", "_functions", "_names", "agent")

    def __init__(
        self, agent: str, own: Callable[..., Any], tools: Sequence[tuple[str, Callable[..., Any], object | None]]
    ) -> None:
        self.agent = agent
        self._names = [name for name, _, _ in tools]
        self._functions = {own, *(function for _, function, instance in tools if instance is None)}
        self._bound = [(function, instance) for _, function, instance in tools if instance is not None]

    def allows(self, call: CallFrame) -> bool:
        """Say whether *call* may begin under this agent."""
        function = call.function
        if function in self._functions:
            return True
        return any(function is known and call.args and call.args[0] is one for known, one in self._bound)

    def refusal(self, call: CallFrame) -> NotAllowed:
        """Return the error for *call*, which isn't allowed."""
        names = self._names[:_NAMES] + [f"{len(self._names) - _NAMES} more"] * (len(self._names) > _NAMES)
        caller = _caller(call)
        by = f", which {caller} calls," if caller and caller != self.agent else ""
        return NotAllowed(
            f"{call!r}{by} was refused: the agent {self.agent} may call {', '.join(names) or 'nothing'} and no more, "
            f"and neither may what it calls. Add {call.name} to tools= of {self.agent}, or call it from elsewhere.",
            call=call, agent=self.agent,
        )  # fmt: skip


def _caller(call: CallFrame) -> str:
    """Return the name of the nearest agent above *call*; empty when there is none."""
    frame: Frame | None = call.parent
    while frame is not None and not isinstance(frame, CallFrame):
        frame = frame.parent
    return "" if frame is None else frame.name
