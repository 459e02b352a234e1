"""A decorated function: an async function to foreign code, a method where it stands in a class, a name to pickle."""

import asyncio
import copy
import functools
import inspect
import pickle
import typing
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from linecook import Call, agent, tool
from linecook.errors import UsageError
from linecook.tools.tool import BoundTool, Tool


@tool
def fetch(url: str, *, attempts: int = 3) -> str:
    """Fetch a page."""
    return f"{url} x{attempts}"


@tool(timeout=5)
async def ask(prompt: str) -> str:
    """Ask the model."""
    return prompt.upper()


@tool
def pieces(text: str) -> Iterator[str]:
    yield from text


@agent
async def chunks(text: str) -> AsyncIterator[str]:
    yield text


patient_fetch = fetch.options(timeout=30)


class Kitchen:
    """Has tools for methods."""

    def __init__(self, name: str) -> None:
        self.name = name

    @tool
    def cook(self, dish: str) -> str:
        """Cook a dish."""
        return f"{dish} by {self.name}"

    @agent
    async def serve(self, dish: str, *, table: int = 1) -> str:
        return f"{await self.cook(dish)} at {table}"

    @tool
    async def steps(self, dish: str) -> AsyncIterator[str]:
        yield dish
        yield self.name

    @staticmethod
    @tool
    def wash(dish: str) -> str:
        return f"clean {dish}"

    @classmethod
    @tool
    def called(cls) -> str:
        return cls.__name__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Kitchen) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)


class Bistro(Kitchen):
    @tool
    def cook(self, dish: str) -> str:
        return f"small {dish} by {self.name}"

    @agent
    async def serve(self, dish: str, *, table: int = 1) -> str:
        return f"{await super().serve(dish, table=table)}, sir"


# -- to foreign code ----------------------------------------------------------------------------------------------

ASYNC = [fetch, ask, Kitchen.cook, Kitchen("k").cook, Kitchen("k").serve, Kitchen.wash, fetch.options(timeout=3)]


@pytest.mark.parametrize("made", ASYNC, ids=lambda made: repr(made).partition(" of ")[0])
def test_a_tool_looks_like_an_async_function(made: Any) -> None:
    assert inspect.iscoroutinefunction(made)
    assert inspect.iscoroutinefunction(functools.partial(made, "x"))
    assert not inspect.isasyncgenfunction(made)
    assert callable(made)


def test_a_stream_looks_like_an_async_generator_function() -> None:
    for made in (pieces, chunks, Kitchen("k").steps):
        assert inspect.isasyncgenfunction(made)
        assert not inspect.iscoroutinefunction(made)


def test_signature_docstring_and_annotations_are_the_functions() -> None:
    assert str(inspect.signature(fetch)) == "(url: str, *, attempts: int = 3) -> str"
    assert fetch.__doc__ == "Fetch a page."
    assert fetch.__annotations__ == {"url": str, "attempts": int, "return": str}
    assert typing.get_type_hints(fetch) == {"url": str, "attempts": int, "return": str}
    assert (fetch.__name__, fetch.__qualname__, fetch.__module__) == ("fetch", "fetch", __name__)
    assert fetch.__wrapped__ is fetch.body  # type: ignore[attr-defined]
    assert inspect.unwrap(fetch) is fetch.body  # type: ignore[arg-type]
    assert fetch.__kwdefaults__ == {"attempts": 3}
    assert inspect.getsource(fetch.body).startswith("@tool")


def test_a_bound_tool_has_the_methods_signature_and_names() -> None:
    bound = Kitchen("k").cook
    assert str(inspect.signature(bound)) == "(dish: str) -> str"
    assert str(inspect.signature(Kitchen.cook)) == "(self, dish: str) -> str"
    assert (bound.__name__, bound.__qualname__, bound.__doc__) == ("cook", "Kitchen.cook", "Cook a dish.")
    assert bound.__module__ == __name__
    assert type(bound).__annotations__ is not None  # asking makes them, and they must not hide the method's
    assert bound.__annotations__ == {"dish": str, "return": str}
    assert bound.body("soup") == "soup by k"
    assert bound.lane == "thread"


