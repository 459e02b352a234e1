"""as_completed: outcomes as they come, in bounded memory, and what becomes of the rest when it is left early."""

import asyncio
import gc
import logging
import threading
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from linecook import Cancelled, Failed, Limit, Ok, Runtime, TimedOut, agent, as_completed, run
from linecook.errors import AlreadyRun, TooManyFailures, UsageError


@agent
async def nap(seconds: float, answer: Any = None) -> Any:
    await asyncio.sleep(seconds)
    return answer


@agent
async def fail(seconds: float, error: BaseException) -> None:
    await asyncio.sleep(seconds)
    raise error


@agent
async def polite(log: list[str], name: str, clean_up: float) -> None:
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError as error:
        log.append(f"{name} asked: {error}")
        await asyncio.sleep(clean_up)
        log.append(f"{name} clean")
        raise


@agent
async def deaf(seconds: float) -> None:
    until = asyncio.get_running_loop().time() + seconds
    while (left := until - asyncio.get_running_loop().time()) > 0:
        try:
            await asyncio.sleep(left)
        except asyncio.CancelledError:
            continue


def endless() -> Iterator[Any]:
    number = 0
    while True:
        yield nap(0, number)
        number += 1


def others() -> set[asyncio.Task[Any]]:
    return asyncio.all_tasks() - {asyncio.current_task()}  # type: ignore[arg-type]


async def quiet() -> None:
    while others():
        await asyncio.sleep(1)


async def test_outcomes_come_as_calls_end(clock):
    async with as_completed([nap(3, "a"), fail(1, ValueError("b")), nap(2, "c")]) as outcomes:
        seen = [(outcome.call.index, type(outcome)) async for outcome in outcomes]
    assert seen == [(1, Failed), (2, Ok), (0, Ok)]


async def test_a_bare_loop_will_do(clock):
    assert [outcome.value async for outcome in as_completed([nap(2, "a"), nap(1, "b")])] == ["b", "a"]


async def test_an_empty_input_ends_at_once():
    assert [outcome async for outcome in as_completed([])] == []


async def test_reading_on_after_the_end_ends_again():
    outcomes = as_completed([nap(0)])
    assert len([outcome async for outcome in outcomes]) == 1
    assert [outcome async for outcome in outcomes] == []


# -- bounds ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_an_endless_input_takes_the_memory_of_the_window():
    async def main() -> tuple[int, int]:
        sizes = []
        async with as_completed(endless(), limit=50) as outcomes:
            count = 0
            async for outcome in outcomes:
                assert isinstance(outcome, Ok)
                count += 1
                if count in (2_000, 12_000):
                    del outcome
                    gc.collect()
                    sizes.append(tracemalloc.get_traced_memory()[0])
                if count == 12_000:
                    break
        return sizes[0], sizes[1]

    tracemalloc.start()
    try:
        early, late = run(main())
    finally:
        tracemalloc.stop()
    assert late < early + 100_000  # 10,000 outcomes and calls are several megabytes


async def test_a_slow_reader_slows_the_calls_down(clock):
    begun = 0

    def calls() -> Iterator[Any]:
        nonlocal begun
        while True:
            begun += 1
            yield nap(0.01, begun)

    async with as_completed(calls(), limit=4) as outcomes:
        read = 0
        async for _ in outcomes:
            read += 1
            await asyncio.sleep(1)
            assert begun <= read + 4
            if read == 20:
                break


async def test_a_slow_reader_slows_an_asynchronous_input_down(clock):
    given = 0

    async def calls() -> AsyncIterator[Any]:
        nonlocal given
        while True:
            given += 1
            yield nap(0.01, given)

    async with as_completed(calls(), limit=4) as outcomes:
        read = 0
        async for _ in outcomes:
            read += 1
            await asyncio.sleep(1)
            assert given <= read + 5
            if read == 20:
                break
    assert not others()


async def test_agents_that_never_wait_do_not_overrun_the_reader():
    @agent
    async def at_once(number: int) -> int:
        return number

    async with as_completed((at_once(number) for number in range(5000)), limit=10) as outcomes:
        assert sorted([outcome.value async for outcome in outcomes]) == list(range(5000))


# -- leaving ---------------------------------------------------------------------------------------------------------


async def test_leaving_the_block_cancels_and_awaits_what_runs(clock):
    log: list[str] = []
    async with as_completed([nap(1), polite(log, "a", 0.3), polite(log, "b", 0.1)]) as outcomes:
        async for _ in outcomes:
            break
    assert log == ["a asked: caller", "b asked: caller", "b clean", "a clean"]
    assert not others()
    assert [outcome async for outcome in outcomes] == []


async def test_an_error_in_the_block_leaves_it_all_the_same(clock):
    log: list[str] = []
    with pytest.raises(KeyError):
        async with as_completed([nap(1), polite(log, "a", 0.3)]) as outcomes:
            async for _ in outcomes:
                raise KeyError
    assert log == ["a asked: caller", "a clean"]


