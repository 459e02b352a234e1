"""A call is a value: it runs once, when awaited, wherever a coroutine is welcome, and is never lost in silence."""

import asyncio
import collections.abc
import gc
import inspect
import threading
import warnings
from contextvars import ContextVar
from typing import Any

import pytest

from linecook import Call, Runtime, agent, gather, pipeline, scope, settle, tool
from linecook._core.supervise import where
from linecook.errors import AlreadyRun, BodyExited, NestedTool
from linecook.testing import VirtualClock
from tests.tools import process_tools

ran: list[str] = []


@tool
async def shout(word: str, *, mark: str = "!") -> str:
    ran.append(word)
    await asyncio.sleep(0)
    return word.upper() + mark


@tool
def shout_on_a_thread(word: str) -> str:
    return f"{word.upper()} in {threading.current_thread().name}"


@agent
async def crier(word: str) -> str:
    return await shout(word)


async def test_calling_starts_nothing() -> None:
    ran.clear()
    call = shout("soup")
    await asyncio.sleep(0)
    assert ran == []
    assert await call == "SOUP!"


async def test_a_call_shows_function_and_arguments() -> None:
    call = shout.call("soup", mark="?")
    assert repr(call) == "shout('soup', mark='?')"
    assert call.name == "shout"
    assert call.function is shout.body
    assert call.arguments == {"word": "soup", "mark": "?"}
    assert call.lane == "loop"
    assert call.index is None
    assert call.times.attempts == 0
    call.close()


async def test_a_call_is_a_coroutine_to_python() -> None:
    call = shout("a")
    assert isinstance(call, Call)
    assert isinstance(call, collections.abc.Coroutine)
    assert inspect.isawaitable(call)
    assert asyncio.iscoroutine(call)
    call.close()


async def test_whoever_takes_a_coroutine_takes_a_call() -> None:
    assert await asyncio.create_task(shout("task")) == "TASK!"
    assert await asyncio.gather(shout("a"), crier("b")) == ["A!", "B!"]
    assert await asyncio.wait_for(shout("waited"), 5) == "WAITED!"
    assert await asyncio.shield(shout("shielded")) == "SHIELDED!"
    assert await asyncio.ensure_future(shout("ensured")) == "ENSURED!"
    async with asyncio.TaskGroup() as group:
        task = group.create_task(shout("grouped"))
    assert task.result() == "GROUPED!"


def test_asyncio_run_takes_a_call() -> None:
    assert asyncio.run(crier("main")) == "MAIN!"


async def test_a_call_in_a_task_of_its_own_is_cancelled_with_the_task() -> None:
    log: list[str] = []

    @agent
    async def napper() -> None:
        try:
            await asyncio.sleep(100)
        finally:
            log.append("woken")

    task = asyncio.create_task(napper())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert log == ["woken"]


async def test_a_task_cancelled_before_its_first_step_leaves_no_warning() -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        task = asyncio.create_task(shout("never"))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        del task
        gc.collect()
    assert told == []


async def test_a_call_is_awaited_once() -> None:
    call = shout("once")
    await call
    with pytest.raises(AlreadyRun, match=r"shout\('once'\).*call\.again\(\)"):
        await call


@pytest.mark.parametrize("again", ["gather", "task", "scope"])
async def test_a_call_that_ran_is_refused_by_name_everywhere(again: str) -> None:
    call = shout("once")
    await call
    with pytest.raises(AlreadyRun, match=r"shout\('once'\)"):
        match again:
            case "gather":
                await gather([call])
            case "task":
                await asyncio.create_task(call)
            case _:
                async with scope() as s:
                    await s.start(call)


async def test_again_makes_a_new_call_of_the_same() -> None:
    call = shout.call("again", mark="?")
    assert await call == "AGAIN?"
    second = call.again()
    assert second is not call
    assert await second == "AGAIN?"
    unrun = shout.call("x")
    unrun.again().close()
    unrun.close()


def dropped() -> list[warnings.WarningMessage]:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        shout("dropped")
        gc.collect()
    return list(told)


