"""A runtime opens and closes what calls need: found where it should be, drained at its end, and never in the way."""

import asyncio
import functools
import gc
import logging
import signal
import threading
import weakref
from collections.abc import AsyncIterator
from typing import Any

import pytest

from linecook import Limit, Ok, Runtime, agent, gather, move_on_after, pipeline, remaining, resource, run, settle, tool
from linecook._runtime import current
from linecook._runtime.runtime import open_on
from linecook.pipeline.pulled import Puller
from linecook.testing import VirtualClock


@tool
def where() -> str:
    return threading.current_thread().name


@agent
async def nap(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return "rested"


async def test_calls_find_the_runtime_that_is_open_on_their_loop() -> None:
    async with Runtime() as runtime:
        assert current() is runtime
        # A context variable set in a server's start-up isn't seen by its handlers; the loop is.
        seen = await asyncio.get_running_loop().create_task(_current(), context=__import__("contextvars").Context())
        assert seen is runtime
    assert current() is not runtime


async def _current() -> Runtime:
    return current()


async def test_without_one_a_default_runtime_serves() -> None:
    assert await where()
    assert open_on(asyncio.get_running_loop()) is current()


async def test_a_runtime_inside_another_gives_back_its_place() -> None:
    async with Runtime() as outer:
        async with Runtime() as inner:
            assert current() is inner
        assert current() is outer


async def test_each_runtime_has_workers_of_its_own() -> None:
    async with Runtime(threads=2, max_threads=2) as runtime:
        await settle(where() for _ in range(20))
        assert runtime.statistics()["thread"]["max_threads"] == 2
        assert runtime.statistics()["thread"]["threads"] <= 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"threads": 0},
        {"threads": 2.5},
        {"threads": True},
        {"max_threads": 3},
        {"max_queued": -1},
        {"max_abandoned": 0},
        {"processes": 0},
    ],
)
def test_bounds_that_make_no_sense_are_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Runtime(**wrong)


async def test_a_runtime_is_opened_once() -> None:
    runtime = Runtime()
    async with runtime:
        with pytest.raises(RuntimeError, match="before"):
            runtime.open()
    with pytest.raises(RuntimeError, match="before"):
        runtime.open()


async def test_background_work_is_waited_for_at_the_end(clock: VirtualClock) -> None:
    async with Runtime(drain=5, stall=None) as runtime:
        handle = runtime.start(nap(3))
    assert handle.outcome == Ok("rested")


async def test_background_work_that_takes_too_long_is_cancelled(clock: VirtualClock) -> None:
    async with Runtime(drain=1, stall=None) as runtime:
        handle = runtime.start(nap(30))
    assert str(handle.outcome) == "Cancelled('shutdown')"
    assert clock.time() < 3


async def test_background_work_outlives_whoever_starts_it(clock: VirtualClock) -> None:
    async with Runtime(stall=None) as runtime:

        async def request() -> Any:
            return runtime.start(nap(2))

        handle = await asyncio.create_task(request())
        await asyncio.sleep(3)
        assert handle.outcome == Ok("rested")


async def test_a_failure_of_background_work_is_logged(clock: VirtualClock, caplog: pytest.LogCaptureFixture) -> None:
    @agent
    async def fails() -> None:
        raise KeyError("lost otherwise")

    with caplog.at_level(logging.ERROR, logger="linecook"):
        async with Runtime(stall=None) as runtime:
            runtime.start(fails())
    assert "lost otherwise" in caplog.text


async def test_starting_on_a_closed_runtime_is_refused(clock: VirtualClock) -> None:
    async with Runtime(stall=None) as runtime:
        pass
    with pytest.raises(RuntimeError, match="closed"):
        runtime.start(nap(1))


async def test_draining_lets_what_runs_finish_and_begins_nothing_new(clock: VirtualClock) -> None:
    async with Runtime(stall=None) as runtime:
        asyncio.get_running_loop().call_later(1.5, runtime.drain)
        reports = await settle([nap(1) for _ in range(10)], limit=1)
    assert reports.counts == {"ok": 2, "failed": 0, "timed_out": 0, "cancelled": 8}
    assert {outcome.work for outcome in reports[2:]} == {"not started"}


def test_the_default_runtime_closes_its_resources_with_the_loop() -> None:
    log: list[str] = []

    @resource
    async def client() -> AsyncIterator[str]:
        log.append("opened")
        yield "client"
        log.append("closed")

    @tool
    async def use() -> str:
        return await client()

    assert asyncio.run(_twice(use)) == ["client", "client"]
    assert log == ["opened", "closed"]


async def _twice(use: Any) -> list[str]:
    return [await use(), await use()]


def test_a_runtime_touches_neither_signals_nor_the_collector() -> None:
    async def main() -> None:
        before = signal.getsignal(signal.SIGINT), gc.get_threshold()
        async with Runtime():
            await where()
            assert (signal.getsignal(signal.SIGINT), gc.get_threshold()) == before

    asyncio.run(main())


def test_a_loop_that_is_gone_takes_its_runtime_with_it() -> None:
    async def main() -> Any:
        await where()
        return weakref.ref(current()), weakref.ref(asyncio.get_running_loop())

    gone = [asyncio.run(main()) for _ in range(5)]
    gc.collect()
    # The shared thread lane remembers the loop it served last.
    assert [loop() for _, loop in gone[:-1]] == [None] * 4
    assert [runtime() for runtime, _ in gone[:-1]] == [None] * 4


