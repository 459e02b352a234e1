"""The function that TARGET names, ready to be called: an agent or tool as it is, a plain function made one."""

from __future__ import annotations

import inspect
import os
from collections.abc import AsyncIterable, Callable, Coroutine
from typing import TYPE_CHECKING, Any

from .arguments import Signature
from .exits import BadUsage
from .items import item_signature, makes_pipeline
from .target import load

if TYPE_CHECKING:
    from linecook import Call, Pipeline


class Target:
    """What is called.

    Args:
      text: TARGET, as typed.
      timeout: seconds for each call, queueing included; None leaves the function its own limits.

    Attributes:
      signature: turns JSON into arguments.
      function: the function as it was written.
      makes_pipeline: whether it returns a pipeline over the whole input, rather than being called for each item.
      is_bare: whether a call is nothing but its async body, with no option that could make it wait or run twice.
      name: ``module:function``, without the packages above: what an output is marked with.

    Raises:
      BadUsage: TARGET can't be imported, or isn't a function whose signature is known.
    """

    def __init__(self, text: str, timeout: float | None) -> None:
        function = load(text)
        self.makes_pipeline = makes_pipeline(function)
        self.name = f"{_module_of(text)}:{text.rpartition(':')[2]}"
        self.function: Callable[..., Any] = getattr(function, "body", function)
        self.is_bare = False
        if self.makes_pipeline:
            self.signature = item_signature(text, function)
            self._call: Callable[..., Call[Any]] = function
            return
        try:
            self.signature = Signature(function)
        except (TypeError, ValueError):
            raise BadUsage(f"{text} has no signature Python knows: wrap it in a function of your own.") from None
        self._call = _prepared(text, function, timeout)
        self.is_bare = getattr(self._call, "is_bare", False)

    def pipeline(self, source: AsyncIterable[Any]) -> Pipeline[Any]:
        """Return the pipeline that the function makes over *source*.

        Raises:
          BadUsage: it raised, with the user's traceback; or it returned something else.
        """
        from linecook import Pipeline

        try:
            made: Any = self._call(source)
        except Exception as error:
            from .traces import user_trace

            raise BadUsage(f"{self.name} made no pipeline: it raised.", details=user_trace(error)) from error
        if isinstance(made, Pipeline):
            return made  # pyright: ignore[reportUnknownVariableType]
        shown, hint = f"{made!r:.80}", ""
        if isinstance(made, Coroutine):
            made.close()
            hint = "; write a plain def without @agent or @tool: it only puts stages in a row"
        raise BadUsage(f"{self.name} returned {shown}, where its annotation promises a pipeline{hint}.")

    def __call__(self, *args: Any, **kwargs: Any) -> Call[Any]:
        """Return one call; nothing has started."""
        return self._call(*args, **kwargs)


def _module_of(text: str) -> str:
    """Return the last word of the module that TARGET names: the same for a file and for a module of a package."""
    place = text.rpartition(":")[0]
    return (
        os.path.basename(place).removesuffix(".py")
        if os.sep in place or place.endswith(".py")
        else place.rpartition(".")[2]
    )


def _prepared(text: str, function: Any, timeout: float | None) -> Callable[..., Call[Any]]:
    from linecook.errors import UsageError

    try:
        call = _as_agent_or_tool(function)
        if _streams(function):
            call = _collected(call)
        if timeout is not None:
            own = call.asked.timeout  # a shorter one of its own stays
            call = call.options(timeout=timeout if own is None else min(timeout, own))
    except (UsageError, ValueError) as error:
        raise BadUsage(f"{text} can't be called: {error}") from None
    prepared: Callable[..., Call[Any]] = call
    return prepared


def _as_agent_or_tool(function: Callable[..., Any]) -> Any:
    from linecook import agent, tool

    is_one = all(hasattr(function, name) for name in ("body", "options", "asked"))
    is_async = inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)
    decorate: Callable[[Any], Any] = agent if is_async else tool
    return function if is_one else decorate(function)


def _streams(function: Any) -> bool:
    body = getattr(function, "body", function)
    return inspect.isasyncgenfunction(body) or inspect.isgeneratorfunction(body)


def _collected(stream: Any) -> Any:
    """Return an agent whose value is the list of what *stream* yields."""
    from linecook import agent

    async def collect(*args: Any, **kwargs: Any) -> list[Any]:
        return [piece async for piece in stream(*args, **kwargs)]

    collect.__name__ = collect.__qualname__ = getattr(stream, "__name__", "collect")
    return agent(collect)