def test_a_call_that_was_dropped_is_reported_by_name() -> None:
    (warning,) = dropped()
    assert warning.category is RuntimeWarning
    assert str(warning.message) == "call shout('dropped') was never awaited"


async def test_a_call_handed_over_discarded_or_closed_is_not_reported() -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        shout("closed").close()
        await settle([shout("a")], timeout=5)
        with pytest.raises(ZeroDivisionError):
            await gather(fail(), shout("begun and cancelled"))
        await settle([shout(str(n)) for n in range(3)], limit=1)
        gc.collect()
    assert [str(each.message) for each in told] == []


@agent
async def fail() -> None:
    raise ZeroDivisionError


def test_a_call_made_in_one_loop_runs_in_another() -> None:
    made: list[Any] = []

    async def make() -> None:
        made.append(shout("elsewhere"))

    async def use() -> str:
        result: str = await made[0]
        return result

    asyncio.run(make())
    assert asyncio.run(use()) == "ELSEWHERE!"


async def test_a_call_runs_on_a_loop_in_a_thread() -> None:
    assert await in_a_loop_of_its_own(crier("thread")) == "THREAD!"


async def in_a_loop_of_its_own(call: Any) -> Any:
    """Run *call* on an event loop in another thread, and bring the answer back."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Any] = loop.create_future()

    async def main() -> Any:
        return await call

    def run() -> None:
        loop.call_soon_threadsafe(answer.set_result, asyncio.run(main()))

    thread = threading.Thread(target=run)
    thread.start()
    try:
        return await asyncio.wait_for(answer, 20)
    finally:
        thread.join(20)


async def test_a_call_of_a_thread_tool_runs_in_two_loops_at_once() -> None:
    there = in_a_loop_of_its_own(shout_on_a_thread("there"))
    here, there = await asyncio.gather(shout_on_a_thread("here"), there)
    assert here.startswith("HERE in ")
    assert there.startswith("THERE in ")


async def test_closing_a_call_that_waits_ends_its_body() -> None:
    log: list[str] = []

    @agent
    async def waiter() -> None:
        try:
            await asyncio.sleep(100)
        except GeneratorExit:
            log.append("closed")
            raise

    call = waiter()
    call.send(None)
    call.close()
    assert log == ["closed"]


async def test_throwing_into_a_call_that_never_began_raises_and_uses_it_up() -> None:
    call = shout("thrown")
    with pytest.raises(KeyError):
        call.throw(KeyError("k"))
    with pytest.raises(AlreadyRun):
        await call


# -- a tool is a leaf ---------------------------------------------------------------------------------------------


@tool
async def outer_async() -> str:
    return await shout("inner")


@tool
def outer_sync() -> Any:
    return shout("inner")


@tool(lane="inline")
def outer_inline() -> Any:
    return shout("inner")


@pytest.mark.parametrize("outer", [outer_async, outer_sync, outer_inline], ids=["loop", "thread", "inline"])
async def test_a_tool_that_calls_a_tool_is_told_both_names_and_the_cures(outer: Any) -> None:
    with pytest.raises(NestedTool) as caught:
        await outer()
    text = str(caught.value)
    assert outer.__name__ in text
    assert "shout" in text
    assert "agent" in text
    assert "shout.body(...)" in text


@pytest.mark.slow
async def test_a_tool_in_a_process_that_calls_a_tool_is_told_so() -> None:
    async with Runtime(processes=1, stall=None):
        with pytest.raises(NestedTool, match=r"in this process calls add.*add\.body"):
            await process_tools.calls_another()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["system", "keyboard", "stop"])
async def test_an_exit_in_a_process_reaches_the_caller_as_body_exited(kind: str) -> None:
    async with Runtime(processes=1, stall=None):
        with pytest.raises(BodyExited) as caught:
            await process_tools.exits(kind)
        assert isinstance(caught.value.__cause__, (SystemExit, KeyboardInterrupt, StopIteration))
        assert await process_tools.add(1, 2) == 3


async def test_an_agent_called_by_a_tool_is_a_nested_call_too() -> None:
    @tool
    async def leaf() -> str:
        return await crier("x")

    with pytest.raises(NestedTool, match="leaf calls crier"):
        await leaf()


async def test_a_call_made_outside_and_awaited_inside_a_tool_is_nested() -> None:
    call = shout("smuggled")

    @tool
    async def leaf() -> str:
        return await call

    with pytest.raises(NestedTool, match="leaf calls shout"):
        await leaf()


async def by_gather(word: str) -> Any:
    return (await gather(shout(word)))[0]


async def by_scope(word: str) -> Any:
    async with scope() as crew:
        return await crew.start(shout(word))


async def by_pipeline(word: str) -> Any:
    return await pipeline([word]).map(shout).collect()


async def by_two(word: str) -> Any:
    async with scope():
        return await gather(shout(word))


@pytest.mark.parametrize("fans_out", [by_gather, by_scope, by_pipeline, by_two])
async def test_a_tool_cannot_call_a_tool_by_fanning_out_either(fans_out: Any) -> None:
    @tool
    async def leaf() -> Any:
        return await fans_out("x")

    @agent
    async def orchestrates() -> Any:
        return await fans_out("x")

    with pytest.raises(NestedTool, match="the tool leaf calls shout"):
        await leaf()
    assert "X" in str(await orchestrates())


async def test_the_body_of_a_tool_may_be_used_inside_a_tool() -> None:
    @tool
    async def leaf() -> str:
        return await shout.body("inner")

    assert await leaf() == "INNER!"


async def test_a_helper_task_of_an_agent_may_call_tools_while_the_agent_waits_for_a_tool(clock: VirtualClock) -> None:
    @tool
    async def slow() -> str:
        await asyncio.sleep(1)
        return "slow"

    @agent
    async def busy() -> list[str]:
        helper = asyncio.create_task(shout("helper"))
        return [await slow(), await helper]

    assert await busy() == ["slow", "HELPER!"]


# -- failures -----------------------------------------------------------------------------------------------------


async def test_a_failure_is_the_bodys_own_with_a_note_that_names_the_call() -> None:
    @tool
    async def burn(dish: str) -> None:
        raise RuntimeError(f"{dish} is burnt")

    with pytest.raises(RuntimeError, match="toast is burnt") as caught:
        await burn("toast")
    assert caught.value.__notes__ == ["in burn('toast') on lane loop, attempt 1"]


async def test_the_notes_lead_from_the_tool_to_the_outermost_agent() -> None:
    @tool
    def burn() -> None:
        raise RuntimeError("burnt")

    @agent
    async def cook() -> None:
        await burn()

    @agent
    async def chef() -> None:
        await gather(cook())

    with pytest.raises(RuntimeError) as caught:
        await chef()
    assert caught.value.__notes__ == [
        "in burn() on lane thread, attempt 1",
        "in cook() on lane loop, attempt 1",
        "in chef() on lane loop, attempt 1",
    ]


async def test_one_error_object_raised_again_and_again_keeps_the_notes_of_its_last_way_only() -> None:
    only = RuntimeError("the module's only one")

    @tool
    async def burn(dish: int) -> None:
        raise only

    @agent
    async def cook(dish: int) -> None:
        await burn(dish)

    for dish in range(20):
        with pytest.raises(RuntimeError):
            await cook(dish)
    assert only.__notes__ == ["in burn(19) on lane loop, attempt 1", "in cook(19) on lane loop, attempt 1"]


async def test_a_note_stays_short_whatever_the_arguments() -> None:
    @tool
    async def burn(*dishes: Any, **more: Any) -> None:
        raise RuntimeError

    class Rude:
        def __repr__(self) -> str:
            raise ValueError("no")

    big = [b"x" * 10_000_000, "y" * 10_000_000, list(range(1_000_000)), 10**10_000, {n: n for n in range(1000)}, Rude()]
    with pytest.raises(RuntimeError) as caught:
        await burn(*big, *range(500), **{f"k{n}": n for n in range(500)})
    (note,) = caught.value.__notes__
    assert len(note) < 1000
    assert "more" in note


EXITS = [StopIteration(7), SystemExit(3), KeyboardInterrupt(), GeneratorExit(), asyncio.CancelledError("unasked")]


@tool
async def exit_on_loop(error: BaseException) -> None:
    if isinstance(error, StopIteration):  # which a coroutine turns into RuntimeError by itself
        raise StopAsyncIteration(7)
    await asyncio.sleep(0)
    raise error


@tool(timeout=5)
async def exit_in_own_task(error: BaseException) -> None:
    await exit_on_loop.body(error)


@tool(lane="inline")
def exit_inline(error: BaseException) -> None:
    raise error


@tool
def exit_on_thread(error: BaseException) -> None:
    raise error


@agent
async def exit_from_agent(error: BaseException) -> None:
    await exit_on_loop.body(error)


LANES = [exit_on_loop, exit_in_own_task, exit_inline, exit_on_thread, exit_from_agent]


@pytest.mark.parametrize("error", EXITS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("exits", LANES, ids=lambda tool: tool.__name__)
async def test_an_exit_raised_by_a_body_reaches_the_caller_as_body_exited(exits: Any, error: BaseException) -> None:
    with pytest.raises(BodyExited) as caught:
        await exits(error)
    assert isinstance(caught.value.__cause__, (type(error), StopAsyncIteration))
    assert exits.__name__ in str(caught.value)
    assert any(f"in {exits.__name__}(" in note for note in caught.value.__notes__)
    (outcome,) = await settle([exits(error)])
    assert isinstance(getattr(outcome, "error", None), BodyExited)


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()], ids=lambda error: type(error).__name__)
async def test_an_exit_in_a_task_of_its_own_does_not_end_the_loop(error: BaseException) -> None:
    task = asyncio.create_task(exit_on_loop(error))
    with pytest.raises(BodyExited):
        await task


@pytest.mark.parametrize("exits", LANES, ids=lambda tool: tool.__name__)
async def test_the_users_line_stands_in_the_traceback(exits: Any) -> None:
    import traceback

    with pytest.raises(BodyExited) as caught:
        await exits(SystemExit(3))
    assert "raise error" in "".join(traceback.format_exception(caught.value))


# -- context ------------------------------------------------------------------------------------------------------

flavour: ContextVar[str] = ContextVar("flavour", default="plain")


@tool
def taste_on_thread() -> str:
    tasted = flavour.get()
    flavour.set("spoilt")
    return tasted


@tool(timeout=5)
async def taste_in_own_task() -> str:
    tasted = flavour.get()
    flavour.set("spoilt")
    return tasted


@pytest.mark.parametrize("taste", [taste_on_thread, taste_in_own_task])
async def test_a_body_sees_the_callers_context_and_leaves_it_alone(taste: Any) -> None:
    flavour.set("sweet")
    assert await taste() == "sweet"
    assert flavour.get() == "sweet"


async def test_a_loop_tool_sees_the_callers_context() -> None:
    @tool
    async def taste() -> str:
        return flavour.get()

    flavour.set("sour")
    assert await taste() == "sour"


async def test_a_finished_call_of_a_fan_out_knows_its_times() -> None:
    @tool
    async def nap() -> None:
        await asyncio.sleep(0.01)

    call = nap.call()
    await settle([call])
    assert call.times.running >= 0.009
    assert (call.times.attempts, call.times.lane) == (1, "loop")


async def test_where_a_task_waits_is_found_through_all_its_calls() -> None:
    @agent
    async def inner() -> None:
        await asyncio.Event().wait()

    @agent
    async def outer() -> None:
        await inner()

    for call in (outer(), outer.options(timeout=50)()):
        task = asyncio.create_task(call)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        places = [where(each) for each in asyncio.all_tasks() if each is not asyncio.current_task()]
        assert any(place.endswith("in inner") and __file__ in place for place in places), places
        assert task.get_stack()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_a_call_knows_its_place_in_the_tree() -> None:
    paths: list[str] = []

    @tool
    async def leaf() -> None:
        from linecook._core.context import current_frame

        frame = current_frame.get()
        assert frame is not None
        paths.append(frame.path)

    @agent
    async def root() -> None:
        await leaf()
        await leaf()

    await root()
    assert paths == ["root/leaf:0", "root/leaf:1"]