async def test_a_cancel_while_the_block_is_left_is_not_lost(clock):
    log: list[str] = []

    async def leave() -> None:
        async with as_completed([nap(1), polite(log, "a", 0.3)]) as outcomes:
            async for _ in outcomes:
                break
        log.append("went on")

    task = asyncio.create_task(leave())
    await asyncio.sleep(1.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert log == ["a asked: caller", "a clean"]


async def test_one_that_will_not_end_holds_the_block_for_one_grace_only(clock, caplog):
    async with as_completed([nap(1), deaf(60)], grace=0.5) as outcomes:
        async for _ in outcomes:
            break
    assert clock.time() == pytest.approx(1.5, abs=0.01)
    await quiet()
    assert "deaf(60) was asked 3 times" in caplog.text


async def test_a_bare_loop_left_early_is_seen_to_its_end_and_reported(clock, caplog):
    log: list[str] = []
    async for _ in as_completed([nap(1), polite(log, "a", 0.3), nap(3600)]):
        break
    gc.collect()
    await asyncio.sleep(0)
    await asyncio.sleep(1)
    assert log == ["a asked: caller", "a clean"]
    await quiet()
    assert "as_completed was left with 2 calls under way" in caplog.text
    assert "async with as_completed" in caplog.text


async def test_dropped_in_another_thread_it_is_seen_to_its_end_as_well(caplog):
    log: list[str] = []
    held: list[Any] = [as_completed([nap(0), polite(log, "a", 0.01)])]
    await anext(held[0])
    thread = threading.Thread(target=held.clear)
    thread.start()
    thread.join()
    for _ in range(200):
        await asyncio.sleep(0.01)
        if not others():
            break
    assert log == ["a asked: caller", "a clean"]
    assert "was left with 1 calls under way" in caplog.text


def test_dropped_after_its_loop_has_closed_it_is_silent(caplog):
    async def main() -> Any:
        outcomes = as_completed([nap(0), nap(3600)])
        await anext(outcomes)
        return outcomes

    outcomes = asyncio.run(main())
    del outcomes
    gc.collect()
    assert not caplog.text


async def test_one_that_was_never_read_has_started_nothing_and_is_silent(caplog):
    as_completed(nap(0) for _ in range(3))
    async with as_completed([nap(0), asyncio.sleep(0)]):
        pass
    gc.collect()
    assert not caplog.text


async def test_a_reader_that_gives_up_waiting_loses_no_outcome(clock):
    outcomes = as_completed([nap(1, "a"), nap(2, "b")])
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await anext(outcomes)
    assert [outcome.value async for outcome in outcomes] == ["a", "b"]


async def test_two_readers_at_once_are_told_so(clock):
    outcomes = as_completed([nap(1, "a")])
    reading = asyncio.ensure_future(anext(outcomes))
    await asyncio.sleep(0.1)
    with pytest.raises(UsageError, match="two tasks read the same as_completed"):
        await anext(outcomes)
    assert await reading == Ok("a")


# -- ends ------------------------------------------------------------------------------------------------------------


async def test_a_time_out_accounts_for_all_of_an_input_of_known_length(clock):
    async with as_completed([nap(1, "a"), nap(3600), nap(3600), nap(3600)], limit=2, timeout=2) as outcomes:
        seen = [(type(outcome), outcome.work) async for outcome in outcomes]
    assert seen == [
        (Ok, "finished"), (TimedOut, "stopped"), (TimedOut, "stopped"), (TimedOut, "not started"),
    ]  # fmt: skip


async def test_a_time_out_ends_an_endless_input(clock):
    @agent
    async def work() -> None:
        await asyncio.sleep(0.4)

    async with as_completed((work() for _ in iter(int, 1)), limit=3, timeout=1) as outcomes:
        seen = [type(outcome) async for outcome in outcomes]
    assert seen.count(Ok) == 6
    assert seen.count(TimedOut) == 3


async def test_a_time_out_does_not_wait_for_one_that_resists(clock, caplog):
    async with as_completed([deaf(60)], timeout=1) as outcomes:
        seen = [outcome async for outcome in outcomes]
    assert [type(outcome) for outcome in seen] == [TimedOut]
    assert seen[0].work == "abandoned"
    assert clock.time() == pytest.approx(1.5, abs=0.01)
    await quiet()


async def test_a_cancel_while_a_time_out_is_seen_to_its_end_is_not_lost(clock):
    log: list[str] = []

    async def read() -> None:
        async for _ in as_completed([polite(log, "a", 0.4)], timeout=1):
            pass

    task = asyncio.create_task(read())
    await asyncio.sleep(1.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert log == ["a asked: deadline", "a clean"]


async def test_fail_on_ends_it_when_the_outcomes_there_are_were_read(clock):
    seen = []
    with pytest.raises(TooManyFailures, match="2 calls failed") as raised:
        async with as_completed(
            (nap(1) if i == 0 else fail(2, ValueError(i)) for i in range(100)), limit=3, fail_on=2
        ) as outcomes:
            async for outcome in outcomes:
                seen += [type(outcome)]
    assert len(raised.value.settled) == 2
    assert raised.value.__cause__ is raised.value.settled[0].error
    assert seen == [Ok, Failed, Failed, Cancelled]
    assert not others()


async def test_an_input_that_raises_is_raised_when_the_outcomes_there_are_were_read(clock):
    log: list[str] = []

    def broken() -> Iterator[Any]:
        yield nap(1, "a")
        yield polite(log, "b", 0.1)
        raise OSError("disk gone")

    seen = []
    with pytest.raises(OSError, match="disk gone"):
        async with as_completed(broken(), limit=2) as outcomes:
            async for outcome in outcomes:
                seen += [type(outcome)]
    assert seen == [Ok, Cancelled]
    assert log == ["b asked: sibling", "b clean"]


async def test_an_asynchronous_input_that_raises_is_raised_too(clock):
    async def broken() -> AsyncIterator[Any]:
        yield nap(1, "a")
        await asyncio.sleep(2)
        raise OSError("connection gone")

    seen = []
    with pytest.raises(OSError, match="connection gone"):
        async for outcome in as_completed(broken()):
            seen += [outcome]
    assert seen == [Ok("a")]


async def test_a_blocked_asynchronous_input_ends_with_the_block_or_the_time_out(clock):
    async def stuck() -> AsyncIterator[Any]:
        yield nap(1, "a")
        await asyncio.sleep(3600)

    assert [outcome async for outcome in as_completed(stuck(), timeout=2)] == [Ok("a")]
    async with as_completed(stuck()) as outcomes:
        async for _ in outcomes:
            break
    assert not others()
    assert clock.time() < 10


async def test_an_asynchronous_input_that_resists_holds_nobody_for_ever(clock, caplog):
    async def resists() -> AsyncIterator[Any]:
        yield nap(1, "a")
        for _ in range(10):
            try:
                await asyncio.sleep(30)
            except asyncio.CancelledError:
                continue

    assert [outcome async for outcome in as_completed(resists(), timeout=2)] == [Ok("a")]
    assert clock.time() == pytest.approx(2.5, abs=0.01)
    await quiet()
    assert "the input of as_completed was asked 3 times" in caplog.text


async def test_a_draining_runtime_returns_what_never_began(clock):
    async with Runtime() as runtime:
        asyncio.get_running_loop().call_later(1, runtime.drain)
        seen = [outcome async for outcome in as_completed([nap(1.5, i) for i in range(4)], limit=2)]
    assert [type(outcome) for outcome in seen] == [Ok, Ok, Cancelled, Cancelled]
    assert {outcome.reason for outcome in seen[2:]} == {"shutdown"}
    assert {outcome.work for outcome in seen[2:]} == {"not started"}


async def test_draining_ends_an_endless_input(clock):
    async with Runtime() as runtime:
        asyncio.get_running_loop().call_later(1, runtime.drain)
        seen = [outcome async for outcome in as_completed((nap(0.3) for _ in iter(int, 1)), limit=2)]
    assert {type(outcome) for outcome in seen} == {Ok}


# -- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", [None, 17, "abc", {"a": 1}, nap, print], ids=repr)
async def test_what_is_no_iterable_of_calls_is_refused(given):
    with pytest.raises(UsageError, match="as_completed takes"):
        async for _ in as_completed(given):
            pass
    with pytest.raises(UsageError) as raised:
        async for _ in as_completed([nap(0), given, nap(0)]):
            pass
    assert any("item 1 of the input" in note for note in raised.value.__notes__)
    assert not others()


@pytest.mark.parametrize("make", [nap, asyncio.sleep])
async def test_a_single_call_is_refused_and_not_reported_as_never_awaited(make):
    with pytest.raises(UsageError, match="as_completed takes"):
        async for _ in as_completed(make(0)):
            pass
    gc.collect()


async def test_a_call_used_twice_is_named():
    call = nap(0.01)
    with pytest.raises(AlreadyRun):
        async for _ in as_completed([call, call]):
            pass
    assert not others()


@pytest.mark.parametrize(
    ("options", "told"),
    [({"limit": 0}, "1 or more"), ({"limit": -1}, "1 or more"), ({"limit": True}, "whole number"),
     ({"limit": Limit(3)}, "belongs on tools"), ({"timeout": -1}, "timeout"), ({"timeout": float("nan")}, "timeout"),
     ({"grace": -1}, "grace"), ({"fail_on": 0}, "fail_on")],
    ids=str,
)  # fmt: skip
async def test_options_that_make_no_sense_are_refused_at_once(options, told):
    with pytest.raises((ValueError, TypeError), match=told):
        as_completed([nap(0), asyncio.sleep(0)], **options)
    gc.collect()


async def test_logging_is_the_only_voice(capsys, caplog):
    caplog.set_level(logging.DEBUG)
    async for _ in as_completed([nap(0), nap(60)]):
        break
    while not caplog.records:  # a watch may hold the frame, and so the iterator, for a moment
        await asyncio.sleep(0.002)
    assert {record.name for record in caplog.records if "as_completed" in record.message} == {"linecook"}
    assert capsys.readouterr() == ("", "")


async def test_many_that_are_left_early_are_reported_once_a_second(clock, caplog):
    for _ in range(20):
        async for _ in as_completed([nap(0), nap(3600)]):
            break
    await asyncio.sleep(0.5)
    assert caplog.text.count("was left with") == 1
