"""Which limits a tool has, in which order they are taken, and what counts them here: found by runtime and key."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Hashable, Sequence
from itertools import islice
from typing import Any, cast

from ..._core.callframe import CallFrame
from ..._core.errors import UsageError
from ..._runtime import Runtime, current
from .door import Door
from .keyed import Keyed
from .limit import Key, Limit
from .places import Places
from .retry_budget import RetryBudget


def in_order(limits: Limit | Sequence[Limit] | None) -> list[Limit]:
    """Return the limits of a tool, each once, in the order in which all tools take them.

    Those with windows come first: a place comes free in seconds and what is counted by the minute may take one, so who
    waits for that should hold no place (test_who_waits_for_tokens_holds_no_place_of_another_limit).
    """
    several = () if limits is None else (limits,) if isinstance(limits, Limit) else limits
    return sorted(dict.fromkeys(several), key=lambda limit: (not limit.has_rates, limit.serial))


State = Places | Door | Keyed[Door]

MOST_LIMITS = 1000
_LOOKS = 8  # limits that are looked at for one to forget


def state_of(limit: Limit, runtime: Runtime) -> State:
    """Return what counts *limit* in *runtime*, made on first use.

    Most limits are written once, in a module. Those made anew for each request would fill the runtime: beyond 1,000 one
    that could be made anew, and nobody would know, is forgotten.
    """
    state: State | None = runtime.limits.get(limit)
    if state is None:
        if len(runtime.limits) >= MOST_LIMITS:
            _forget_one(runtime.limits)
        state = runtime.limits[limit] = _new_state(limit, runtime)
        limit.states[state] = asyncio.get_running_loop()
    return state


def _forget_one(limits: dict[Limit, State]) -> None:
    for limit in list(islice(limits, _LOOKS)):
        state = limits.pop(limit)
        if state.is_idle():
            return
        limits[limit] = state  # at the end: the others are looked at first next time


def _new_state(limit: Limit, runtime: Runtime) -> State:
    loop = asyncio.get_running_loop()
    if limit.is_plain:
        return Places(limit, loop, runtime.events)
    if limit.key is None:
        return Door(limit, loop, runtime.events)
    return Keyed(lambda key: Door(limit, loop, runtime.events, key), RetryBudget(limit.retries))


def door_finder(limit: Limit, body: Callable[..., Any]) -> Callable[[CallFrame], Door]:
    """Return the function that finds the door of *limit* for a call of *body*: that of its key, if it has keys."""
    if limit.key is None:

        def the_door(call: CallFrame) -> Door:
            runtime = current()
            return cast(Door, runtime.limits.get(limit) or state_of(limit, runtime))

        return the_door
    key_of = _key_function(limit.key, limit, body)

    def door_of_key(call: CallFrame) -> Door:
        runtime = current()
        doors: Keyed[Door] | None = runtime.limits.get(limit)
        if doors is None:
            doors = cast("Keyed[Door]", state_of(limit, runtime))
        key = key_of(call)
        try:
            return doors.of(key)
        except TypeError:
            _check_hashable(key, limit)
            raise

    return door_of_key


def _key_function(key: Key, limit: Limit, body: Callable[..., Any]) -> Callable[[CallFrame], Hashable]:
    if not isinstance(key, str):
        return lambda call: key(*call.args, **call.kwargs)
    parameters = list(inspect.signature(body).parameters.values())
    names = [parameter.name for parameter in parameters]
    if key not in names:
        raise UsageError(f"key={key!r} of {limit!r}: {body.__qualname__} has no such parameter; it has {names}")
    place, default = names.index(key), parameters[names.index(key)].default

    def key_of(call: CallFrame) -> Hashable:
        found: Hashable = call.args[place] if place < len(call.args) else call.kwargs.get(key, default)
        return found

    return key_of


def _check_hashable(key: Any, limit: Limit) -> None:
    try:
        hash(key)
    except TypeError:
        raise UsageError(f"key= of {limit!r} gave {key!r}, which can't be a key: return a string or a tuple") from None
