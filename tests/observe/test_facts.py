import asyncio
import threading
import time

import msgspec
import pytest

from linecook import Retry, Runtime, agent, as_completed, fail_after, gather, tool
from linecook.errors import TimedOutError
from linecook.observe import Facts, Snapshot


@tool
def nap(seconds: float) -> None:
    time.sleep(seconds)


@tool(limit=1)
def alone(seconds: float) -> None:
    time.sleep(seconds)


def lane_of(snapshot: Snapshot, name: str):
    return snapshot.lanes[name]


def tool_of(snapshot: Snapshot, name: str):
    return next(each for each in snapshot.tools if each.name == name)


async def look_until(facts: Facts, condition) -> Snapshot:
    deadline = time.monotonic() + 5
    while not condition(snapshot := facts.snapshot()) and time.monotonic() < deadline:
        await asyncio.sleep(0.002)
    assert condition(snapshot), snapshot
    return snapshot


def test_without_a_runtime_outcomes_are_counted_all_the_same():
    facts = Facts(total=4)
    for kind in ("Ok", "Failed", "Ok"):
        facts.update(kind)
    snapshot = facts.snapshot()
    assert (snapshot.done, snapshot.total, snapshot.outcomes) == (3, 4, {"Ok": 2, "Failed": 1})
    assert snapshot.rate > 0
    assert snapshot.eta is not None
    assert snapshot.lanes == {}
    facts.expect(None)
    assert facts.snapshot().eta is None


