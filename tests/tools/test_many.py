"""gather, settle and first: order, failures, time-outs, cancellation, shutdown, and what they refuse."""

import asyncio
import gc
import logging
import random
import sys
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import suppress
from contextvars import ContextVar
from typing import Any

import pytest

from linecook import (
    Cancelled,
    Failed,
    Limit,
    Ok,
    Runtime,
    TimedOut,
    agent,
    as_completed,
    fail_after,
    first,
    gather,
    run,
    settle,
    tool,
)
from linecook.errors import (
    AlreadyRun,
    BodyExited,
    CallCancelled,
    Interrupted,
    TimedOutError,
    TooManyFailures,
    UsageError,
)
from linecook.testing import VirtualClock

Starter = Callable[..., Coroutine[Any, Any, Any]]
everyone: list[Starter] = [gather, settle, first]


@agent
async def nap(seconds: float, answer: Any = None) -> Any:
    await asyncio.sleep(seconds)
    return answer


@agent
async def fail(seconds: float, error: BaseException) -> None:
    if seconds >= 0:
        await asyncio.sleep(seconds)
    raise error


@agent
async def polite(log: list[str], name: str, clean_up: float) -> None:
    """Sleeps for ever; notes its cancellation, and again the end of its clean-up."""
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError as error:
        log.append(f"{name} asked: {error}")
        await asyncio.sleep(clean_up)
        log.append(f"{name} clean")
        raise


@agent
async def deaf(seconds: float) -> str:
    """Swallows every cancellation until its time has come."""
    until = asyncio.get_running_loop().time() + seconds
    while (left := until - asyncio.get_running_loop().time()) > 0:
        try:
            await asyncio.sleep(left)
        except asyncio.CancelledError:
            continue
    return "late answer"


def others() -> set[asyncio.Task[Any]]:
    return asyncio.all_tasks() - {asyncio.current_task()}  # type: ignore[arg-type]


async def quiet() -> None:
    """Wait until no other task is left."""
    while others():
        await asyncio.sleep(1)


# -- order and shapes ------------------------------------------------------------------------------------------------


async def test_results_are_in_input_order_whoever_ends_first(clock):
    assert await gather([nap(3, "a"), nap(1, "b"), nap(2, "c")]) == ["a", "b", "c"]
    assert await gather(nap(3, "a"), nap(1, "b")) == ("a", "b")
    settled = await settle([nap(3, "a"), fail(1, ValueError("b")), nap(2, "c")])
    assert [type(outcome) for outcome in settled] == [Ok, Failed, Ok]
    assert settled.results == ["a", "c"]
    assert [outcome.call.index for outcome in settled] == [0, 1, 2]
    both = await settle(nap(2, 1), fail(1, ValueError("b")))
    assert isinstance(both, tuple)
    assert both[0] == Ok(1)


async def test_empty_input_is_no_mistake():
    assert await gather() == ()
    assert await gather([]) == []
    assert await settle() == ()
    assert list(await settle(iter([]))) == []
    with pytest.raises(UsageError, match="at least one call"):
        await first([])
    with pytest.raises(UsageError, match="at least one call"):
        await first()


async def test_one_call_alone_is_a_fan_out_of_one():
    assert await gather(nap(0, 1)) == (1,)
    assert await settle(nap(0, 1)) == (Ok(1),)
    assert await first(nap(0, 1)) == 1


async def test_plain_coroutines_do_where_calls_do():
    assert await gather([asyncio.sleep(0, "a"), nap(0, "b")]) == ["a", "b"]
    assert await gather(asyncio.sleep(0, "a"), nap(0, "b")) == ("a", "b")


# -- gather: the first failure ---------------------------------------------------------------------------------------


async def test_gather_raises_the_first_failure_itself_and_notes_the_others(clock):
    early, late = ValueError("early"), KeyError("late")

    @agent
    async def fails_when_asked() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            raise late

    with pytest.raises(ValueError, match="early") as raised:
        await gather([fails_when_asked(), fail(1, early)])
    assert raised.value is early
    assert any("failed as well: KeyError('late')" in note for note in early.__notes__)


async def test_siblings_are_cancelled_once_and_awaited(clock):
    log: list[str] = []
    with pytest.raises(ValueError):
        await gather([polite(log, "a", 0.2), fail(1, ValueError()), fail(1.05, KeyError()), polite(log, "b", 0.1)])
    assert log == ["a asked: sibling", "b asked: sibling", "b clean", "a clean"]
    assert not others()
    assert clock.time() == pytest.approx(1.2, abs=0.01)


async def test_a_second_failure_does_not_disturb_the_clean_up_of_the_others(clock):
    log: list[str] = []

    @agent
    async def fails_in_its_clean_up() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0.1)
            raise KeyError("second")

    with pytest.raises(ValueError):
        await gather([polite(log, "a", 0.3), fails_in_its_clean_up(), fail(1, ValueError())])
    assert log == ["a asked: sibling", "a clean"]