class Cafe:
    """Its annotations are strings, as all are under ``from __future__ import annotations``."""

    @tool
    def order(self, dish: "Dish", at: "int | None" = None) -> "Dish":
        return dish

    @tool
    def pay(self, what: "OnlyForTypeCheckers") -> None: ...  # type: ignore[name-defined] # noqa: F821


class Dish: ...


def test_string_annotations_of_a_bound_tool_are_resolved_where_the_method_was_written() -> None:
    order = Cafe().order
    expected = {"dish": Dish, "at": int | None, "return": Dish}
    assert typing.get_type_hints(order) == typing.get_type_hints(order.body) == expected
    # Frameworks ask so; of a __signature__ inspect resolves nothing itself.
    signature = inspect.signature(order, eval_str=True)
    assert [one.annotation for one in signature.parameters.values()] == [Dish, int | None]
    assert str(inspect.signature(Cafe().pay)) == "(what: 'OnlyForTypeCheckers') -> None"


def test_a_bound_tool_is_a_routine_as_bound_methods_are() -> None:
    # openai-agents refuses other callables that have annotations of their own.
    bound = Kitchen("k").cook
    assert inspect.isroutine(bound)
    assert inspect.isroutine(fetch)
    desk = type("Desk", (), {"cook": bound})
    assert desk().cook is bound


def test_body_is_the_untouched_function() -> None:
    def plain(x: int) -> int:
        return x + 1

    made = tool(plain)
    assert made.body is plain
    assert made.body(1) == 2


async def test_a_wrapper_with_functools_wraps_still_works() -> None:
    @functools.wraps(ask)
    async def wrapped(prompt: str) -> str:
        return await ask(prompt) + "!"

    assert await wrapped("soup") == "SOUP!"
    assert wrapped.__name__ == "ask"
    assert await functools.partial(ask, "salad")() == "SALAD"


async def test_a_partial_or_a_callable_object_can_be_a_tool() -> None:
    class Adder:
        def __call__(self, x: int) -> int:
            return x + 1

    class Asker:
        async def __call__(self, x: int) -> int:
            return x + 2

    assert await tool(functools.partial(fetch.body, attempts=1))("u") == "u x1"
    assert await tool(Adder())(1) == 2
    asking = tool(Asker())
    assert asking.lane == "loop"
    assert await asking(1) == 3
    assert await tool(functools.partial(Asker(), 5))() == 7
    assert await tool(len)([1, 2]) == 2
    assert await tool(str.upper)("a") == "A"
    assert await tool((5).__add__)(1) == 6
    assert asking.__name__ == "Asker"


def test_what_other_decorators_left_on_the_function_stays_readable() -> None:
    def plain() -> None: ...

    plain.schema = {"x": 1}  # type: ignore[attr-defined]
    plain.timeout = 3  # type: ignore[attr-defined]
    assert tool(plain).schema == {"x": 1}  # type: ignore[attr-defined]


def test_repr_names_kind_function_and_lane() -> None:
    assert repr(fetch) == "<tool fetch, lane thread>"
    assert repr(chunks) == "<agent chunks, lane loop>"
    assert repr(Kitchen.cook) == "<tool Kitchen.cook, lane thread>"
    assert "Kitchen.cook" in repr(Kitchen("k").cook)


# -- methods ------------------------------------------------------------------------------------------------------


async def test_methods_are_bound_to_their_instance() -> None:
    kitchen = Kitchen("Ana")
    assert await kitchen.cook("soup") == "soup by Ana"
    assert await Kitchen.cook(kitchen, "soup") == "soup by Ana"
    assert await kitchen.serve("soup", table=7) == "soup by Ana at 7"
    assert [piece async for piece in kitchen.steps("egg")] == ["egg", "Ana"]
    assert await kitchen.cook.call("x") == "x by Ana"
    assert await kitchen.cook.options(timeout=5)("x") == "x by Ana"


async def test_a_subclass_overrides_and_extends_methods() -> None:
    bistro = Bistro("Bo")
    assert await bistro.cook("soup") == "small soup by Bo"
    assert await bistro.serve("soup") == "small soup by Bo at 1, sir"


async def test_static_and_class_methods_stand_above_the_tool() -> None:
    assert await Kitchen.wash("cup") == "clean cup"
    assert await Kitchen("k").wash("cup") == "clean cup"
    assert await Bistro.called() == "Bistro"


