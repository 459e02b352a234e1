"""Pipelines: what comes out, in which order, under which bounds, and what becomes of everything when they end."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import uvloop

from linecook import agent, budget, fail_after, scope, tool
from linecook.errors import BodyExited, BudgetExceeded, CallCancelled, NotAllowed, TimedOutError, UsageError
from linecook.pipeline.pipeline import pipeline
from linecook.testing import VirtualClock


@tool
async def double(number: int) -> int:
    return 2 * number


@tool
def halve(number: int) -> int:
    return number // 2


@tool
async def later(number: int) -> int:
    """Take the longer, the smaller the number."""
    await asyncio.sleep(1 / (number + 1))
    return number


@agent
async def twice(number: int) -> list[int]:
    return [await double(number), number]


async def test_everything_comes_out_once_through_stages_of_all_lanes() -> None:
    lines = pipeline(range(100)).map(double).map(halve).map(str)
    assert sorted(await lines.collect()) == sorted(map(str, range(100)))


async def test_results_come_in_the_order_in_which_they_are_done(clock: VirtualClock) -> None:
    assert await pipeline([0, 1, 2]).map(later).collect() == [2, 1, 0]


async def test_ordered_results_come_in_the_order_of_the_input(clock: VirtualClock) -> None:
    assert await pipeline(range(100)).map(later, ordered=True, workers=7).collect() == list(range(100))


async def test_no_more_items_are_under_way_than_there_are_workers(clock: VirtualClock) -> None:
    under_way = most = 0

    async def count(number: int) -> int:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(1)
        under_way -= 1
        return number

    await pipeline(range(50)).map(count, workers=5).collect()
    assert most == 5


async def test_a_slow_reader_slows_the_source_down() -> None:
    read = 0

    async def numbers() -> AsyncIterator[int]:
        nonlocal read
        while True:
            yield read
            read += 1

    async with pipeline(numbers()).map(double, workers=4) as results:
        async for _ in results:
            break
        await asyncio.sleep(0.01)
        before = read
        await asyncio.sleep(0.01)
        assert read == before < 100


async def test_a_buffer_holds_no_more_bytes_than_it_may() -> None:
    read = 0

    async def pages() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(50):
            read += 1
            yield bytes(1000)

    async def slow(page: bytes) -> int:
        await asyncio.sleep(3600)
        return len(page)

    async with pipeline(pages(), max_bytes=3000).map(slow, workers=1) as sizes:
        with pytest.raises(TimedOutError):
            with fail_after(0.02):
                await anext(sizes)
        assert read <= 5


async def test_an_item_larger_than_the_buffer_passes_alone() -> None:
    assert await pipeline([bytes(5000)] * 3, max_bytes=10).map(tool(lane="inline")(len)).collect() == [5000] * 3


async def test_filter_lets_go_on_what_it_answers_true_for() -> None:
    async def odd(number: int) -> int:
        return number % 2

    assert sorted(await pipeline(range(10)).filter(odd).collect()) == [1, 3, 5, 7, 9]


@pytest.mark.parametrize("kind", ["list", "agent", "async generator", "generator on a thread"])
async def test_flat_map_makes_many_of_one(kind: str) -> None:
    @tool
    async def pieces(number: int) -> AsyncIterator[int]:
        yield 2 * number
        yield number

    @tool
    def pieces_on_a_thread(number: int) -> Iterator[int]:
        yield 2 * number
        yield number

    async def plain(number: int) -> list[int]:
        return [2 * number, number]

    kinds: dict[str, Any] = {
        "list": plain, "agent": twice, "async generator": pieces, "generator on a thread": pieces_on_a_thread,
    }  # fmt: skip
    made = await pipeline(range(5)).flat_map(kinds[kind], ordered=True).collect()
    assert made == [0, 0, 2, 1, 4, 2, 6, 3, 8, 4]


async def test_group_puts_together_what_flat_map_took_apart(clock: VirtualClock) -> None:
    async def letters(word: str) -> list[str]:
        return list(word)

    async def upper(letter: str) -> str:
        await asyncio.sleep(1 / ord(letter))
        return letter.upper()

    words = ["linecook", "a", "", "zebra"]
    made = await pipeline(words).flat_map(letters).map(upper).group().collect()
    assert sorted(map("".join, made)) == ["", "A", "LINECOOK", "ZEBRA"]


async def test_pieces_that_are_filtered_out_are_not_waited_for() -> None:
    async def upto(number: int) -> list[int]:
        return list(range(number))

    async def odd(number: int) -> int:
        return number % 2

    made = pipeline([5, 1, 0]).flat_map(upto, ordered=True).filter(odd, ordered=True).group()
    assert sorted(await made.collect()) == [[], [], [1, 3]]


async def test_groups_may_stand_in_groups() -> None:
    async def lines(page: str) -> list[str]:
        return page.split("\n")

    async def words(line: str) -> list[str]:
        return line.split()

    made = pipeline(["a b\nc", "d"]).flat_map(lines, ordered=True).flat_map(words, ordered=True).group().group()
    assert await made.collect() == [[["a", "b"], ["c"]], [["d"]]]


async def test_batches_are_full_but_for_the_last() -> None:
    assert await pipeline(range(7)).batch(3).collect() == [[0, 1, 2], [3, 4, 5], [6]]


async def test_a_batch_waits_no_longer_than_it_may(clock: VirtualClock) -> None:
    async def slow() -> AsyncIterator[int]:
        for number in range(4):
            yield number
            await asyncio.sleep(1)

    assert await pipeline(slow()).batch(100, wait=1.5).collect() == [[0, 1], [2, 3]]


async def test_group_by_key_takes_runs() -> None:
    made = pipeline(["ab", "ac", "b", "a"]).group(key=lambda word: word[0])
    assert await made.collect() == [["ab", "ac"], ["b"], ["a"]]


async def test_a_pipeline_is_a_source_too() -> None:
    inner = pipeline(range(5)).map(double, ordered=True)
    assert await pipeline(inner).map(halve, ordered=True).collect() == list(range(5))


async def test_the_first_error_ends_it_and_names_item_and_stage() -> None:
    async def fragile(number: int) -> int:
        if number == 3:
            raise ValueError("three")
        await asyncio.sleep(3600)
        return number

    with pytest.raises(ValueError, match="three") as caught:
        await pipeline(range(10)).map(double).map(lambda n: n // 2).map(fragile).collect()
    assert "item 3 of the pipeline's input, in its stage map(fragile)" in caught.value.__notes__


async def test_what_came_out_before_an_error_is_read_first() -> None:
    async def fragile(number: int) -> int:
        if number == 2:
            raise ValueError("two")
        return number

    seen: list[int] = []
    with pytest.raises(ValueError, match="two"):
        async for number in pipeline(range(5)).map(fragile):
            seen += [number]
    assert seen == [0, 1]


async def test_what_fails_where_it_may_is_set_aside_with_its_origin() -> None:
    async def fragile(number: int) -> int:
        if number % 2:
            raise ValueError(number)
        return number

    made = pipeline([10, 11, 12]).map(fragile, on_error="skip")
    assert await made.collect() == [10, 12]
    (letter,) = made.dead_letters
    assert (letter.value, letter.origin, letter.stage, letter.error.args) == (11, 1, "map(fragile)", (11,))


async def test_an_error_may_be_replaced() -> None:
    async def fragile(number: int) -> float:
        return 1 / number

    made = pipeline([0, 1]).map(fragile, ordered=True, on_error=lambda number, error: -1.0)
    assert await made.collect() == [-1.0, 1.0]


async def test_a_group_goes_on_without_what_was_set_aside() -> None:
    async def upto(number: int) -> list[int]:
        return list(range(number))

    async def fragile(number: int) -> float:
        return 1 / number

    made = pipeline([3, 2]).flat_map(upto).map(fragile, on_error="skip", ordered=True).group()
    assert await made.collect() == [[1.0, 0.5], [1.0]]


async def test_a_source_that_raises_ends_it_after_what_it_gave() -> None:
    def numbers() -> Iterator[int]:
        yield 1
        yield 2
        raise OSError("the disk is gone")

    seen: list[int] = []
    with pytest.raises(OSError, match="gone") as caught:
        async for number in pipeline(numbers()).map(double, ordered=True):
            seen += [number]
    assert seen == [2, 4]
    assert any("raised by the pipeline's input, after 2 items" in note for note in caught.value.__notes__)


async def test_a_source_that_blocks_blocks_nobody_else() -> None:
    def slow() -> Iterator[int]:
        yield 1
        time.sleep(0.1)
        yield 2

    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0.001)

    async with scope() as others:
        handle = others.start(turn())
        assert await pipeline(slow()).map(double, ordered=True).collect() == [2, 4]
        handle.cancel()
    assert turns > 10


async def test_leaving_early_cancels_what_runs_and_closes_the_source() -> None:
    ended: list[str] = []

    async def numbers() -> AsyncIterator[int]:
        try:
            while True:
                yield 1
                await asyncio.sleep(0)
        finally:
            ended.append("source")

    async def slow(number: int) -> int:
        if len(ended) == 0 and number == 1:
            try:
                await asyncio.sleep(0.001)
            except asyncio.CancelledError:
                ended.append("item")
                raise
        return number

    async with pipeline(numbers()).map(slow, workers=2) as results:
        async for _ in results:
            break
    assert "source" in ended
    assert not [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]


async def test_a_generator_left_in_the_middle_of_a_pull_is_closed() -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()

    def numbers() -> Iterator[int]:
        try:
            yield 1
            time.sleep(0.05)
            yield 2
        finally:
            loop.call_soon_threadsafe(ended.set)

    async with pipeline(numbers()).map(double) as results:
        assert await anext(results) == 2
    async with asyncio.timeout(20):
        await ended.wait()


async def test_cancelled_while_every_buffer_is_full_it_ends() -> None:
    async def stuck(number: int) -> int:
        await asyncio.sleep(3600)
        return number

    made = pipeline(iter(int, 1)).map(double).map(stuck, workers=3).map(double)
    with pytest.raises(TimedOutError):
        with fail_after(0.03):
            await made.collect()
    assert not [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]


async def test_into_calls_a_sink_in_order_and_counts() -> None:
    kept: list[int] = []
    assert await pipeline(range(5)).map(double, ordered=True).into(kept) == 5
    assert kept == [0, 2, 4, 6, 8]
    queue: asyncio.Queue[int] = asyncio.Queue()
    assert await pipeline(range(3)).into(queue) == 3
    assert [queue.get_nowait() for _ in range(3)] == [0, 1, 2]


async def test_nothing_runs_until_somebody_reads() -> None:
    began: list[int] = []

    async def note(number: int) -> None:
        began.append(number)

    made = pipeline(range(3)).map(note)
    async with made:
        await asyncio.sleep(0)
    assert began == []


async def test_a_recipe_may_run_again_and_does_not_change() -> None:
    base = pipeline([1, 2])
    assert (await base.map(double).collect(), await base.collect(), await base.collect()) == ([2, 4], [1, 2], [1, 2])


async def test_an_empty_source_is_no_problem() -> None:
    nothing: list[int] = []
    assert await pipeline(nothing).map(double).batch(3).collect() == []


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (lambda: pipeline("abc"), "letter by letter"),
        (lambda: pipeline(3), "something to iterate over"),  # type: ignore[call-overload]
        (lambda: pipeline([0]).map(3), "needs a tool"),  # type: ignore[call-overload]
        (lambda: pipeline([0]).map(double.call(1)), "made already"),  # type: ignore[call-overload]
        (lambda: pipeline([0]).map(twice.body(1)), "made already"),  # type: ignore[call-overload]
        (lambda: pipeline(twice.body(1)), "await it"),  # type: ignore[call-overload]
        (lambda: pipeline(double(1)), "await it"),  # type: ignore[call-overload]
        (lambda: pipeline(twice), "call it"),  # type: ignore[call-overload]
        (lambda: pipeline([0]).map(double, ordered="no"), "must be True or False"),  # type: ignore[call-overload]
        (lambda: pipeline([0]).map(double, on_error=twice), "takes a plain function"),  # type: ignore[call-overload]
        (lambda: pipeline([0]).group(key=twice), "takes a plain function"),
        (lambda: pipeline([0]).map(double, workers=True), "must be a whole number"),
        (lambda: pipeline([0]).map(double, workers="many"), "must be a whole number"),  # type: ignore[call-overload]
        (lambda: pipeline([0]).map(double, on_error="ignore"), "on_error= of map"),  # type: ignore[call-overload]
        (lambda: pipeline([0]).group(), "none stands before"),
        (lambda: pipeline([0]).flat_map(twice).batch(2).group(), "put into lists"),
    ],
)
def test_what_makes_no_sense_is_refused_when_it_is_written(wrong: Any, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        wrong()


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: pipeline([0]).map(double, workers=0),
        lambda: pipeline([0]).batch(0),
        lambda: pipeline([0]).batch(2, wait=-1),
        lambda: pipeline([0]).batch(2, wait=float("nan")),
        lambda: pipeline([0]).map(double, attempt_timeout=-1),
        lambda: pipeline([0], max_bytes=0),
        lambda: pipeline([0], grace=-1),
    ],
)
def test_figures_out_of_range_are_refused_when_they_are_written(wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"must be .* or more"):
        wrong()


@pytest.mark.parametrize("sink", [None, 3, set[int](), {}, (), pipeline([0])])
async def test_what_takes_nothing_is_no_sink(sink: Any) -> None:
    with pytest.raises(UsageError, match="into needs a list, something with put, a tool, an agent or a function"):
        await pipeline([0]).into(sink)


async def test_options_of_a_sink_are_checked_for_a_list_too() -> None:
    with pytest.raises(ValueError, match="workers= of into must be 1 or more"):
        await pipeline([0]).into([], workers=0)


async def test_a_sink_that_raises_is_named() -> None:
    async def store(_number: int) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full") as caught:
        await pipeline([0]).into(store)
    assert "item 0 of the pipeline's input, in its stage into(store)" in caught.value.__notes__


class Odd:
    """Neither true nor false."""

    def __init__(self, kind: type[BaseException]) -> None:
        self.kind = kind

    def __bool__(self) -> bool:
        raise self.kind("odd")


ASKED_ON_THE_LOOP: dict[str, Any] = {
    "key": lambda source, _kind, odd: pipeline(source).map(later).group(odd).collect(),
    "on_error": lambda source, _kind, odd: pipeline(source).map(wrong, on_error=odd).collect(),
    "on_error of a flat_map": lambda source, _kind, odd: pipeline(source).flat_map(wrong, on_error=odd).collect(),
    "dead_letters": lambda source, _kind, odd: pipeline(source, dead_letters=odd).map(wrong, on_error="skip").collect(),
    "truth": lambda source, kind, _odd: pipeline(source).map(later).filter(lambda _number: Odd(kind)).collect(),
    "append": lambda source, _kind, odd: pipeline(source).map(later).into(SimpleNamespace(append=odd)),
}


async def wrong(number: int) -> list[int]:
    await asyncio.sleep(0.001)
    raise ValueError(number)


@pytest.mark.parametrize("kind", [asyncio.CancelledError, GeneratorExit, StopIteration, BaseException])
@pytest.mark.parametrize("place", ASKED_ON_THE_LOOP)
async def test_no_plain_function_of_the_user_can_keep_it_waiting(
    clock: VirtualClock, place: str, kind: type[BaseException]
) -> None:
    async def source() -> AsyncIterator[int]:
        for number in range(3):
            await asyncio.sleep(0.001)
            yield number

    def odd(*_given: object) -> None:
        raise kind("odd")

    with fail_after(10), pytest.raises((BodyExited, CallCancelled, kind)) as caught:
        await ASKED_ON_THE_LOOP[place](source(), kind, odd)
    assert caught.type is kind or kind is not BaseException
    assert not isinstance(caught.value, TimeoutError)


async def test_a_lambda_that_hides_a_coroutine_is_told_to_be_left_out() -> None:
    with pytest.raises(UsageError, match=r"a lambda hides that it is async\. Hand over wrong itself"):
        await pipeline([1]).map(lambda number: wrong(number)).collect()


async def test_a_key_that_nobody_would_await_is_refused() -> None:
    with pytest.raises(UsageError, match="which nobody awaits; it must answer at once"):
        await pipeline([1, 2]).group(lambda number: later(number)).collect()


async def test_an_exhausted_generator_is_an_empty_source() -> None:
    numbers = iter(range(3))
    assert list(numbers) == [0, 1, 2]
    assert await pipeline(numbers).map(double).collect() == []


async def test_two_readers_of_one_run_are_told(clock: VirtualClock) -> None:
    async with pipeline(range(10)).map(later) as results:
        _, second = await asyncio.gather(anext(results), anext(results), return_exceptions=True)
    assert isinstance(second, UsageError)
    assert "two tasks read the same run of a pipeline" in str(second)


async def test_two_runs_of_one_recipe_do_not_meet() -> None:
    made = pipeline(range(100)).map(double, ordered=True)
    assert await asyncio.gather(made.collect(), made.collect()) == [list(range(0, 200, 2))] * 2


async def test_an_endless_flat_map_is_left_by_its_deadline(clock: VirtualClock) -> None:
    async def for_ever(_number: int) -> AsyncIterator[int]:
        while True:
            yield 1

    taken = 0

    async def take(_number: int) -> None:
        nonlocal taken
        taken += 1
        await asyncio.sleep(1)

    with pytest.raises(TimedOutError):
        with fail_after(100):
            await pipeline([0]).flat_map(for_ever).into(take)
    assert 98 <= taken <= 101


async def test_pipelines_may_stand_in_stages_of_others() -> None:
    async def inner(number: int) -> list[int]:
        return await pipeline(range(number)).map(double, ordered=True).collect()

    assert await pipeline([1, 2]).map(inner, ordered=True).collect() == [[0], [0, 2]]


async def test_in_an_agent_a_stage_may_call_what_the_agent_may() -> None:
    @agent(tools=[double])
    async def allowed() -> list[int]:
        return await pipeline([1, 2]).map(double, ordered=True).collect()

    @agent(tools=[halve])
    async def refused() -> list[int]:
        return await pipeline([1, 2]).map(double).collect()

    assert await allowed() == [2, 4]
    with pytest.raises(NotAllowed, match="the agent refused may call halve and no more"):
        await refused()


async def test_a_budget_ends_it_and_what_came_out_is_kept() -> None:
    kept: list[int] = []
    with budget(calls=3):
        with pytest.raises(BudgetExceeded):
            await pipeline(range(10)).map(double, workers=1).into(kept)
    assert kept == [0, 2, 4]


async def test_a_limit_on_a_tool_holds_in_all_stages_that_call_it(clock: VirtualClock) -> None:
    at_work = most = 0

    @tool(limit=3)
    async def call(number: int) -> int:
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        await asyncio.sleep(1)
        at_work -= 1
        return number

    assert len(await pipeline(range(30)).map(call, workers=8).map(call, workers=8).collect()) == 30
    assert most == 3


@pytest.mark.parametrize("factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_it_runs_on_each_loop(factory: Any) -> None:
    async def main() -> None:
        made = pipeline(iter(range(500))).map(double).map(halve, workers=4).filter(double).batch(7, wait=1)
        assert sorted(number for batch in await made.collect() for number in batch) == list(range(1, 500))
        async with pipeline(iter(int, 1)).map(double, workers=3).flat_map(twice) as results:
            assert await anext(results) == 0
        with pytest.raises(TimedOutError):
            with fail_after(0.05):
                await pipeline(iter(int, 1)).map(later, workers=3).into(later)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main())