async def test_nothing_more_begins_after_a_failure(clock):
    begun = []

    def calls() -> Iterator[Any]:
        for number in range(100):
            begun.append(number)
            yield fail(1, ValueError()) if number == 2 else nap(1 + number, number)

    with pytest.raises(ValueError):
        await gather(calls(), limit=5)
    assert begun == list(range(6))  # 0 ended before, and made room


async def test_a_sibling_that_swallows_its_cancellation_is_handed_over_and_reported(clock, caplog):
    began = clock.time()
    with pytest.raises(ValueError, match="first"):
        await gather(deaf(60), fail(1, ValueError("first")), grace=0.5)
    assert clock.time() - began == pytest.approx(1.5, abs=0.01)
    assert len(others()) == 2  # the deaf one, and who sees to it
    await quiet()
    assert "deaf(60) was asked 3 times to end and runs on" in caplog.text
    assert "test_many.py" in caplog.text


async def test_a_call_cancelled_by_somebody_ends_gather_with_an_error_of_its_own(clock):
    """The caller is not the one who was cancelled."""
    log: list[str] = []

    @agent
    async def cancels_itself() -> None:
        await asyncio.sleep(1)
        asyncio.current_task().cancel()  # type: ignore[union-attr]
        await asyncio.sleep(3600)

    with pytest.raises(CallCancelled, match="cancels_itself"):
        await gather(polite(log, "a", 0), cancels_itself())
    assert log == ["a asked: sibling", "a clean"]


async def test_gathers_own_time_out_is_an_error_that_says_so(clock):
    with pytest.raises(TimedOutError, match=r"gather\(timeout=2\) passed") as raised:
        await gather([nap(1), nap(3600)], timeout=2)
    assert raised.value.after == 2
    assert raised.value.whose == "timeout of gather"
    assert isinstance(raised.value, TimeoutError)
    assert not others()


async def test_a_failure_stays_the_first_when_the_time_out_passes_during_clean_up(clock):
    log: list[str] = []
    with pytest.raises(ValueError, match="first"):
        await gather([fail(1, ValueError("first")), polite(log, "a", 0.4)], timeout=1.2)


async def test_a_time_out_at_the_very_moment_of_the_end_loses_nothing(clock):
    @agent
    async def just_in_time() -> str:
        clock.advance(2)
        await asyncio.sleep(0)  # the deadline fires in the very turn in which this ends
        return "done"

    assert await gather([just_in_time()], timeout=1) == ["done"]


async def test_a_time_out_of_0_lets_through_what_never_waits(clock):
    @agent
    async def at_once(number: int) -> int:
        return number

    assert await gather([at_once(1), at_once(2)], timeout=0) == [1, 2]
    settled = await settle([at_once(1), nap(1)], timeout=0)
    assert settled[0] == Ok(1)
    assert isinstance(settled[1], TimedOut)


# -- settle ----------------------------------------------------------------------------------------------------------


async def test_settle_tells_each_fate_of_a_time_out(clock, caplog):
    caplog.set_level(logging.CRITICAL)
    settled = await settle([nap(1, "done"), nap(3600), deaf(30), nap(0.5), nap(1)], limit=3, timeout=2, grace=0.5)
    assert [type(outcome).__name__ for outcome in settled] == ["Ok", "TimedOut", "TimedOut", "Ok", "TimedOut"]
    assert [outcome.work for outcome in settled] == ["finished", "stopped", "abandoned", "finished", "stopped"]
    assert clock.time() == pytest.approx(2.5, abs=0.01)
    settled = await settle([nap(3600, number) for number in range(4)], limit=2, timeout=1)
    assert [outcome.work for outcome in settled] == ["stopped", "stopped", "not started", "not started"]
    assert all(isinstance(outcome, TimedOut) and outcome.after == 1 for outcome in settled)
    assert settled[3].error.whose == "timeout of settle"
    assert settled[3].call.index == 3
    await quiet()


async def test_a_hung_thread_is_abandoned_and_the_outcome_says_so():
    release = threading.Event()

    @tool
    def hang() -> None:
        release.wait(10)

    try:
        [outcome] = await settle([hang()], timeout=0.05)
        assert isinstance(outcome, TimedOut)
        assert outcome.work == "abandoned"
    finally:
        release.set()


async def test_a_deadline_inside_that_left_a_thread_behind_says_so_too():
    release = threading.Event()

    @tool
    def hang() -> None:
        release.wait(10)

    @agent
    async def impatient() -> None:
        with fail_after(0.05):
            await hang()

    try:
        [outcome] = await settle([impatient()])
        assert isinstance(outcome, TimedOut)
        assert outcome.after == 0.05
        assert outcome.work == "abandoned"
    finally:
        release.set()


async def test_a_time_out_of_the_users_own_stays_a_failure():
    own = TimeoutError("the server's words")
    settled = await settle([fail(0, own)])
    assert isinstance(settled[0], Failed)
    assert settled[0].error is own


