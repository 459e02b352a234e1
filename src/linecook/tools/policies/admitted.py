"""The way calls go through their limits: found by runtime and key, taken in one order, given back whatever happens."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Hashable, Sequence
from time import monotonic
from typing import TYPE_CHECKING, Any, cast

from ..._core.callframe import CallFrame
from ..._core.context import current_frame
from ..._core.errors import UsageError
from ..._runtime import Runtime, current
from .admission import Ticket
from .door import Door
from .keyed import Keyed
from .limit import Key, Limit
from .places import Places
from .retry_budget import RetryBudget
from .signals import Overloaded, Signal, retry_after, signal_of

if TYPE_CHECKING:
    from ..call import Call
    from ..placement import Runner

    Failed = Callable[[Call[Any], BaseException], None]

State = Places | Door | Keyed[Door]


def state_of(limit: Limit, runtime: Runtime) -> State:
    """Return what counts *limit* in *runtime*, made on first use."""
    state: State | None = runtime.limits.get(limit)
    if state is None:
        state = runtime.limits[limit] = _new_state(limit, runtime)
        limit.states.add(state)
    return state


def _new_state(limit: Limit, runtime: Runtime) -> State:
    loop = asyncio.get_running_loop()
    if limit.is_plain:
        return Places(limit, loop, runtime.events)
    if limit.key is None:
        return Door(limit, loop, runtime.events)
    return Keyed(lambda key: Door(limit, loop, runtime.events, key), RetryBudget(limit.retries))


def limited(run: Runner, limits: Limit | Sequence[Limit], body: Callable[..., Any]) -> Runner:
    """Return *run*, admitted by each of *limits*; *body* is the function whose arguments they may look at.

    Several are taken in the order in which they were made, whatever order they are named in: no two calls can each
    hold what the other waits for.
    """
    for limit in reversed(in_order(limits)):  # what is wrapped last is taken first
        run = _placed(run, limit) if limit.is_plain else _admitted(run, limit, body)
    return run


def in_order(limits: Limit | Sequence[Limit] | None) -> list[Limit]:
    """Return the limits of a tool, each once, in the order in which all tools take them."""
    several = () if limits is None else (limits,) if isinstance(limits, Limit) else limits
    return sorted(dict.fromkeys(several), key=lambda limit: limit.serial)


def _placed(run: Runner, limit: Limit) -> Runner:
    async def run_placed(call: Call[Any]) -> Any:
        runtime = current()
        places = cast(Places, runtime.limits.get(limit) or state_of(limit, runtime))
        if not places.try_take_place():
            await places.take_place(call)
        try:
            return await run(call)
        except BaseException as error:
            places.look_at(error)
            raise
        finally:
            places.give_place_back()

    return run_placed


def _admitted(run: Runner, limit: Limit, body: Callable[..., Any]) -> Runner:
    find = door_finder(limit, body)
    overloaded = limit.overloaded

    async def run_admitted(call: Call[Any]) -> Any:
        door = find(call)
        ticket = door.try_take(call) or await door.take(call)
        signal: Signal = "nothing"
        told: float | None = None
        try:
            value = await run(call)
            signal = "ok"
            return value
        except BaseException as error:
            signal = _signal_of(call, error, overloaded)
            told = retry_after(error)
            raise
        finally:
            door.give_back(call, ticket, signal, told)

    return run_admitted


def _signal_of(call: Call[Any], error: BaseException, overloaded: Overloaded | None) -> Signal:
    """Return what *error* says of the server.

    The tool's own ``timeout`` arrives as a cancellation, and says something too when the body had most of that time: a
    call that mostly waited for its turn says nothing of the server.
    """
    whole = call.tool.asked.timeout
    was_late = isinstance(error, asyncio.CancelledError) and str(error).startswith("deadline: timeout of ")
    if whole and was_late and call.seconds_running() > whole / 2:
        return "overloaded"
    return signal_of(error, overloaded)


def limited_on_loop(limit: Limit, body: Callable[..., Any], failed: Failed) -> Runner:
    """Return the runner of an async *body* under one limit and no other policy: the shortest way.

    What ``limited`` does with the way of a body on the loop, in one function: two coroutines less, 0.5 µs a call
    (benchmarks: limit_uncontended).
    """
    return _placed_on_loop(limit, failed) if limit.is_plain else _admitted_on_loop(limit, body, failed)


def _placed_on_loop(limit: Limit, failed: Failed) -> Runner:
    async def run_placed(call: Call[Any]) -> Any:
        token = current_frame.set(call)
        try:
            runtime = current()
            places = cast(Places, runtime.limits.get(limit) or state_of(limit, runtime))
            if places.taken < places.bound and not places.room.waiting:
                places.taken += 1
            else:
                await places.take_place(call)
            call.attempts = 1
            began = monotonic()
            try:
                return await call.tool.body(*call.args, **call.kwargs)
            except BaseException as error:
                places.look_at(error)
                raise
            finally:
                call.running = monotonic() - began
                places.taken -= 1
                if places.room.waiting:
                    places.room.let_in()
        except BaseException as error:
            failed(call, error)
            raise
        finally:
            current_frame.reset(token)

    return run_placed


def _admitted_on_loop(limit: Limit, body: Callable[..., Any], failed: Failed) -> Runner:
    find = door_finder(limit, body)
    overloaded = limit.overloaded

    async def run_admitted(call: Call[Any]) -> Any:
        token = current_frame.set(call)
        try:
            door = find(call)
            ticket = door.try_take(call) or await door.take(call)
            signal: Signal = "nothing"
            told: float | None = None
            call.attempts = 1
            began = monotonic()
            try:
                value = await body(*call.args, **call.kwargs)
                signal = "ok"
                return value
            except BaseException as error:
                signal = _signal_of(call, error, overloaded)
                told = retry_after(error)
                raise
            finally:
                call.running = monotonic() - began
                door.give_back(call, ticket, signal, told)
        except BaseException as error:
            failed(call, error)
            raise
        finally:
            current_frame.reset(token)

    return run_admitted


class Admitted:
    """``async with Admitted(call, limits, body):`` what ``limited`` does, for bodies that aren't run by a runner."""

    def __init__(self, call: CallFrame, limits: Limit | Sequence[Limit] | None, body: Callable[..., Any]) -> None:
        self._call = call
        self._limits = in_order(limits)
        self._body = body
        self._held: list[tuple[Places | Door, Ticket | None, Limit]] = []

    async def __aenter__(self) -> None:
        try:
            for limit in self._limits:
                await self._take(limit)
        except BaseException:
            self._give_back("nothing", None)
            raise

    async def _take(self, limit: Limit) -> None:
        if limit.is_plain:
            places = state_of(limit, current())
            assert isinstance(places, Places)
            if not places.try_take_place():
                await places.take_place(self._call)
            self._held.append((places, None, limit))
        else:
            door = door_finder(limit, self._body)(self._call)
            self._held.append((door, door.try_take(self._call) or await door.take(self._call), limit))

    async def __aexit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        self._give_back("ok", error)

    def _give_back(self, signal: Signal, error: BaseException | None) -> None:
        told = None if error is None else retry_after(error)
        for state, ticket, limit in reversed(self._held):
            if isinstance(state, Door):
                assert ticket is not None
                ended = signal if error is None else signal_of(error, limit.overloaded)
                state.give_back(self._call, ticket, ended, told)
            else:
                if error is not None:
                    state.look_at(error)
                state.give_place_back()


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