def test_bound_tools_are_equal_when_function_and_instance_are() -> None:
    kitchen = Kitchen("k")
    assert kitchen.cook == kitchen.cook
    assert hash(kitchen.cook) == hash(kitchen.cook)
    assert kitchen.cook != Kitchen("k").cook
    assert kitchen.cook != Kitchen.cook


async def test_a_tool_may_be_a_field_of_a_dataclass() -> None:
    @dataclass
    class Desk:
        fetcher: Callable[..., Any] = fetch
        tools: list[Any] = field(default_factory=lambda: [fetch])

    desk = Desk()
    assert desk.fetcher is fetch
    assert await desk.fetcher("u") == "u x3"
    assert await desk.tools[0]("u", attempts=1) == "u x1"


# -- options ------------------------------------------------------------------------------------------------------


async def test_options_change_one_call_and_leave_the_tool_alone() -> None:
    changed = fetch.options(timeout=30, priority="batch")
    assert (changed.asked.timeout, changed.asked.priority) == (30, "batch")
    assert (fetch.asked.timeout, fetch.asked.priority) == (None, None)
    assert await changed("u") == "u x3"
    assert changed.body is fetch.body
    assert changed.options(timeout=None).asked.priority == "batch"


def test_options_share_the_limit_unless_told_otherwise() -> None:
    limited = tool(limit=3)(fetch.body)
    assert limited.options(timeout=1).limit is limited.limit
    assert limited.options(limit=5).limit is not limited.limit
    assert limited.options(limit=None).limit is None


def test_options_refuse_what_the_decorator_refuses() -> None:
    with pytest.raises(UsageError, match=r"fetch\.options has no \['timeut'\]"):
        fetch.options(timeut=3)
    with pytest.raises(ValueError, match="timeout of fetch"):
        fetch.options(timeout=-1)
    with pytest.raises(UsageError, match="lane='process'"):
        ask.options(lane="process")


def test_call_is_the_same_call_typed_as_one() -> None:
    call = fetch.call("u", attempts=1)
    assert isinstance(call, Call)
    assert repr(call) == "fetch('u', attempts=1)"
    call.close()


# -- by name ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("made", [fetch, ask, pieces, chunks, Kitchen.cook], ids=repr)
def test_a_tool_is_pickled_and_copied_by_name(made: Any) -> None:
    assert pickle.loads(pickle.dumps(made)) is made
    assert copy.copy(made) is made
    assert copy.deepcopy(made) is made


async def test_a_bound_tool_is_pickled_with_its_instance() -> None:
    bound = pickle.loads(pickle.dumps(Kitchen("Ana").cook))
    assert isinstance(bound, BoundTool)
    assert await bound("soup") == "soup by Ana"
    copied = copy.deepcopy(Kitchen("Bea").cook)
    assert await copied("soup") == "soup by Bea"


async def test_what_options_made_is_pickled_as_the_tool_and_its_options() -> None:
    for made in (patient_fetch, fetch.options(timeout=7), fetch.options(timeout=7).options(priority="batch")):
        again = pickle.loads(pickle.dumps(made))
        assert isinstance(again, Tool)
        assert again.asked == made.asked
        assert again.body is fetch.body
        assert await again("u") == "u x3"


# -- bodies that fool us ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lane", ["thread", "inline"])
async def test_a_plain_def_that_returns_a_coroutine_is_told_how_that_comes(lane: Any) -> None:
    def hides(function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args: function(*args)

    @tool(lane=lane)
    @hides
    async def asks(x: int) -> int:
        return x

    with pytest.raises(UsageError, match=r"returned a coroutine.*hides that it is async"):
        await asks(1)


async def test_wrong_arguments_are_pythons_own_type_error_with_our_note() -> None:
    for made in (fetch, ask):
        with pytest.raises(TypeError, match="required positional argument") as caught:
            await made()  # type: ignore[call-arg]
        assert any(f"in {made.__name__}()" in note for note in caught.value.__notes__)


async def test_many_tools_in_a_class_cost_no_signature_at_each_access() -> None:
    kitchen = Kitchen("k")
    bound = kitchen.cook
    assert "__signature__" not in vars(bound)  # 20 µs, looked up by whoever wants it
    await asyncio.gather(*(kitchen.cook(str(n)) for n in range(10)))