@pytest.mark.parametrize("allowed", [2, 0.5])
async def test_fail_on_stops_everything_and_loses_nothing(clock, allowed):
    log: list[str] = []
    calls = [nap(1, "done"), fail(2, ValueError("a")), polite(log, "p", 0.1), fail(3, ValueError("b"))]
    with pytest.raises(TooManyFailures, match="2 of 4 calls failed") as raised:
        await settle(calls, fail_on=allowed)
    kinds = [type(outcome).__name__ for outcome in raised.value.settled]
    assert kinds == ["Ok", "Failed", "Cancelled", "Failed"]
    assert raised.value.settled[2].reason == "sibling"
    assert log == ["p asked: sibling", "p clean"]


async def test_fail_on_accounts_for_what_never_began(clock):
    with pytest.raises(TooManyFailures) as raised:
        await settle((fail(1, ValueError()) if i == 0 else nap(9, i) for i in range(5)), limit=2, fail_on=1)
    settled = raised.value.settled
    assert [outcome.work for outcome in settled] == ["finished", "stopped", "not started", "not started", "not started"]
    assert [outcome.reason for outcome in settled[1:]] == ["sibling"] * 4


@pytest.mark.parametrize("wrong", [0, -1, 1.5, 0.0, -0.5, float("nan"), True, "3"])
async def test_fail_on_is_a_count_or_a_fraction(wrong):
    with pytest.raises((ValueError, UsageError), match="fail_on"):
        await settle([nap(0)], fail_on=wrong)


async def test_a_fraction_needs_a_known_length():
    with pytest.raises(UsageError, match="length of the input isn't known: give a count"):
        await settle((nap(0) for _ in range(3)), fail_on=0.5)


@pytest.mark.parametrize(
    "exit_", [StopIteration, StopAsyncIteration, SystemExit, KeyboardInterrupt, GeneratorExit, asyncio.CancelledError]
)
@pytest.mark.parametrize("moment", [-1, 0])
async def test_an_exit_raised_by_a_body_is_an_error_of_its_call(exit_, moment):
    calls = [fail(moment, exit_("words")), fail(moment, exit_("words")), nap(0, "alive")]
    settled = await settle(calls, limit=1)  # one begins at the start, the next in the step in which that one ends
    for outcome in settled[:2]:
        assert isinstance(outcome, Failed)
        assert isinstance(outcome.error, BodyExited)
    assert settled[2] == Ok("alive")
    with pytest.raises(BodyExited, match=exit_.__name__):
        await gather([fail(moment, exit_("words"))])


async def test_a_call_cancelled_before_its_first_step_by_somebody_else_is_accounted_for():
    ran = []

    @agent
    async def work() -> None:
        ran.append(1)

    async def plain() -> None:
        ran.append(1)

    fan_out = asyncio.create_task(settle([work(), plain()]))
    await asyncio.sleep(0)  # the calls have their tasks now, and have taken no step yet
    for task in others() - {fan_out}:
        task.cancel()
    settled = await fan_out
    assert [type(outcome) for outcome in settled] == [Cancelled, Cancelled]
    assert [outcome.work for outcome in settled] == ["not started", "not started"]
    assert not ran


# -- cancelling the caller -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("start", everyone)
async def test_cancelling_the_caller_ends_the_calls_first(clock, start):
    log: list[str] = []
    task = asyncio.create_task(start([polite(log, "a", 0.3), polite(log, "b", 0.1)], grace=0.5))
    await asyncio.sleep(1)
    task.cancel("enough")
    with pytest.raises(asyncio.CancelledError, match="enough"):
        await task
    assert log == ["a asked: caller", "b asked: caller", "b clean", "a clean"]
    assert task.cancelling() == 1
    assert not others()