def test_no_outcome_is_lost_when_many_threads_count():
    facts = Facts()
    threads = [threading.Thread(target=lambda: [facts.update("Ok") for _ in range(500)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        facts.snapshot()
    assert facts.snapshot().done == 2000


async def test_a_lane_shows_what_runs_and_what_waits():
    async with Runtime(threads=2, max_threads=2) as runtime:
        with Facts(runtime) as facts:
            crew = asyncio.ensure_future(gather(nap(0.05) for _ in range(5)))
            snapshot = await look_until(
                facts, lambda seen: "thread" in seen.lanes and seen.lanes["thread"].running == 2
            )
            assert (lane_of(snapshot, "thread").cap, lane_of(snapshot, "thread").waiting) == (2, 3)
            assert (lane_of(snapshot, "loop").running, lane_of(snapshot, "loop").cap) == (5, 1000)
            await crew


async def test_an_abandoned_thread_is_counted_and_the_call_as_timed_out():
    async with Runtime() as runtime:
        with Facts(runtime) as facts:
            with pytest.raises(TimedOutError), fail_after(0.01):
                await nap(0.1)
            snapshot = facts.snapshot()
            assert lane_of(snapshot, "thread").abandoned == 1
            assert tool_of(snapshot, "nap").timeouts == 1


async def test_what_half_and_most_bodies_took_is_known():
    async with Runtime() as runtime:
        with Facts(runtime) as facts:
            await gather(nap(0.001 if number % 10 else 0.03) for number in range(40))
            slowest = facts.snapshot().tools[0]
    assert (slowest.name, slowest.lane, slowest.calls) == ("nap", "thread", 40)
    assert 0.001 <= slowest.p50 <= 0.03
    assert slowest.p95 >= 0.029


@pytest.mark.slow
async def test_bodies_in_processes_are_timed_too():
    async with Runtime(processes=1) as runtime:
        with Facts(runtime) as facts:
            assert await gather(tool(lane="process")(len)("four") for _ in range(3)) == [4, 4, 4]
            snapshot = facts.snapshot()
    assert tool_of(snapshot, "len").p95 is not None
    assert (lane_of(snapshot, "process").cap, lane_of(snapshot, "process").lost) == (1, 0)


async def test_tools_that_ran_before_anybody_looked_are_counted_and_timed_from_then_on():
    async with Runtime() as runtime:
        await nap(0.001)
        with Facts(runtime) as facts:
            assert (tool_of(facts.snapshot(), "nap").calls, tool_of(facts.snapshot(), "nap").p50) == (1, None)
            await nap(0.001)
            assert tool_of(facts.snapshot(), "nap").p50 >= 0.001


async def test_nobody_is_timed_when_nobody_looks():
    async with Runtime() as runtime:
        first, second = Facts(runtime), Facts(runtime)
        await nap(0)
        [meter] = runtime.meters.values()
        first.close()
        assert meter.latest is not None
        second.close()
        assert meter.latest is None
        assert not runtime.events.heard


async def test_retries_and_waits_for_a_limit_are_counted():
    tries = []

    @tool(retry=Retry(ValueError, attempts=3, wait=0), effect="read")
    async def flaky() -> None:
        tries.append(1)
        if len(tries) < 3:
            raise ValueError

    async with Runtime() as runtime:
        with Facts(runtime) as facts:
            await flaky()
            crew = asyncio.ensure_future(gather(alone(0.02) for _ in range(3)))
            await look_until(facts, lambda seen: seen.limits_waiting == 2)
            await crew
            assert (facts.snapshot().retries, facts.snapshot().limits_waiting) == (2, 0)


async def test_the_lag_of_the_loop_grows_while_it_stands_still():
    async with Runtime(stall=None) as runtime:
        with Facts(runtime) as facts:
            assert facts.snapshot().loop_lag is None
            await look_until(facts, lambda seen: seen.loop_lag is not None)
            facts.snapshot()  # asks anew
            time.sleep(0.03)
            assert facts.snapshot().loop_lag >= 0.03
            await look_until(facts, lambda seen: seen.loop_lag is not None and seen.loop_lag < 0.03)


@pytest.mark.slow
async def test_a_stall_is_shown_with_its_line_while_it_goes_on_and_afterwards():
    during = []

    @agent
    async def blocker() -> None:
        timer = threading.Timer(0.15, lambda: during.append(facts.snapshot()))
        timer.start()
        time.sleep(0.3)  # the culprit
        timer.join()

    async with Runtime(stall=0.03) as runtime:
        with Facts(runtime) as facts:
            await blocker()
            after = await look_until(facts, lambda seen: seen.stalls and not seen.stalls[0].going_on)
    [now] = during[0].stalls
    assert now.going_on
    assert now.seconds < after.stalls[0].seconds
    [stall] = after.stalls
    assert "time.sleep(0.3)  # the culprit" in stall.place
    assert (stall.whose, stall.count) == ("blocker", 1)
    assert 0.2 < stall.seconds < 5


@pytest.mark.slow
async def test_what_is_not_counted_on_the_loop_is_not_said_to_be_zero():
    @tool
    async def spin() -> None:
        until = time.monotonic() + 0.3
        while time.monotonic() < until:
            pass

    async with Runtime(stall=10) as runtime:
        with Facts(runtime) as facts:
            await spin()
            [seen] = facts.snapshot().tools
    assert (seen.calls, seen.failures, seen.timeouts, seen.p50) == (None, None, None, None)
    assert seen.seconds > 0.1  # by the stall watch's samples


async def test_draining_is_told_and_no_time_left_is_promised():
    async with Runtime() as runtime:
        with Facts(runtime, total=10) as facts:
            facts.update("Ok")
            runtime.drain()
            snapshot = facts.snapshot()
    assert snapshot.draining
    assert snapshot.eta is None


async def test_a_snapshot_travels_as_json():
    async with Runtime() as runtime:
        with Facts(runtime, total=2) as facts:
            await gather(nap(0) for _ in range(2))
            facts.update("Ok")
            snapshot = facts.snapshot()
    assert msgspec.json.decode(msgspec.json.encode(snapshot), type=Snapshot) == snapshot


async def test_snapshots_taken_while_all_changes_are_whole():
    @agent
    async def clerk(number: int) -> None:
        body = eval(compile("lambda: None", f"clerk {number}", "eval"))  # of a file of its own, so that
        own = tool(body)  # each has a meter of its own: the dictionary grows under the reader's eyes
        await own()
        await gather(nap(0) for _ in range(2))

    errors = []

    def look() -> None:
        try:
            while not over.is_set():
                assert len(facts.snapshot().tools) <= 20
        except BaseException as error:
            errors.append(error)

    over = threading.Event()
    async with Runtime() as runtime:
        with Facts(runtime) as facts:
            looker = threading.Thread(target=look)
            looker.start()
            async with as_completed((clerk(n) for n in range(150)), limit=50) as outcomes:
                async for _ in outcomes:
                    facts.update("Ok")
            over.set()
            looker.join()
            last = facts.snapshot()
    assert errors == []
    assert (last.done, len(last.tools)) == (150, 20)
    assert last.tools_hidden >= 130


async def test_a_closed_runtime_can_still_be_read():
    async with Runtime() as runtime:
        facts = Facts(runtime)
        await nap(0)
    snapshot = facts.snapshot()
    facts.close()
    assert tool_of(snapshot, "nap").calls == 1
    assert snapshot.loop_lag is None
    assert facts.snapshot().lanes == {}
