"""What may be started in a team, and on which terms."""

from __future__ import annotations

import inspect
from typing import Any

from .._core.callframe import CallFrame, ForeignCall
from .._core.errors import UsageError
from ..tools.call import Call
from ..tools.policies.limit import check_count
from .mailbox import Terms
from .recipe import Recipe


def terms_from(call: CallFrame, restart: Any, capacity: Any, when_full: Any, deliveries: Any) -> Terms:
    """Return the options of ``Team.start`` as terms.

    Raises:
      TypeError, ValueError: one of them makes no sense; it is named.
    """
    if restart not in ("permanent", "transient", "temporary"):
        raise ValueError(f"restart of {call.name} must be 'permanent', 'transient' or 'temporary', not {restart!r}")
    if when_full not in ("wait", "refuse", "drop_oldest"):
        raise ValueError(f"when_full of {call.name} must be 'wait', 'refuse' or 'drop_oldest', not {when_full!r}")
    for name, value in (("capacity", capacity), ("deliveries", deliveries)):
        check_count(0 if value is None else value, f"{name} of {call.name}", 1)
    return Terms(restart, capacity, when_full, deliveries)


def check_start(call: CallFrame, terms: Terms) -> None:
    """Refuse a call that a team can't start, or couldn't start anew.

    Raises:
      UsageError: it is a tool's, or a plain coroutine that is to be restarted.
      TypeError: its arguments don't fit the function.
    """
    if call.is_tool:
        raise UsageError(f"{call!r} is a call of a tool; a team is of agents. Start it in a scope, or write an agent")
    if isinstance(call, ForeignCall) and terms.restart != "temporary":
        raise UsageError(
            f"{call!r} is a plain coroutine, which can't be started anew: write the function under @agent, or start it "
            "with restart='temporary'"
        )
    if isinstance(call, Call) and not isinstance(call, Recipe):
        _check_arguments(call)  # pyright: ignore[reportUnknownArgumentType]


def _check_arguments(call: CallFrame) -> None:
    """Refuse at once what would fail at each of its starts; an agent with an inbox is begun at once, and refuses so."""
    parameters = inspect.signature(call.function)
    try:
        parameters.bind(*call.args, **call.kwargs)
    except TypeError as error:
        first = next(iter(parameters.parameters), "")
        cure = ". Annotate it, if messages are meant: inbox: Inbox[...]" if "inbox" in first else ""
        raise TypeError(f"{call!r} can't be started: {error}{cure}") from None