@pytest.mark.parametrize("start", everyone)
async def test_a_cancel_that_comes_while_siblings_end_is_not_lost(clock, start):
    log: list[str] = []
    ending = nap(1) if start is first else fail(1, ValueError())
    calls = [polite(log, "a", 0.3), ending]
    task = asyncio.create_task(settle(calls, fail_on=1) if start is settle else start(calls, grace=0.5))
    await asyncio.sleep(1.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert log == ["a asked: sibling", "a clean"]


async def test_a_deadline_around_counts_exactly(clock):
    task = asyncio.current_task()
    assert task
    for _ in range(3):
        with pytest.raises(TimedOutError):
            with fail_after(1):
                await gather([nap(3600), nap(3600)])
        assert task.cancelling() == 0
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await settle([nap(3600)])
        assert task.cancelling() == 0


class Kitchen:
    """Work of every kind, by chance; it knows how many bodies are under way."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.begun = self.ended = 0

    async def cook(self, wait: float, tidy: float, fails: bool) -> float:
        self.begun += 1
        try:
            await asyncio.sleep(wait)
            if fails:
                raise ValueError
            return wait
        finally:
            try:
                if tidy:
                    await asyncio.sleep(tidy)
            finally:
                self.ended += 1

    def lazily(self) -> Iterator[Any]:
        cook, chance = agent(self.cook), self.chance
        for _ in range(chance.randrange(1, 8)):
            yield cook(chance.choice([0, 0, 1e-3, 2e-3]), chance.choice([0, 0, 1e-3]), chance.random() < 0.2)

    async def waiting(self) -> AsyncIterator[Any]:
        for call in self.lazily():
            yield call
            await asyncio.sleep(0)

    async def nested(self) -> None:
        await gather(list(self.lazily()), limit=2)

    async def serve(self) -> None:
        chance, nested = self.chance, agent(self.nested)
        source = chance.choice([self.lazily, self.waiting, lambda: list(self.lazily())])
        limit = chance.choice([1, 2, None])
        table = [
            lambda: gather(source(), limit=limit),
            lambda: settle(source(), limit=limit, timeout=chance.choice([None, 1e-3])),
            lambda: first(source()),
            lambda: settle([nested(), nested()]),
        ]
        with suppress(ValueError, ExceptionGroup):
            await chance.choice(table)()
        assert asyncio.current_task().cancelling() == 0  # type: ignore[union-attr]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_a_thousand_cancels_at_random_moments_lose_nothing(seed, caplog):
    """Ten seeds: 10,000 cancels. Whoever is cancelled, everything ends, is counted, and leaves no task behind."""
    caplog.set_level(logging.CRITICAL)
    kitchen = Kitchen(seed)
    hit = 0

    async def main() -> None:
        nonlocal hit
        for _ in range(1000):
            task = asyncio.create_task(kitchen.serve())
            for _ in range(kitchen.chance.randrange(12)):
                await asyncio.sleep(kitchen.chance.choice([0, 0, 5e-4]))
            hit += task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            assert task.cancelling() <= 1
            for _ in range(200):
                if not others():
                    break
                await asyncio.sleep(0.01)
            assert not others()
            assert kitchen.begun == kitchen.ended

    VirtualClock().run(main())
    gc.collect()  # a call reported as never awaited is an error here
    assert hit > 300


async def test_a_fan_out_that_is_closed_in_the_middle_leaves_nothing_running(clock):
    log: list[str] = []
    fan_out = settle([polite(log, "a", 0.1), polite(log, "b", 0.1), nap(9)], limit=2)
    fan_out.send(None)
    await asyncio.sleep(1)
    fan_out.close()
    await quiet()
    assert log == ["a asked: caller", "b asked: caller", "a clean", "b clean"]
    gc.collect()


async def test_an_error_has_no_other_calls_error_as_its_context():
    settled = await settle([fail(0, ValueError()), fail(-1, KeyError()), fail(0, OSError())], limit=1)
    assert [outcome.error.__context__ for outcome in settled.failures] == [None, None, None]


async def test_an_anyio_scope_costs_a_bounded_number_of_turns():
    """Alone, anyio cancels on every turn of the loop: thousands in the time of one clean-up."""
    anyio = pytest.importorskip("anyio")
    turns = 0
    over = False

    def count() -> None:
        nonlocal turns
        turns += 1
        if not over:
            asyncio.get_running_loop().call_soon(count)

    log: list[str] = []
    with anyio.CancelScope() as scope:
        asyncio.get_running_loop().call_later(0.02, lambda: (scope.cancel(), count()))
        await settle([polite(log, "a", 0.2), polite(log, "b", 0.2)])
    over = True
    assert scope.cancelled_caught
    assert turns < 30
    for _ in range(100):
        if not others():
            break
        await asyncio.sleep(0.02)
    assert sorted(log) == ["a asked: caller", "a clean", "b asked: caller", "b clean"]


# -- identity --------------------------------------------------------------------------------------------------------


async def test_a_window_lets_no_agent_inherit_anothers_context_or_cancellation():
    tenant: ContextVar[str] = ContextVar("tenant", default="-")
    tasks = []

    @agent
    async def serve(number: int) -> str:
        task = asyncio.current_task()
        assert task
        tasks.append(task)
        seen = tenant.get()
        tenant.set(f"acme {number}")
        await asyncio.sleep(0)
        if number % 3 == 0:
            task.cancel()
            await asyncio.sleep(0)
        return f"{seen} {task.cancelling()}"

    settled = await settle((serve(number) for number in range(30)), limit=2)
    assert settled.counts == {"ok": 20, "failed": 0, "timed_out": 0, "cancelled": 10}
    assert set(settled.results) == {"- 0"}
    assert len(set(tasks)) == 30
    assert tenant.get() == "-"


async def test_each_agent_has_a_path_of_its_own_by_input_index(clock):
    @agent
    async def who(wait: float) -> str:
        await asyncio.sleep(wait)
        from linecook._core.context import current_frame

        frame = current_frame.get()
        assert frame
        return frame.path

    @agent
    async def boss() -> list[list[str]]:
        return [await gather([who(2), who(1)]), await gather([who(1), who(2)])]

    paths = await boss()
    assert paths == [
        ["boss/gather:0/who[0]", "boss/gather:0/who[1]"],
        ["boss/gather:1/who[0]", "boss/gather:1/who[1]"],
    ]


# -- the window ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 3])
async def test_a_lazy_input_is_pulled_as_places_become_free(clock, limit):
    pulled = ended = most = 0

    @agent
    async def work() -> None:
        nonlocal ended
        await asyncio.sleep(1)
        ended += 1

    def calls() -> Iterator[Any]:
        nonlocal pulled, most
        for _ in range(10):
            pulled += 1
            most = max(most, pulled - ended)
            yield work()

    await settle(calls(), limit=limit)
    assert most == limit
    assert clock.time() == pytest.approx(-(-10 // limit), abs=0.01)


async def test_a_window_of_1000_is_the_default_and_none_is_none():
    now = most = 0

    @agent
    async def work() -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        now -= 1

    await gather(work() for _ in range(2500))
    assert most == 1000
    most = 0
    await gather((work() for _ in range(1500)), limit=None)
    assert most == 1500
    most = 0
    await gather(*[work() for _ in range(1500)])
    assert most == 1500


async def test_many_agents_that_never_wait_leave_the_loop_to_others():
    turns = 0

    @agent
    async def at_once(number: int) -> int:
        return number

    async def ticker() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    ticking = asyncio.create_task(ticker())
    assert await gather((at_once(number) for number in range(20_000)), limit=10) == list(range(20_000))
    ticking.cancel()
    assert turns > 30


def test_agents_that_fan_out_in_turn_do_not_pile_up_on_the_stack():
    @agent
    async def nest(depth: int) -> int:
        if depth == 0:
            return 0
        [below] = await gather([nest(depth - 1)])
        return below + 1

    assert run(nest(500)) == 500


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with Python 3.12")
async def test_a_task_factory_of_eager_tasks_changes_nothing():
    @agent
    async def at_once(number: int) -> int:
        return number

    asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
    assert await gather((at_once(number) for number in range(3000)), limit=7) == list(range(3000))
    settled = await settle([fail(-1, ValueError()), at_once(1), nap(0, 2)], limit=1)
    assert [type(outcome) for outcome in settled] == [Failed, Ok, Ok]
    with pytest.raises(ValueError):
        await gather([nap(3600), fail(-1, ValueError()), nap(3600)])
    assert not others()


@pytest.mark.parametrize("start", everyone)
def test_uvloop_serves_as_well(start):
    uvloop = pytest.importorskip("uvloop")

    async def main() -> Any:
        log: list[str] = []
        with pytest.raises(TimedOutError):
            await gather([polite(log, "a", 0.01)], timeout=0.02)
        assert log[-1] == "a clean"
        assert await first([fail(0, ValueError()), nap(0.01, "won"), nap(60)]) == "won"
        assert (await settle((nap(0, number) for number in range(3000)), limit=10)).results == list(range(3000))
        return await start([nap(0, 1)])

    answer = run(main(), loop_factory=uvloop.new_event_loop)
    assert answer in ([1], 1) or list(answer) == [Ok(1)]


# -- first -----------------------------------------------------------------------------------------------------------


async def test_the_first_success_wins_and_losers_are_cancelled(clock):
    log: list[str] = []
    assert await first([polite(log, "a", 0.01), fail(0.5, ValueError()), nap(1, "won"), nap(2, "late")]) == "won"
    assert log == ["a asked: sibling", "a clean"]
    assert not others()
    assert clock.time() == pytest.approx(1.01, abs=0.01)


async def test_losers_have_a_twentieth_of_a_second_for_their_clean_up(clock):
    log: list[str] = []
    assert await first(polite(log, "slow", 0.3), nap(1, "won")) == "won"
    assert clock.time() == pytest.approx(1.05, abs=0.01)
    await quiet()


async def test_of_several_in_one_turn_the_first_of_the_input_wins():
    @agent
    async def at_once(answer: str) -> str:
        return answer

    assert await first(nap(60), at_once("a"), at_once("b")) == "a"
    future = asyncio.get_running_loop().create_future()

    @agent
    async def waits(order: int, answer: str) -> str:
        await asyncio.sleep(0 if order else 0.01)
        await future
        return answer

    asyncio.get_running_loop().call_later(0.05, future.set_result, None)
    assert await first(waits(0, "first in the input"), waits(1, "first to wait")) == "first in the input"


async def test_a_loser_that_answers_its_cancellation_with_a_value_has_not_won(clock):
    @agent
    async def sore_loser() -> str:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            return "I won"
        return ""

    assert await first(sore_loser(), nap(1, "won")) == "won"


async def test_when_all_fail_a_group_tells_each_in_input_order(clock):
    with pytest.raises(ExceptionGroup, match="all 3 calls failed") as raised:
        await first([fail(3, ValueError("a")), fail(1, KeyError("b")), fail(2, SystemExit(1))])
    assert [type(error) for error in raised.value.exceptions] == [ValueError, KeyError, BodyExited]


async def test_first_gives_up_at_its_time_out(clock):
    with pytest.raises(TimedOutError, match=r"first\(timeout=2\) passed before any of 2 calls"):
        await first(nap(3), nap(4), timeout=2)
    assert not others()


async def test_first_reads_an_endless_input_as_its_calls_fail():
    def endless() -> Iterator[Any]:
        number = 0
        while True:
            yield nap(0, "won") if number == 3000 else fail(0, ValueError())
            number += 1

    assert await first(endless()) == "won"


# -- inputs that misbehave -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("start", everyone)
async def test_an_input_that_raises_ends_the_fan_out_with_that(clock, start):
    log: list[str] = []

    def broken() -> Iterator[Any]:
        yield polite(log, "a", 0.1)
        yield polite(log, "b", 0.1)
        raise OSError("disk gone")

    with pytest.raises(OSError, match="disk gone") as raised:
        await start(broken(), **({"grace": 0.5} if start is first else {}))
    assert f"raised by the input of {start.__name__}, after 2 items" in raised.value.__notes__
    assert not log  # they had taken no step yet
    assert not others()


async def test_an_input_that_raises_later_is_raised_as_well(clock):
    def broken() -> Iterator[Any]:
        yield nap(1)
        yield nap(3600)
        raise OSError("disk gone")

    with pytest.raises(OSError, match="disk gone"):
        await settle(broken(), limit=2)
    assert clock.time() == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("exit_", [asyncio.CancelledError, GeneratorExit, StopAsyncIteration])
async def test_an_exit_raised_by_the_input_is_not_taken_for_a_cancellation(exit_):
    class Broken:
        def __iter__(self) -> Any:
            return self

        def __next__(self) -> Any:
            raise exit_("words")

    with pytest.raises(BodyExited, match="the input of settle raised"):
        await settle(Broken())


wrong: list[tuple[Any, str]] = [
    (None, "None"),
    (17, "17"),
    ("https://a.example", "https://a.example"),
    (b"x", "bytes"),
    ({"a": 1}, "dict"),
    (nap, "is a function, not a call; call it"),
    (print, "is a function, not a call"),
]


@pytest.mark.parametrize("start", everyone)
@pytest.mark.parametrize(("given", "told"), wrong, ids=[str(told) for _, told in wrong])
async def test_what_is_no_call_is_refused_by_name(start, given, told):
    with pytest.raises(UsageError, match=told):
        await start(given)
    with pytest.raises(UsageError) as raised:
        await start([nap(0), given, nap(0)])
    assert any("item 1 of the input" in note for note in raised.value.__notes__)
    began = []

    @agent
    async def watch() -> None:
        began.append(1)

    with pytest.raises(UsageError) as raised:
        await start(watch(), given)
    assert f"this is argument 1 of {start.__name__}" in raised.value.__notes__
    assert not began
    gc.collect()
    assert not others()


@pytest.mark.parametrize("start", everyone)
async def test_a_task_or_future_runs_already_and_is_refused(start):
    future = asyncio.get_running_loop().create_future()
    with pytest.raises(UsageError, match="runs already"):
        await start(future)
    with pytest.raises(UsageError, match="runs already"):
        await start([future])
    with pytest.raises(UsageError, match="runs already"):
        await start(nap(0), future)
    future.cancel()


async def test_a_file_among_the_calls_is_refused_and_stays_open(tmp_path):
    with (tmp_path / "x").open("w") as file:
        with pytest.raises(UsageError):
            await gather([nap(0), file])
        assert not file.closed


@pytest.mark.parametrize("start", everyone)
async def test_a_call_stands_in_one_input_once(start):
    call = nap(0.01)
    with pytest.raises(AlreadyRun, match=r"call\.again\(\)") as raised:
        await start([call, call])
    assert any("item 1 of the input" in note for note in raised.value.__notes__)
    assert not others()


async def test_a_plain_coroutine_given_twice_fails_and_harms_no_other():
    async def once() -> str:
        await asyncio.sleep(0.01)
        return "done"

    coroutine = once()
    settled = await settle([coroutine, coroutine])
    assert settled[0] == Ok("done")
    assert isinstance(settled[1], Failed)


@pytest.mark.parametrize("start", [gather, settle])
@pytest.mark.parametrize("limit", [0, -1])
async def test_a_limit_below_1_is_refused(start, limit):
    with pytest.raises(ValueError, match=f"limit= of {start.__name__} must be 1 or more"):
        await start([nap(0)], limit=limit)


@pytest.mark.parametrize("start", [gather, settle])
async def test_a_limit_is_a_whole_number(start):
    with pytest.raises(UsageError, match=r"belongs on tools: @tool\(limit="):
        await start([nap(0)], limit=Limit(3))
    for limit in (True, 1.5, "3"):
        with pytest.raises(UsageError, match="whole number"):
            await start([nap(0)], limit=limit)
    with pytest.raises(UsageError, match="goes with one iterable"):
        await start(nap(0), nap(0), limit=3)


@pytest.mark.parametrize("start", everyone)
@pytest.mark.parametrize("seconds", [-1, float("nan"), "3", True])
async def test_a_wrong_number_of_seconds_is_refused_and_no_call_reported(start, seconds):
    for given in ([nap(0), nap(0)], [[nap(0), asyncio.sleep(0)]]):
        with pytest.raises((ValueError, TypeError), match="timeout"):
            await start(*given, timeout=seconds)
    with pytest.raises((ValueError, TypeError), match="grace"):
        await start(nap(0), grace=seconds)
    gc.collect()


async def test_what_was_handed_over_is_never_reported_as_never_awaited(clock):
    for make in (nap, asyncio.sleep):
        with pytest.raises(ValueError):
            await gather([fail(1, ValueError()), *[make(3600) for _ in range(5)]], limit=1)
        settled = await settle([make(3600) for _ in range(5)], limit=1, timeout=1)
        assert len(settled) == 5
        with pytest.raises(TooManyFailures):
            await settle([fail(1, ValueError()), *[make(3600) for _ in range(5)]], limit=1, fail_on=1)
        task = asyncio.create_task(settle([make(3600) for _ in range(5)], limit=1))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    gc.collect()  # warnings are errors


# -- asynchronous inputs ---------------------------------------------------------------------------------------------


async def test_an_asynchronous_input_is_read_as_places_become_free(clock):
    given = ended = most = 0
    tasks = set()

    @agent
    async def work(number: int) -> int:
        nonlocal ended
        await asyncio.sleep(1)
        ended += 1
        return number

    async def calls() -> AsyncIterator[Any]:
        nonlocal given, most
        async with asyncio.timeout(1000):  # belongs to a task: one task reads from beginning to end
            for number in range(10):
                await asyncio.sleep(0.01)
                tasks.add(asyncio.current_task())
                given += 1
                most = max(most, given - ended)
                yield work(number)

    assert await gather(calls(), limit=3) == list(range(10))
    assert most == 3
    assert len(tasks) == 1


async def test_a_time_out_ends_a_blocked_asynchronous_input_and_closes_it(clock):
    log = []

    async def stuck() -> AsyncIterator[Any]:
        try:
            yield nap(1, "done")
            yield nap(3600)
            await asyncio.sleep(3600)
        finally:
            log.append("closed")

    settled = await settle(stuck(), timeout=2)
    assert settled[0] == Ok("done")
    assert isinstance(settled[1], TimedOut)
    assert log == ["closed"]
    assert not others()


async def test_a_full_window_closes_its_asynchronous_input_too(clock):
    log = []

    async def many() -> AsyncIterator[Any]:
        try:
            while True:
                yield nap(3600)
        finally:
            await asyncio.sleep(0.1)
            log.append("closed")

    assert len(await settle(many(), limit=3, timeout=2)) == 3
    assert log == ["closed"]


async def test_a_queue_that_never_answers_does_not_hold_the_fan_out(clock):
    class FromQueue:
        def __init__(self) -> None:
            self.queue: asyncio.Queue[Any] = asyncio.Queue()

        def __aiter__(self) -> Any:
            return self

        async def __anext__(self) -> Any:
            return await self.queue.get()

    source = FromQueue()
    source.queue.put_nowait(nap(1, "done"))
    assert (await settle(source, timeout=5)).results == ["done"]
    assert clock.time() == pytest.approx(5, abs=0.01)
    with pytest.raises(TimedOutError):
        await gather(FromQueue(), timeout=5)
    with pytest.raises(ValueError):
        source.queue.put_nowait(fail(1, ValueError()))
        await gather(source)
    assert not others()


async def test_an_asynchronous_input_that_raises_ends_the_fan_out(clock):
    log: list[str] = []

    async def broken() -> AsyncIterator[Any]:
        yield polite(log, "a", 0.1)
        await asyncio.sleep(1)
        raise OSError("connection gone")

    with pytest.raises(OSError, match="connection gone"):
        await settle(broken())
    assert log == ["a asked: sibling", "a clean"]


async def test_an_asynchronous_input_with_something_else_in_it_is_refused(clock):
    closed = []

    async def wrong() -> AsyncIterator[Any]:
        try:
            yield nap(3600)
            yield 17
        finally:
            await asyncio.sleep(0.01)
            closed.append(1)

    with pytest.raises(UsageError, match="17") as raised:
        await settle(wrong())
    assert any("item 1 of the input" in note for note in raised.value.__notes__)
    assert closed
    assert not others()


@pytest.mark.parametrize("exit_", [KeyboardInterrupt, SystemExit])
async def test_an_exit_from_an_asynchronous_input_reaches_the_caller_and_not_the_loop(exit_):
    async def broken() -> AsyncIterator[Any]:
        yield nap(0)
        await asyncio.sleep(0)
        raise exit_("words")

    with pytest.raises(exit_):
        await settle(broken())


async def test_somebody_who_cancels_the_reading_task_does_not_end_the_input_silently():
    async def calls() -> AsyncIterator[Any]:
        yield nap(0)
        await asyncio.sleep(3600)

    for turns in (1, 5):
        task = asyncio.create_task(settle(calls()))
        for _ in range(turns):
            await asyncio.sleep(0)
        for other in others() - {task}:
            other.cancel()
        with pytest.raises(BodyExited, match="the input of settle"):
            await task


async def test_an_asynchronous_input_that_will_not_end_is_handed_over(clock, caplog):
    async def resists() -> AsyncIterator[Any]:
        yield nap(1, "done")
        for _ in range(10):
            try:
                await asyncio.sleep(30)
            except asyncio.CancelledError:
                continue

    settled = await settle(resists(), timeout=2)
    assert settled.results == ["done"]
    assert clock.time() == pytest.approx(2.5, abs=0.01)
    await quiet()
    assert "the input of settle was asked 3 times to end" in caplog.text


# -- shutdown --------------------------------------------------------------------------------------------------------


async def test_a_draining_runtime_finishes_what_runs_and_begins_nothing_more(clock):
    async with Runtime() as runtime:
        asyncio.get_running_loop().call_later(1, runtime.drain)
        settled = await settle((nap(1.5, number) for number in range(6)), limit=2)
        assert settled.results == [0, 1]
        assert [(outcome.reason, outcome.work) for outcome in settled.failures] == [("shutdown", "not started")] * 4
        with pytest.raises(Interrupted, match="3 of 3 calls of gather had not begun"):
            await gather([nap(1), nap(1), nap(1)])
        assert (await settle([nap(1)]))[0].reason == "shutdown"
        with pytest.raises(Interrupted):
            await first([nap(1)])
        assert await gather([]) == []


async def test_a_drain_between_two_windows_interrupts_gather(clock):
    async with Runtime() as runtime:
        asyncio.get_running_loop().call_later(1, runtime.drain)
        with pytest.raises(Interrupted, match="2 of 4 calls"):
            await gather([nap(1.5) for _ in range(4)], limit=2)


async def test_what_had_all_begun_is_not_interrupted(clock):
    async with Runtime() as runtime:
        asyncio.get_running_loop().call_later(1, runtime.drain)
        assert await gather([nap(2, 1), nap(3, 2)]) == [1, 2]


@pytest.mark.parametrize("resists", [False, True])
async def test_draining_ends_an_asynchronous_input(clock, resists, caplog):
    async def calls() -> AsyncIterator[Any]:
        yield nap(1.5, "done")
        for _ in range(5):
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                if not resists:
                    raise

    async with Runtime() as runtime:
        for start in (settle, gather):
            runtime.draining = False
            asyncio.get_running_loop().call_later(1, runtime.drain)
            began = clock.time()
            if start is settle:
                assert (await settle(calls())).results == ["done"]
            else:
                with pytest.raises(Interrupted, match="had not been read to its end"):
                    await gather(calls())
            assert clock.time() - began == pytest.approx(1.5, abs=0.01)
        await quiet()


async def test_an_item_that_an_asynchronous_input_gives_too_late_has_an_outcome_too(clock):
    async def insists() -> AsyncIterator[Any]:
        yield nap(1.5, "done")
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            yield nap(0, "too late")

    async with Runtime() as runtime:
        asyncio.get_running_loop().call_later(1, runtime.drain)
        settled = await settle(insists())
        assert settled.results == ["done"]
        assert [(outcome.reason, outcome.work) for outcome in settled.failures] == [("shutdown", "not started")]
        runtime.draining = False
        asyncio.get_running_loop().call_later(1, runtime.drain)
        assert [outcome async for outcome in as_completed(insists())] == [Ok("done"), Cancelled("shutdown")]


def test_a_loop_that_is_gone_takes_the_fan_out_along_quietly():
    begun = []

    def main() -> None:
        loop = asyncio.new_event_loop()

        @agent
        async def work(number: int) -> None:
            begun.append(number)
            await asyncio.sleep(3600)

        async def fan_out() -> None:
            await settle((work(number) for number in range(10)), limit=2)

        task = loop.create_task(fan_out())
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        loop.call_later(0.01, loop.stop)
        loop.run_forever()
        for other in asyncio.all_tasks(loop):
            other._log_destroy_pending = False  # type: ignore[attr-defined]
        loop.close()

    thread = threading.Thread(target=main)
    thread.start()
    thread.join()
    gc.collect()
    assert begun == [0, 1]  # nothing begins in the clean-up


# -- what is let go --------------------------------------------------------------------------------------------------


class Big:
    """A result worth letting go."""


@pytest.mark.parametrize("start", everyone)
async def test_results_are_let_go_with_the_answer_and_not_with_the_next_collection(start):
    big = [Big()]
    seen = weakref.ref(big[0])
    gc.disable()
    try:
        answer = await start([nap(0, big.pop()), nap(0)])
        del answer
        await asyncio.sleep(0)
        assert seen() is None
    finally:
        gc.enable()


async def test_an_error_that_is_kept_does_not_keep_the_other_outcomes():
    big = [Big()]
    seen = weakref.ref(big[0])
    gc.disable()
    try:
        kept = (await settle([nap(0, big.pop()), fail(0, ValueError())]))[1]
        await asyncio.sleep(0)
        assert isinstance(kept, Failed)
        assert seen() is None
    finally:
        gc.enable()


async def test_an_error_goes_with_its_outcome():
    class Oops(Exception):
        pass

    @agent
    async def fails() -> None:
        await asyncio.sleep(0)
        raise Oops

    gc.disable()
    try:
        settled = await settle([fails()])
        seen = weakref.ref(settled[0].error)
        del settled
        await asyncio.sleep(0)
        assert seen() is None
    finally:
        gc.enable()


async def test_arguments_that_do_not_fit_are_a_failure_of_their_own_call():
    @agent
    async def double(number: int) -> int:
        return 2 * number

    wrong: Any = double
    outcomes = await settle([double(1), wrong(), double(3)])
    assert [type(outcome) for outcome in outcomes] == [Ok, Failed, Ok]
    assert "missing 1 required positional argument" in str(outcomes.failures[0].error)
