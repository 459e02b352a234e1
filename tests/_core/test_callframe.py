"""What can be read of a call, by whoever holds it, and by whoever reads an error that came through it."""

import asyncio
import gc
import time
from collections.abc import Callable
from typing import Any

import pytest

from linecook._core.callframe import NO_ARGUMENTS, CallFrame, ForeignCall, Times, call_from
from linecook._core.context import Frame
from linecook.errors import UsageError


def bake(dish: str, *toppings: str, minutes: int = 3, **more: Any) -> None: ...


class Baking(CallFrame):
    """A call of ``bake``."""

    __slots__ = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()
        self.start_empty(args, kwargs or NO_ARGUMENTS)

    @property
    def name(self) -> str:
        return "bake"

    @property
    def function(self) -> Callable[..., Any]:
        return bake


def test_arguments_have_the_names_of_their_parameters() -> None:
    assert Baking("pie", "nuts", "figs", minutes=5, oven=2).arguments == {
        "dish": "pie", "toppings": ("nuts", "figs"), "minutes": 5, "more": {"oven": 2},
    }  # fmt: skip
    assert Baking("pie").arguments == {"dish": "pie"}


def test_arguments_that_do_not_fit_are_shown_as_given() -> None:
    class Odd(Baking):
        @property
        def function(self) -> Callable[..., Any]:
            return lambda: None

    assert Odd(1, x=2).arguments == {"arg0": 1, "x": 2}


@pytest.mark.parametrize(
    ("call", "shown"),
    [
        (Baking(), "bake()"),
        (Baking("pie", minutes=5), "bake('pie', minutes=5)"),
        (Baking("x" * 1000), "bake('xxxxxxxxxxxxxxxxx...xxxxxxxxxxxxxxxxxx')"),
        (Baking(b"x" * 1000), "bake(b'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'... 1000 bytes)"),
        (Baking([1, 2, 3, 4, 5, 6]), "bake([1, 2, 3, 4, ...])"),
        (Baking(*range(10)), "bake(0, 1, 2, 3, 4, 5, 6, 7, ... 2 more)"),
        (Baking(10**5000), "bake(<int>)"),
    ],
)
def test_a_call_is_shown_in_few_characters(call: CallFrame, shown: str) -> None:
    assert repr(call) == shown


def test_a_huge_argument_is_shown_without_its_whole_text() -> None:
    began = time.process_time()
    for huge in (b"x" * 20_000_000, bytearray(20_000_000), "y" * 20_000_000, list(range(100_000))):
        assert len(repr(Baking(huge))) < 200
    assert time.process_time() - began < 1


def test_a_repr_that_fails_shows_the_type() -> None:
    class Rude:
        def __repr__(self) -> str:
            raise RuntimeError("no")

    assert repr(Baking(Rude(), 1)).startswith("bake(<Rude")
    assert repr(Baking(Rude(), 1)).endswith(", 1)")


def test_times_go_on_while_the_body_runs() -> None:
    call = Baking()
    assert call.times == Times(0.0, 0.0, 0, "loop")
    call.running = -(time.monotonic() - 5)
    assert 5 <= call.times.running < 100
    call.running += time.monotonic()
    assert call.running == call.times.running >= 5


def test_a_key_is_made_once() -> None:
    call = Baking()
    assert call.key() == call.key()
    assert call.key() != Baking().key()


# -- signatures on errors -----------------------------------------------------------------------------------------


def test_calls_sign_an_error_from_the_inside_out() -> None:
    outer, middle, inner = Baking("outer"), Frame(), Baking("inner")
    outer.adopt(middle)
    middle.adopt(inner)
    error = RuntimeError()
    error.add_note("the user's own, in his words on lane changes")
    for call in (inner, outer):
        call.sign(error)
        call.sign(error)
    assert error.__notes__ == [
        "the user's own, in his words on lane changes",
        "in bake('inner') on lane loop, attempt 0",
        "in bake('outer') on lane loop, attempt 0",
    ]


def test_an_error_that_comes_another_way_sheds_the_signatures_of_the_last() -> None:
    error = RuntimeError()
    for number in range(1000):
        Baking(number).sign(error)
    assert error.__notes__ == ["in bake(999) on lane loop, attempt 0"]


def test_signing_keeps_no_call_alive() -> None:
    import weakref

    error, call = RuntimeError(), Baking("x")
    seen = weakref.ref(call)
    call.sign(error)
    del call
    gc.collect()
    assert seen() is None


# -- what can be handed over --------------------------------------------------------------------------------------


async def plain() -> str:
    return "plain"


async def test_a_plain_coroutine_becomes_a_call() -> None:
    call = call_from(plain())
    assert isinstance(call, ForeignCall)
    assert (call.name, repr(call), call.arguments) == ("plain", "plain(...)", {})
    with pytest.raises(AttributeError, match="plain is a plain coroutine"):
        _ = call.function
    assert await call.begin(None) == "plain"
    assert call.times.attempts == 1


async def test_a_discarded_coroutine_is_closed_without_a_warning() -> None:
    call_from(plain()).discard()


async def test_what_is_no_call_is_refused_by_name() -> None:
    call = Baking()
    assert call_from(call) is call
    task = asyncio.create_task(plain())
    with pytest.raises(UsageError, match="runs already; hand over the call or coroutine itself"):
        call_from(task)
    assert await task == "plain"
    with pytest.raises(UsageError, match=r"'plain' is a function, not a call; call it: f\(...\)"):
        call_from(plain)
    for thing in (3, None, "soup", [1]):
        with pytest.raises(UsageError, match=r"expected a call such as fetch\(url\), or a coroutine; got"):
            call_from(thing)


def test_a_call_has_its_name_from_its_first_moment() -> None:
    # The stall watch meets frames while they are made; one without a name ended its sampling.
    class Watched(ForeignCall):
        __slots__ = ()

        def start_empty(self, *args: Any) -> None:
            names.append(self.name)
            super().start_empty(*args)

    async def bake() -> None: ...

    names: list[str] = []
    coroutine = bake()
    Watched(coroutine)
    coroutine.close()
    assert names[0].endswith("bake")