def test_the_same_tool_serves_loop_after_loop() -> None:
    for _ in range(3):
        assert run(where())
        assert asyncio.run(_await(where()))


async def _await(call: Any) -> Any:
    return await call


async def test_statistics_show_every_bound() -> None:
    async with Runtime() as runtime:
        await where()
        shown = runtime.statistics()
    assert {"threads", "max_threads", "max_queued", "max_abandoned"} <= shown["thread"].keys()
    assert {"background", "fanouts", "resisting", "limits"} <= shown.keys()


async def test_the_report_names_each_tool(clock: VirtualClock) -> None:
    async with Runtime(stall=None) as runtime:
        await where()
        assert "where" in str(runtime.report())


@pytest.mark.slow
async def test_tools_made_anew_for_each_request_count_as_one_and_are_not_kept() -> None:
    """Found by the soak: each pipeline over a lazy source was kept for ever, with all its items, by its meters."""
    seen = []

    async def request(number: int) -> int:
        def look_up() -> int:
            return number

        seen.append(weakref.ref(look_up))
        return await tool(look_up)() + await tool(functools.partial(look_up))()

    def double(number: int) -> int:
        return 2 * number

    async with Runtime(stall=None) as runtime:
        for number in range(10):
            assert await request(number) == 2 * number
            assert len(await pipeline(iter(range(100))).map(double).collect()) == 100
        gc.collect()
        assert not any(ref() for ref in seen)
        assert not any(type(found) is Puller for found in gc.get_objects())
        calls = {meter.name.rpartition(".")[2]: meter.calls for meter in runtime.meters.values()}
    assert calls["look_up"] == 20
    assert calls["double"] == 1000


def test_two_loops_in_two_threads_share_the_default_workers() -> None:
    results: list[int] = []

    async def main() -> None:
        reports = await settle(where() for _ in range(200))
        results.append(len(reports.results))

    threads = [threading.Thread(target=asyncio.run, args=(main(),)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert results == [200, 200]


async def test_a_failure_that_is_awaited_is_not_logged(clock: VirtualClock, caplog: pytest.LogCaptureFixture) -> None:
    @agent
    async def fails() -> None:
        await asyncio.sleep(1)
        raise KeyError("read")

    async with Runtime(stall=None) as runtime:
        with pytest.raises(KeyError, match="read"):
            await runtime.start(fails())
    assert caplog.text == ""


async def test_a_cancel_while_it_closes_is_not_lost(clock: VirtualClock) -> None:
    log: list[str] = []

    async def host() -> None:
        async with Runtime(stall=None, drain=5) as runtime:
            runtime.start(nap(2))
        log.append("went on")

    task = asyncio.create_task(host())
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert log == []
    assert clock.time() == pytest.approx(2, abs=0.01)  # and the background work was seen to its end


async def test_runtimes_closed_out_of_order_give_back_their_places(clock: VirtualClock) -> None:
    outermost, first, second = Runtime(stall=None), Runtime(stall=None), Runtime(stall=None)
    for runtime in (outermost, first, second):
        runtime.open()
    await first.aclose()
    await second.aclose()
    assert current() is outermost
    await outermost.aclose()


def test_a_runtime_opened_inside_run_serves_its_block() -> None:
    @agent
    async def main() -> list[bool]:
        outer = current()
        await settle([name()])
        await name()
        async with Runtime(threads=3) as inner:
            await name()
            found = [current() is inner, inner.statistics()["thread"]["start_threads"] == 3]
        return [*found, current() is outer]

    @tool
    def name() -> str:
        return threading.current_thread().name

    assert run(main()) == [True, True, True]


async def test_limits_of_one_name_are_all_shown(clock: VirtualClock) -> None:
    @tool(limit=Limit(2, name="api"))
    async def one() -> None: ...

    @tool(limit=Limit(2, name="api"))
    async def other() -> None: ...

    async with Runtime(stall=None) as runtime:
        await gather(one(), other())
        assert list(runtime.statistics()["limits"]) == ["Limit(2, name='api')", "Limit(2, name='api') #2"]


def test_loops_closed_without_a_farewell_are_not_kept() -> None:
    async def main() -> str:
        return await nap(0)

    seen = []
    for _ in range(10):
        loop = asyncio.new_event_loop()
        loop.run_until_complete(main())
        loop.close()
        seen.append(weakref.ref(loop))
    del loop
    gc.collect()
    assert sum(ref() is not None for ref in seen) <= 1


async def test_a_runtime_that_was_closed_is_not_kept_while_its_loop_runs() -> None:
    """Found by the soak: each was kept, with its lanes, until the loop it had been on was closed."""
    seen = []
    for _ in range(3):
        async with Runtime() as runtime:
            assert await where()
            seen.append(weakref.ref(runtime))
    del runtime
    await asyncio.sleep(0)
    gc.collect()
    assert not any(ref() for ref in seen)


async def test_background_work_is_not_bound_to_the_deadline_of_whoever_starts_it(clock: VirtualClock) -> None:
    @agent
    async def left() -> float | None:
        await asyncio.sleep(3)
        return remaining()

    async with Runtime(stall=None, drain=10) as runtime:
        with move_on_after(1):
            handle = runtime.start(left())
            await asyncio.sleep(2)
        assert await handle is None
