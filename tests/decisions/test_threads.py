"""docs/decision-guide.md, "Threads": ThreadPoolExecutor and to_thread."""

import asyncio
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar

import pytest

from linecook import Runtime, install, remaining, settle, tool
from linecook.errors import TimedOutError
from tests.decisions.conftest import Hang

POOL = ThreadPoolExecutor()._max_workers  # type: ignore[attr-defined]  # of the default one: min(32, CPUs + 4)
tenant: ContextVar[str] = ContextVar("tenant", default="nobody")


@pytest.mark.slow
async def test_to_thread_shares_one_small_pool() -> None:
    loop = asyncio.get_running_loop()

    def who() -> str:
        return threading.current_thread().name

    names = await asyncio.gather(*(asyncio.to_thread(who) for _ in range(200)))
    assert len(set(names)) <= POOL  # not a thread for each call

    meeting = threading.Barrier(POOL + 1)
    calls = [asyncio.to_thread(meeting.wait, 0.2) for _ in range(POOL + 1)]
    met = await asyncio.gather(*calls, return_exceptions=True)
    assert any(isinstance(each, threading.BrokenBarrierError) for each in met)  # the last one never got a thread

    @tool
    def meet() -> int:
        return roomy.wait(30)

    roomy = threading.Barrier(POOL + 1)
    assert len((await settle(meet() for _ in range(POOL + 1))).results) == POOL + 1  # linecook: 64, and growing
    await loop.shutdown_default_executor()


async def test_a_few_hung_calls_stop_name_look_ups_too(hang: Hang) -> None:
    loop = asyncio.get_running_loop()
    hung = [asyncio.ensure_future(asyncio.to_thread(hang)) for _ in range(POOL)]
    await asyncio.sleep(0)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await loop.getaddrinfo("127.0.0.1", 80)  # a look-up waits for a thread of the same pool

    with install():  # linecook, in one line: the loop's default pool is a lane that grows past hung calls
        hung += [asyncio.ensure_future(asyncio.to_thread(hang)) for _ in range(POOL)]
        await asyncio.sleep(0)
        async with asyncio.timeout(30):
            assert await loop.getaddrinfo("127.0.0.1", 80)
    await hang.release()
    await asyncio.gather(*hung)


@pytest.mark.slow
async def test_a_timeout_leaves_the_thread_at_work() -> None:
    loop = asyncio.get_running_loop()
    go_on, sent = threading.Event(), threading.Event()

    def send() -> None:
        go_on.wait(30)
        sent.set()

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.to_thread(send), 0.1)
    go_on.set()
    assert sent.wait(30)  # "timed out", and sent all the same

    go_on.clear()
    with pytest.raises(TimedOutError) as told:
        await tool(timeout=0.1)(send)()
    assert told.value.work == "abandoned"  # linecook: a thread can't be stopped either, but you are told
    go_on.set()
    await loop.shutdown_default_executor()


@pytest.mark.slow
async def test_a_pool_of_fixed_size_is_starved_by_calls_that_hang(hang: Hang) -> None:
    loop = asyncio.get_running_loop()
    pool = ThreadPoolExecutor(2)
    hung = [loop.run_in_executor(pool, hang) for _ in range(2)]
    for future in hung:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(future, 0.1)  # the callers are gone, the threads are not
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(loop.run_in_executor(pool, str, "healthy"), 0.1)
    pool.shutdown(wait=False, cancel_futures=True)

    hangs, healthy = tool(timeout=0.2)(hang), tool(timeout=30)(lambda: "healthy")
    async with Runtime(threads=2) as runtime:
        settled = await settle(hangs() for _ in range(2))
        assert [outcome.work for outcome in settled] == ["abandoned", "abandoned"]
        assert await healthy() == "healthy"  # linecook: an abandoned thread is counted, and replaced
        assert runtime.statistics()["thread"]["abandoned"] == 2
    await hang.release()


async def test_run_in_executor_loses_the_context() -> None:
    tenant.set("ann")
    loop = asyncio.get_running_loop()
    assert await loop.run_in_executor(None, tenant.get) == "nobody"
    assert await asyncio.to_thread(tenant.get) == "ann"  # to_thread was added for that
    assert await tool(tenant.get)() == "ann"  # linecook: it travels, and the deadline with it

    @tool(timeout=30)
    def left() -> float:
        return remaining()

    assert 0 < await left() <= 30
    await loop.shutdown_default_executor()


STDLIB = """
    import asyncio, time
    async def main():
        try:
            await asyncio.wait_for(asyncio.to_thread(time.sleep, 60), 0.05)
        except TimeoutError:
            print("timed out", flush=True)
    asyncio.run(main())
"""
OURS = """
    import time
    from linecook import run, settle, tool
    async def main():
        print((await settle([tool(timeout=0.05)(time.sleep)(60)]))[0], flush=True)
    run(main())
"""


@pytest.mark.slow
def test_a_hung_thread_holds_up_the_exit(environment: dict[str, str]) -> None:
    def start(program: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", textwrap.dedent(program)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)

    with start(STDLIB) as stdlib, start(OURS) as ours:
        try:
            assert first_line(stdlib) == "timed out\n"
            assert first_line(ours) == "TimedOut(0.05)\n"
            assert ours.wait(30) == 0  # linecook: gone, whoever hangs
            with pytest.raises(subprocess.TimeoutExpired):
                stdlib.wait(0.5)  # answered long ago, and waiting for its thread
        finally:
            stdlib.kill()
            ours.kill()


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()
