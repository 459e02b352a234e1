"""Fakes: what tools and models are replaced by while a program is explored, and how they may misbehave.

    explore(main, fakes={"ask_model": fake(answers("42"), may=[says_429(retry_after=2), hangs()])}, faults=1)

A fake answers from outside, so its answers come in every order. What it *may* do costs one fault each.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from ..._core.errors import UsageError
from ...tools.tool import Tool
from .loop.loop import ExploredLoop
from .loop.options import Way
from .mistakes import InjectedFault
from .outside import outside
from .threads.users_code import UsersCode


class TooManyRequests(InjectedFault):
    """What ``says_429`` raises: status 429, with a ``Retry-After`` header if one was asked for."""

    status_code = 429

    def __init__(self, message: str, retry_after: float | None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.headers = {} if retry_after is None else {"Retry-After": f"{retry_after:g}"}


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One way in which a fake may serve a call.

    Attributes:
      what: how reports and tokens call it.
      serve: does it: given the fake's name and the call's arguments.
    """

    what: str
    serve: Callable[[str, tuple[Any, ...], Mapping[str, Any]], Awaitable[Any]] = field(repr=False)


def answers(value: Any = None) -> Behaviour:
    """Answer *value*; a function is called with the call's arguments when the answer comes, as a server would."""

    async def serve(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        await outside(name=f"the answer of {name}")
        return _made(value, args, kwargs)

    return Behaviour("answers", serve)


def raises(error: BaseException | type[BaseException]) -> Behaviour:
    """Fail with *error*."""

    async def serve(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        await outside(name=f"the failure of {name}")
        raise error

    return Behaviour(f"raises {error!r}", serve)


def says_429(retry_after: float | None = None) -> Behaviour:
    """Refuse with status 429: too many requests; come back after so many seconds, or None: it doesn't say when."""

    async def serve(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        await outside(name=f"the refusal of {name}")
        raise TooManyRequests(f"{name}: 429 Too Many Requests", retry_after)

    return Behaviour("says 429", serve)


def hangs() -> Behaviour:
    """Never answer."""

    async def serve(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        await asyncio.get_running_loop().create_future()

    return Behaviour("hangs", serve)


def late(value: Any = None, *, after: float) -> Behaviour:
    """Answer *value* after so many seconds, ≥ 0, of virtual time."""

    async def serve(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        await asyncio.sleep(after)
        return _made(value, args, kwargs)

    return Behaviour(f"is {after:g} s late", serve)


def twice(value: Any = None) -> Behaviour:
    """Do it twice, as a server does that gets a request again: *value*, a function, is called once more before."""

    async def serve(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        await outside(name=f"the first answer of {name}")
        _made(value, args, kwargs)
        await outside(name=f"the second answer of {name}")
        return _made(value, args, kwargs)

    return Behaviour("does it twice", serve)


def _made(value: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    return value(*args, **kwargs) if callable(value) else value


class Fake:
    """What ``fake`` makes."""

    def __init__(self, one_after_another: Sequence[Behaviour], may: Sequence[Behaviour]) -> None:
        self._behaviours = one_after_another
        self._may = may
        self._may_now = False
        self._calls = 0

    def begin(self, misbehaves: bool) -> None:
        """Begin a schedule: the next call is the first. What it *may* do is among the choices if it *misbehaves*."""
        self._calls = 0
        self._may_now = misbehaves and bool(self._may)

    async def serve(self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Serve one call."""
        usual = self._behaviours[min(self._calls, len(self._behaviours) - 1)]
        self._calls += 1
        loop = asyncio.get_running_loop()
        behaviour = usual
        if self._may_now and isinstance(loop, ExploredLoop):
            behaviour = loop.choose_fault(
                [Way(name, number, one.what, one) for number, one in enumerate((usual, *self._may))]
            )
        return await behaviour.serve(name, args, kwargs)


def fake(*one_after_another: Behaviour, may: Sequence[Behaviour] = ()) -> Fake:
    """Make a fake of a tool, a model, or any other async function.

    Args:
      one_after_another: what the first call does, the second, …; the last one goes on for all further calls. None:
        answers None.
      may: what any call may do instead, for one fault each (``explore(faults=...)``).
    """
    wrong = [one for one in (*one_after_another, *may) if not isinstance(one, Behaviour)]  # pyright: ignore[reportUnnecessaryIsInstance]
    if wrong:
        raise UsageError(f"fake takes behaviours, such as answers({wrong[0]!r}), not {wrong[0]!r} itself")
    return Fake(one_after_another or (answers(),), may)


class Fakes:
    """Puts fakes in the place of what they stand for.

    Args:
      given: by name (``"search"``, ``"app.tools.search"``, ``"app.tools.Client.ask"``) or by the function or tool.
      misbehave: whether what a fake *may* do is among the choices: a schedule may have faults, whichever.

    Raises:
      UsageError: there is nothing of that name, several things are, or it is no async function or tool.
    """

    def __init__(self, given: Mapping[Any, Fake], main: Callable[..., Any], *, misbehave: bool) -> None:
        self._misbehave = misbehave
        self._fakes = [(_found(name, main), each) for name, each in given.items()]
        self._undo: list[Callable[[], None]] = []

    def put_in_place(self) -> None:
        """Replace each, wherever it is known by a name."""
        for original, each in self._fakes:
            if isinstance(original, Tool):
                self._fill(original, each)  # pyright: ignore[reportUnknownArgumentType]
            else:
                self._rename(original, _standing_for(original, each))

    def _fill(self, tool: Tool[Any, Any], each: Fake) -> None:
        """Let the tool itself stay where it is, and run the fake, under the policies that it has."""
        before = dict(vars(tool))
        body = _standing_for(tool.body, each)
        limit: Any = tool.limit
        shown: Tool[Any, Any] = Tool(body, replace(tool.asked, lane=None, limit=limit), is_tool=tool.is_tool)
        vars(tool).clear()
        vars(tool).update(vars(shown))
        self._undo.append(lambda: _put_back(tool, before))

    def _rename(self, original: Any, stand_in: Any) -> None:
        for owner, name in _places_of(original):
            setattr(owner, name, stand_in)
            self._undo.append(partial(setattr, owner, name, original))

    def put_back(self) -> None:
        """Put back what was there."""
        while self._undo:
            self._undo.pop()()

    def begin(self) -> None:
        """Begin a schedule."""
        for _, each in self._fakes:
            each.begin(self._misbehave)


def _put_back(tool: Tool[Any, Any], before: dict[str, Any]) -> None:
    vars(tool).clear()
    vars(tool).update(before)


def _standing_for(original: Any, each: Fake) -> Callable[..., Any]:
    name = getattr(original, "__name__", repr(original))

    async def stand_in(*args: Any, **kwargs: Any) -> Any:
        return await each.serve(name, args, kwargs)

    for attribute in ("__name__", "__qualname__", "__module__", "__doc__"):
        setattr(stand_in, attribute, getattr(original, attribute, None))
    return stand_in


def _found(name: Any, main: Callable[..., Any]) -> Any:
    if not isinstance(name, str):
        return _checked(name, name)
    module, _, rest = name.rpartition(".")
    if not module:
        return _checked(_by_bare_name(name, main), name)
    while module:
        if module in sys.modules:
            found: Any = sys.modules[module]
            for part in rest.split("."):
                found = getattr(found, part, None)
            if found is not None:
                return _checked(found, name)
        module, _, last = module.rpartition(".")
        rest = f"{last}.{rest}"
    raise UsageError(f"fakes: nothing imported is called {name!r}; write module.function, as in an import")


def _by_bare_name(name: str, main: Callable[..., Any]) -> Any:
    own = getattr(inspect.unwrap(main), "__globals__", {})
    if name in own:
        return own[name]
    code = UsersCode()
    found = {
        id(vars(module)[name]): vars(module)[name]
        for module in list(sys.modules.values())
        if name in getattr(module, "__dict__", {})
        and code.has_file(getattr(module, "__file__", None) or "/")
        and callable(vars(module)[name])
    }
    if len(found) != 1:
        several = "several things are" if found else "nothing in your modules is"
        raise UsageError(f"fakes: {several} called {name!r}; write module.{name}, or give the function itself")
    return next(iter(found.values()))


def _checked(found: Any, name: Any) -> Any:
    if isinstance(found, Tool):
        if found.is_stream:
            raise UsageError(f"fakes: {name!r} streams, and a fake answers once. Make it a function that takes a fake")
        return found  # pyright: ignore[reportUnknownVariableType]
    if inspect.iscoroutinefunction(found):
        return found
    raise UsageError(
        f"fakes: {name!r} is neither a tool nor an async function, but {found!r}; nobody would await its fake"
    )


def _places_of(original: Any) -> list[tuple[Any, str]]:
    """Return where *original* is known by a name: in modules, and in their classes."""
    places: list[tuple[Any, str]] = []
    for module in list(sys.modules.values()):
        for name, value in list(getattr(module, "__dict__", {}).items()):
            if value is original:
                places.append((module, name))
            elif isinstance(value, type) and value.__module__ == getattr(module, "__name__", None):
                places += [(value, inner) for inner, held in list(vars(value).items()) if held is original]
    return places
