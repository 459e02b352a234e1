"""A stream: pieces as they are made, no faster than they are read, on time, and ended when nobody reads on."""

import asyncio
import gc
import logging
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextvars import ContextVar
from typing import Any

import pytest

from linecook import Runtime, agent, call_key, fail_after, gather, remaining, settle, tool
from linecook.errors import AlreadyRun, BodyExited, CallCancelled, NestedTool, TimedOutError, UsageError
from linecook.testing import VirtualClock
from linecook.tools.pump import BUFFER

log: list[str] = []


@tool
async def count(to: int, every: float = 0.0) -> AsyncIterator[int]:
    try:
        for number in range(to):
            if every:
                await asyncio.sleep(every)
            log.append(f"made {number}")
            yield number
    finally:
        log.append("closed")


@tool
def count_on_threads(to: int, every: float = 0.0) -> Iterator[int]:
    try:
        for number in range(to):
            if every:
                time.sleep(every)
            log.append(f"made {number}")
            yield number
    finally:
        log.append(f"closed on {threading.current_thread().name}")


BOTH = pytest.mark.parametrize("counted", [count, count_on_threads])


@pytest.fixture(autouse=True)
def fresh_log() -> None:
    log.clear()


async def until(said: str) -> None:
    """Wait until the log says *said*."""
    for _ in range(2000):
        if any(line.startswith(said) for line in log):
            return
        await asyncio.sleep(0.002)
    raise AssertionError(f"nobody said {said!r}: {log}")


@BOTH
async def test_pieces_come_in_order_and_then_end(counted: Any) -> None:
    assert [piece async for piece in counted(100)] == list(range(100))
    assert [piece async for piece in counted(0)] == []
    assert log[-1].startswith("closed") or not log


@BOTH
async def test_nothing_begins_before_it_is_read(counted: Any) -> None:
    stream = counted(3)
    await asyncio.sleep(0.01)
    assert log == []
    assert [piece async for piece in stream] == [0, 1, 2]


@BOTH
async def test_a_slow_reader_slows_the_writer(counted: Any) -> None:
    async with counted(1000) as pieces:
        assert await anext(pieces) == 0
        await asyncio.sleep(0.05)
        made = len([line for line in log if line.startswith("made")])
        assert made <= 2 * BUFFER + 2


@BOTH
async def test_leaving_the_block_closes_the_generator(counted: Any) -> None:
    async with counted(1000) as pieces:
        async for piece in pieces:
            if piece == 3:
                break
    assert log[-1].startswith("closed")
    if counted is count_on_threads:
        assert "MainThread" not in log[-1]
    with pytest.raises(StopAsyncIteration):
        await anext(pieces)


@BOTH
async def test_a_stream_left_early_without_a_block_is_closed_when_it_is_dropped(counted: Any) -> None:
    async for piece in counted(1000):
        if piece == 3:
            break
    gc.collect()
    await until("closed")
    while len(asyncio.all_tasks()) > 1:  # who has it closed learns of that a moment later
        await asyncio.sleep(0.002)


def _innermost(deep: Any) -> Any:
    while isinstance(deep, list):
        deep = deep[0]
    return deep


@pytest.mark.slow
@BOTH
async def test_a_stream_dropped_in_a_circle_is_closed_and_not_collected_while_it_waits(
    counted: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Found by the soak: nobody but the stream held its task, and a collection took both before it could end."""
    deep: list[Any] = [counted(1000)]
    for _ in range(20):
        deep = [deep]
    circle: list[Any] = [deep]
    circle.append(circle)

    async def read_from(circle: Any) -> None:
        stream = _innermost(circle)
        assert await anext(stream) == 0
        while len(stream._pump.pieces) < BUFFER:  # it waits for room
            await asyncio.sleep(0.002)
        del stream
        gc.collect()  # puts the objects in the order in which they are found: now the stream comes late

    await asyncio.create_task(read_from(circle))
    await asyncio.sleep(0)
    del deep, circle
    collecting = threading.Thread(target=gc.collect)  # wherever a collection happens to begin
    collecting.start()
    collecting.join()
    await until("closed")
    while len(asyncio.all_tasks()) > 1:
        await asyncio.sleep(0.002)
    if counted is count_on_threads:
        assert "MainThread" not in log[-1]
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


@BOTH
async def test_a_stream_closed_before_it_was_read_yields_nothing(counted: Any) -> None:
    stream = counted(3)
    await stream.aclose()
    assert [piece async for piece in stream] == []
    assert log == []
    await stream.aclose()


@tool
async def spoil(after: int) -> AsyncIterator[int]:
    for number in range(after):
        yield number
    raise RuntimeError("spoilt")


@tool
def spoil_on_threads(after: int) -> Iterator[int]:
    yield from range(after)
    raise RuntimeError("spoilt")


@pytest.mark.parametrize("spoils", [spoil, spoil_on_threads])
async def test_an_error_comes_after_the_pieces_made_before_it(spoils: Any) -> None:
    pieces: list[int] = []
    stream = spoils(40)
    with pytest.raises(RuntimeError, match="spoilt") as caught:
        async for piece in stream:
            pieces += [piece]
    assert pieces == list(range(40))
    assert caught.value.__notes__ == [f"in {spoils.__name__}(40) on lane {spoils.lane}, attempt 1"]
    import traceback

    assert 'raise RuntimeError("spoilt")' in "".join(traceback.format_exception(caught.value))
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


@tool
async def leave(error: BaseException) -> AsyncIterator[int]:
    yield 1
    raise error


@tool
def leave_on_threads(error: BaseException) -> Iterator[int]:
    yield 1
    raise error


@pytest.mark.parametrize("leaves", [leave, leave_on_threads])
@pytest.mark.parametrize(
    "error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), asyncio.CancelledError("unasked")], ids=repr
)
async def test_an_exit_raised_by_a_generator_reaches_the_reader_as_body_exited(
    leaves: Any, error: BaseException
) -> None:
    pieces: list[int] = []
    with pytest.raises(BodyExited) as caught:
        async for piece in leaves(error):
            pieces += [piece]
    assert pieces == [1]
    assert isinstance(caught.value.__cause__, type(error))


# -- clocks -------------------------------------------------------------------------------------------------------


async def test_idle_timeout_bounds_the_wait_for_each_piece(clock: VirtualClock) -> None:
    patient = count.options(idle_timeout=2)
    assert [piece async for piece in patient(5, 1.5)] == [0, 1, 2, 3, 4]
    assert clock.time() > 7
    pieces: list[int] = []
    with pytest.raises(TimedOutError) as caught:
        async for piece in count.options(idle_timeout=2)(5, 2.5):
            pieces += [piece]
    assert pieces == []
    assert caught.value.whose == "idle_timeout of count"
    assert str(caught.value) == (
        "count(5, 2.5) made no piece within idle_timeout=2 s; 0 pieces before, none for 2 s; in all 0 s queued + 2 s "
        "running"
    )


async def test_a_slow_reader_is_not_charged_for_his_own_pauses(clock: VirtualClock) -> None:
    async for _ in count.options(idle_timeout=1)(5, 0.5):
        await asyncio.sleep(3)


async def test_timeout_bounds_the_whole_stream(clock: VirtualClock) -> None:
    pieces: list[int] = []
    with pytest.raises(TimedOutError) as caught:
        async for piece in count.options(timeout=3.5)(100, 1.0):
            pieces += [piece]
    assert pieces == [0, 1, 2]
    assert caught.value.whose == "timeout of count"
    assert "did not end within timeout=3.5 s; 3 pieces before; in all 0 s queued + 3.5 s running" in str(caught.value)
    await asyncio.sleep(0.1)
    assert log[-1] == "closed"


async def test_a_generator_that_hangs_on_a_thread_is_abandoned() -> None:
    event = threading.Event()

    @tool(idle_timeout=0.05)
    def hangs() -> Iterator[int]:
        yield 1
        event.wait(20)
        yield 2

    pieces: list[int] = []
    async with Runtime(stall=None) as runtime:
        with pytest.raises(TimedOutError) as caught:
            async for piece in hangs():
                pieces += [piece]
        assert pieces in ([1], [])  # a piece is handed over when its pull ends
        assert caught.value.work == "abandoned"
        assert runtime.statistics()["thread"]["abandoned"] == 1
        event.set()


async def test_a_body_sees_its_streams_deadline(clock: VirtualClock) -> None:
    @tool(timeout=5)
    async def left() -> AsyncIterator[float | None]:
        yield remaining()

    (seen,) = [piece async for piece in left()]
    assert seen is not None
    assert 4 < seen <= 5
    assert remaining() is None


async def test_an_ambient_deadline_ends_the_wait_for_a_piece(clock: VirtualClock) -> None:
    stream = count(5, 10.0)
    with pytest.raises(TimedOutError, match="fail_after"):
        with fail_after(3):
            await anext(stream)
    await stream.aclose()
    assert log == ["closed"]


@pytest.mark.leaves("tasks")  # one that swallows every cancellation: the subject
async def test_a_generator_that_swallows_cancellation_is_reported(
    clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    over = asyncio.Event()

    @tool(timeout=1)
    async def stubborn() -> AsyncIterator[int]:
        while not over.is_set():
            try:
                await asyncio.sleep(1000)
            except asyncio.CancelledError:
                continue
        yield 1

    with pytest.raises(TimedOutError):
        await anext(stubborn())
    await asyncio.sleep(5)
    assert "runs on" in caplog.text
    over.set()


# -- who reads, and who cancels -----------------------------------------------------------------------------------


@BOTH
async def test_cancelling_the_reader_ends_the_body(counted: Any) -> None:
    async def read() -> None:
        async with counted(10**9, 0.001) as pieces:
            async for _ in pieces:
                pass

    task = asyncio.create_task(read())
    await until("made 3")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert log[-1].startswith("closed")


async def test_a_stream_cancelled_by_somebody_else_does_not_look_finished(clock: VirtualClock) -> None:
    stream = count(100, 1.0)
    assert await anext(stream) == 0
    (body,) = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    body.cancel()
    with pytest.raises(CallCancelled):
        async for _ in stream:
            pass


async def test_a_stream_has_one_reader(clock: VirtualClock) -> None:
    stream = count(3, 1.0)
    first = asyncio.create_task(anext(stream))  # type: ignore[arg-type]
    await asyncio.sleep(0.1)
    with pytest.raises(AlreadyRun, match=r"count\(3, 1\.0\) is being read by another task"):
        await anext(stream)
    assert await first == 0
    assert [piece async for piece in stream] == [1, 2]


async def test_awaiting_a_stream_or_reading_it_with_for_says_what_to_write() -> None:
    with pytest.raises(UsageError, match="read it with 'async for', not with 'await'"):
        await count(3)  # type: ignore[misc]
    with pytest.raises(UsageError, match="'async for', not with 'for'"):
        list(count(3))  # type: ignore[call-overload]


async def test_repr_and_call_name_function_and_arguments() -> None:
    stream = count(3)
    assert repr(stream) == "<stream count(3)>"
    assert stream.call.arguments == {"to": 3}
    assert [piece async for piece in stream] == [0, 1, 2]
    assert stream.call.times.attempts == 1


# -- limits, context, nesting -------------------------------------------------------------------------------------


async def test_a_place_is_held_while_the_stream_runs(clock: VirtualClock) -> None:
    one = count.options(limit=1)
    first = one(3, 1.0)
    assert await anext(first) == 0
    second = one(1)
    with pytest.raises(TimedOutError):
        with fail_after(0.5):
            await anext(second)
    assert [piece async for piece in first] == [1, 2]
    assert [piece async for piece in second] == [0]


flavour: ContextVar[str] = ContextVar("flavour", default="plain")


@tool
def tastes() -> Iterator[str]:
    while True:
        yield flavour.get()
        flavour.set(flavour.get() + "!")


@tool
async def tastes_on_loop() -> AsyncIterator[str]:
    while True:
        yield flavour.get()
        flavour.set(flavour.get() + "!")


@pytest.mark.parametrize("tasting", [tastes, tastes_on_loop])
async def test_a_generator_keeps_its_context_from_pull_to_pull(tasting: Any) -> None:
    flavour.set("sweet")
    async with tasting() as pieces:
        assert [await anext(pieces) for _ in range(3)] == ["sweet", "sweet!", "sweet!!"]
    assert flavour.get() == "sweet"


async def test_a_stream_tool_calls_no_tool_and_an_agent_stream_does() -> None:
    @tool
    def leaf(x: int) -> int:
        return x * 2

    @tool
    async def calls() -> AsyncIterator[int]:
        yield await leaf(1)

    @tool
    def calls_on_threads() -> Iterator[Any]:
        yield leaf(1)

    for nests in (calls, calls_on_threads):
        with pytest.raises(NestedTool, match=f"{nests.__name__} calls leaf"):
            await anext(nests())  # type: ignore[arg-type]

    @agent
    async def doubles(to: int) -> AsyncIterator[int]:
        async for piece in count(to):
            yield await leaf(piece)

    assert [piece async for piece in doubles(4)] == [0, 2, 4, 6]


async def test_a_stream_has_a_key_of_its_own() -> None:
    @tool
    def keyed() -> Iterator[str]:
        yield call_key()
        yield call_key()

    first = [piece async for piece in keyed()]
    assert first[0] == first[1]
    assert await anext(keyed()) != first[0]


@pytest.mark.slow
async def test_four_sync_generators_on_four_threads_whose_readers_call_thread_tools_never_wait_for_each_other() -> None:
    @tool
    def look_up(number: int) -> int:
        time.sleep(0.001)
        return number * 10

    @agent
    async def read() -> list[int]:
        return [await look_up(piece) async for piece in count_on_threads(50, 0.0005)]

    async with Runtime(threads=4, max_threads=4, stall=None):
        with fail_after(20):
            answers = await gather([read() for _ in range(8)])
    assert answers == [[n * 10 for n in range(50)]] * 8


async def test_a_thousand_streams_at_once_hold_no_thread_between_pulls() -> None:
    @agent
    async def total() -> int:
        return sum([piece async for piece in count_on_threads(3)])

    async with Runtime(threads=2, max_threads=2, stall=None):
        outcomes = await settle((total() for _ in range(200)), timeout=20)
    assert outcomes.results == [3] * 200


async def test_a_stream_in_a_loop_that_closed_is_dropped_in_peace(caplog: pytest.LogCaptureFixture) -> None:
    kept: list[Any] = []

    async def main() -> None:
        stream = count_on_threads(100)
        kept.append(stream)
        assert await anext(stream) == 0

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    while thread.is_alive():
        await asyncio.sleep(0.005)
    kept.clear()
    gc.collect()
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


@pytest.mark.parametrize("counted", [count.options(timeout=5), count_on_threads.options(timeout=5)])
async def test_options_of_a_stream_make_streams(counted: Any) -> None:
    assert [piece async for piece in counted(3)] == [0, 1, 2]


async def test_uvloop_streams_as_well() -> None:
    uvloop = pytest.importorskip("uvloop")
    answers: list[Any] = []

    async def main() -> list[int]:
        return [piece async for piece in count_on_threads(40)] + [piece async for piece in count(40)]

    def run() -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            answers.append(runner.run(main()))

    thread = threading.Thread(target=run)
    thread.start()
    while thread.is_alive():
        await asyncio.sleep(0.005)
    assert answers == [[*range(40), *range(40)]]


async def test_a_stream_that_may_not_be_read_here_says_so_each_time(clock: VirtualClock) -> None:
    @tool
    async def reads(pieces: Any) -> list[int]:
        with pytest.raises(NestedTool):
            await anext(pieces)
        return [piece async for piece in pieces]

    with pytest.raises(NestedTool, match="reads calls count"):
        await reads(count(2))


async def test_a_cancel_while_the_block_is_left_is_not_lost(clock: VirtualClock) -> None:
    @agent
    async def slow_to_end() -> AsyncIterator[int]:
        try:
            yield 1
            await asyncio.sleep(1000)
        finally:
            await asyncio.sleep(0.2)

    async def reader() -> None:
        async with slow_to_end() as pieces:
            async for _ in pieces:
                break
        log.append("went on")

    task = asyncio.create_task(reader())
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert log == []


async def test_a_failure_in_the_clean_up_of_a_stream_is_logged(
    clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    @agent
    async def fails_at_last() -> AsyncIterator[int]:
        try:
            yield 1
            await asyncio.sleep(1000)
        finally:
            raise KeyError("lost otherwise")

    async with fails_at_last() as pieces:
        async for _ in pieces:
            break
    assert "failed in its clean-up" in caplog.text
    assert "lost otherwise" in caplog.text


async def test_a_cancelled_reader_ends_the_body_though_its_traceback_keeps_the_stream(clock: VirtualClock) -> None:
    async def reader(pieces: Any) -> None:
        try:
            async for _ in pieces:
                pass
        except asyncio.CancelledError as error:
            kept.append((error, pieces))
            raise

    kept: list[Any] = []
    task = asyncio.create_task(reader(count(3, every=10)))
    await asyncio.sleep(15)
    task.cancel()
    await asyncio.sleep(1)
    assert kept
    assert log == ["made 0", "closed"]


async def test_a_reader_cancelled_between_two_pieces_ends_the_body_too(clock: VirtualClock) -> None:
    async def reader(pieces: Any) -> None:
        async for _ in pieces:
            await asyncio.sleep(1000)

    pieces = count(3, every=10)
    task = asyncio.create_task(reader(pieces))
    await asyncio.sleep(15)
    task.cancel()
    await asyncio.sleep(1)
    assert log == ["made 0", "closed"]


async def test_a_read_that_was_given_up_may_be_tried_again(clock: VirtualClock) -> None:
    pieces = count(2, every=10)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(pieces), 1)  # a task of its own before Python 3.12
    await asyncio.sleep(1)
    assert [piece async for piece in pieces] == [0, 1]


async def test_another_task_may_read_on_where_one_has_stopped(clock: VirtualClock) -> None:
    pieces = count(2, every=10)
    assert await asyncio.create_task(pieces.__anext__()) == 0

    async def rest() -> list[int]:
        return [piece async for piece in pieces]

    assert await asyncio.create_task(rest()) == [1]


def test_a_stream_that_nobody_reads_is_reported_as_a_coroutine_never_awaited():
    @agent
    async def pieces() -> AsyncIterator[int]:
        yield 1

    with pytest.warns(RuntimeWarning, match=r"<stream pieces\(\)> was never read"):
        pieces()


async def test_a_stream_that_was_closed_or_tried_in_the_wrong_way_is_not_reported_besides():
    @agent
    async def pieces() -> AsyncIterator[int]:
        yield 1

    await pieces().aclose()
    with pytest.raises(UsageError, match="async for"):
        list(pieces())  # type: ignore[call-overload]
