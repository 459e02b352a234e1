"""A resource: opened where and when it is first used, once; closed in reverse order; fresh where a fresh one is due."""

import asyncio
import gc
import os
import pickle
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from linecook import Runtime, agent, fail_after, gather, resource, scope, settle, tool
from linecook.errors import ResourceFailed, TimedOutError, UsageError
from linecook.testing import VirtualClock
from tests.tools import process_tools

log: list[str] = []
trouble: list[BaseException] = []
gate = threading.Event()


@pytest.fixture(autouse=True)
def fresh_log() -> None:
    log.clear()
    trouble.clear()
    gate.clear()


class Client:
    """Something that must be closed."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_open = True


@resource
async def web() -> AsyncIterator[Client]:
    log.append("web opens")
    await asyncio.sleep(0.01)
    if trouble:
        raise trouble.pop()
    client = Client("web")
    yield client
    client.is_open = False
    log.append("web closes")


@resource
async def database() -> AsyncIterator[Client]:
    log.append("database opens")
    yield Client("database")
    await asyncio.sleep(0)
    log.append("database closes")


@resource(per="runtime")
def cache() -> Iterator[Client]:
    log.append("cache opens")
    time.sleep(0.005)
    if trouble:
        raise trouble.pop()
    client = Client("cache")
    yield client
    client.is_open = False
    log.append("cache closes")


@resource(per="thread")
def session() -> Iterator[Client]:
    log.append(f"session opens in {threading.current_thread().name}")
    yield Client(threading.current_thread().name)
    log.append(f"session closes in {threading.current_thread().name}")


@tool
async def use_web() -> Client:
    return await web()


@tool
def use_cache() -> Client:
    time.sleep(0.002)
    return cache()


@tool
def use_session(wait: float = 0.02) -> Client:
    time.sleep(wait)
    assert session() is session()
    return session()


# -- one for each runtime -----------------------------------------------------------------------------------------


async def test_nothing_is_opened_before_it_is_used() -> None:
    async with Runtime(stall=None):
        await asyncio.sleep(0)
    assert log == []


async def test_many_first_users_at_once_share_one_opening() -> None:
    async with Runtime(stall=None):
        clients = await gather([use_web() for _ in range(50)])
        assert len({id(client) for client in clients}) == 1
        assert clients[0].is_open
    assert log == ["web opens", "web closes"]
    assert not clients[0].is_open


async def test_many_threads_at_once_share_one_opening() -> None:
    async with Runtime(threads=16, stall=None):
        clients = await gather([use_cache() for _ in range(50)])
        assert len({id(client) for client in clients}) == 1
    assert log == ["cache opens", "cache closes"]
    assert not clients[0].is_open


async def test_resources_close_in_reverse_order() -> None:
    async with Runtime(stall=None):
        await web()
        cache()
        await database()
    assert log == [
        "web opens", "cache opens", "database opens", "database closes", "cache closes", "web closes",
    ]  # fmt: skip


async def test_each_runtime_has_its_own() -> None:
    async with Runtime(stall=None):
        first = (await web(), cache())
        async with Runtime(stall=None):
            second = (await web(), cache())
        assert [client.is_open for client in (*first, *second)] == [True, True, False, False]
        assert (await web(), cache()) == first


@pytest.mark.parametrize("uses", [use_web, use_cache])
def test_a_default_runtime_closes_its_resources_with_asyncio_run(uses: Any) -> None:
    async def main() -> Client:
        client: Client = await uses()
        return client

    first, second = asyncio.run(main()), asyncio.run(main())
    assert first is not second
    assert not first.is_open
    assert not second.is_open
    assert [line.partition(" ")[2] for line in log] == ["opens", "closes"] * 2


def test_a_default_runtime_closes_in_reverse_order_too() -> None:
    async def main() -> None:
        await web()
        await database()

    asyncio.run(main())
    assert log == ["web opens", "database opens", "database closes", "web closes"]


@resource
async def scoped() -> AsyncIterator[str]:
    async with anyio.create_task_group() as group:  # insists on being left by the task that entered it
        group.start_soon(anyio.sleep_forever)
        yield "scoped"
        log.append("scope left")
        group.cancel_scope.cancel()


def test_a_resource_is_opened_and_closed_by_the_same_task() -> None:
    async def in_a_task() -> str:
        return await asyncio.create_task(scoped())

    async def main() -> None:
        async with Runtime(stall=None):
            assert await in_a_task() == "scoped"
            assert await asyncio.create_task(in_a_task()) == "scoped"

    asyncio.run(main())
    assert asyncio.run(in_a_task()) == "scoped"
    assert log == ["scope left", "scope left"]


async def test_the_deadline_and_context_of_the_first_user_are_not_the_resources(clock: VirtualClock) -> None:
    async with Runtime(stall=None):
        with fail_after(1):
            client = await use_web()
        await asyncio.sleep(5)
        assert client.is_open
        assert await use_web() is client


# -- openings that fail or hang -----------------------------------------------------------------------------------


async def test_a_failed_opening_is_told_to_everybody_who_waits_and_tried_again_by_the_next() -> None:
    trouble.append(ConnectionError("no route"))
    async with Runtime(stall=None):
        outcomes = await settle([use_web() for _ in range(5)])
        for failure in outcomes.failures:
            assert isinstance(failure.error, ResourceFailed)
            assert "resource web could not be opened: ConnectionError('no route')" in str(failure.error)
            assert isinstance(failure.error.__cause__, ConnectionError)
        assert len(outcomes.failures) == 5
        assert (await use_web()).is_open
    assert log == ["web opens", "web opens", "web closes"]


async def test_a_failed_opening_on_a_thread_is_told_and_tried_again() -> None:
    trouble.append(ConnectionError("no route"))
    async with Runtime(stall=None):
        with pytest.raises(ResourceFailed, match="resource cache could not be opened: ConnectionError"):
            await use_cache()
        assert (await use_cache()).is_open
    assert log == ["cache opens", "cache opens", "cache closes"]


@pytest.mark.parametrize("exit_", [SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError()], ids=repr)
async def test_an_exit_while_opening_ends_neither_loop_nor_waiters(exit_: BaseException) -> None:
    async with Runtime(stall=None):
        trouble.append(exit_)
        with pytest.raises(ResourceFailed, match="resource web could not be opened"):
            await use_web()
        assert (await use_web()).is_open


@resource
async def hanging() -> AsyncIterator[int]:
    try:
        await asyncio.sleep(1e6)
        yield 1
    finally:
        log.append("opening ended")


async def test_whoever_waits_for_an_opening_that_hangs_keeps_his_deadline(clock: VirtualClock) -> None:
    @tool(timeout=2)
    async def uses() -> int:
        return await hanging()

    async with Runtime(stall=None):
        outcomes = await settle([uses() for _ in range(3)])
        assert outcomes.counts["timed_out"] == 3
        with pytest.raises(TimedOutError):
            with fail_after(1):
                await hanging()
        assert log == []  # nobody who leaves cancels the opening for the others
    assert log == ["opening ended"]


async def test_closing_the_runtime_ends_an_opening_and_tells_who_waits(clock: VirtualClock) -> None:
    runtime = Runtime(stall=None).open()
    waiting = asyncio.create_task(hanging())
    await asyncio.sleep(1)
    await runtime.aclose()
    with pytest.raises(
        ResourceFailed, match=r"resource hanging could not be opened: .*the runtime was closed meanwhile"
    ):
        await waiting
    assert log == ["opening ended"]


async def test_a_cancelled_user_does_not_cancel_the_opening_for_the_others() -> None:
    async with Runtime(stall=None):
        first, second = asyncio.create_task(use_web()), asyncio.create_task(use_web())
        await asyncio.sleep(0.002)
        first.cancel()
        assert (await second).is_open
        with pytest.raises(asyncio.CancelledError):
            await first
    assert log == ["web opens", "web closes"]


async def test_a_sync_opening_that_hangs_leaves_its_users_their_deadlines() -> None:
    @resource
    def stuck() -> Iterator[int]:
        gate.wait(20)
        yield 1

    @tool(timeout=0.05)
    def uses() -> int:
        return stuck()

    async with Runtime(stall=None):
        outcomes = await settle([uses() for _ in range(3)])
        assert outcomes.counts["timed_out"] == 3
        async with Runtime(stall=None):  # another runtime has its own
            gate.set()
            assert await uses.options(timeout=20)() == 1


# -- closings that fail or hang -----------------------------------------------------------------------------------


async def test_a_closing_that_raises_is_raised_and_the_others_are_closed_all_the_same() -> None:
    @resource
    async def clumsy() -> AsyncIterator[int]:
        yield 1
        raise RuntimeError("dropped")

    with pytest.raises(RuntimeError, match="dropped"):
        async with Runtime(stall=None):
            await web()
            await clumsy()
            await database()
    assert log == ["web opens", "database opens", "database closes", "web closes"]


async def test_a_resource_may_use_another_one() -> None:
    @resource
    async def pool() -> AsyncIterator[str]:
        client = await web()
        yield f"pool on {client.name}"
        assert client.is_open
        log.append("pool closes")

    async with Runtime(stall=None):
        assert await pool() == "pool on web"
    assert log == ["web opens", "pool closes", "web closes"]


async def test_a_resource_of_a_closed_runtime_is_opened_anew_in_the_next() -> None:
    seen: list[Client] = []
    for _ in range(3):
        async with Runtime(stall=None):
            seen += [await use_web(), await use_cache()]
    assert len({id(client) for client in seen}) == 6
    assert not any(client.is_open for client in seen)


# -- one for each thread ------------------------------------------------------------------------------------------


async def test_each_thread_has_its_own_and_closes_it_when_it_ends() -> None:
    async with Runtime(threads=3, max_threads=3, stall=None):
        clients = await gather([use_session() for _ in range(12)])
        threads = {client.name for client in clients}
        assert len({id(client) for client in clients}) == len(threads) <= 3
    for _ in range(500):
        if sum("closes" in line for line in log) == len(threads):
            break
        await asyncio.sleep(0.005)
    opened = {line.rpartition(" ")[2] for line in log if "opens" in line}
    assert opened == {line.rpartition(" ")[2] for line in log if "closes" in line} == threads


async def test_a_failed_opening_on_a_thread_is_tried_again_by_the_next_call() -> None:
    attempts: list[int] = []

    @resource(per="thread")
    def flaky() -> Iterator[int]:
        attempts.append(1)
        if len(attempts) == 1:
            raise OSError("not yet")
        yield len(attempts)

    @tool
    def uses() -> int:
        return flaky()

    async with Runtime(threads=1, max_threads=1, stall=None):
        with pytest.raises(ResourceFailed, match="not yet"):
            await uses()
        assert await uses() == 2
        assert await uses() == 2


# -- one for each process -----------------------------------------------------------------------------------------


@pytest.mark.slow
async def test_each_process_has_its_own_and_closes_it_when_sent_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ledger"
    monkeypatch.setenv("LINECOOK_TEST_LEDGER", str(path))
    async with Runtime(processes=1, stall=None):
        first, second = await process_tools.use_ledger(), await process_tools.use_ledger()
        assert first == second
        assert first[0] != os.getpid()
    for _ in range(500):
        if "closed" in path.read_text():
            break
        await asyncio.sleep(0.01)
    assert path.read_text().splitlines() == [f"opened {first[0]}", f"closed {first[0]}"]


def test_a_process_resource_works_in_the_main_process_too() -> None:
    assert process_tools.ledger() is process_tools.ledger()
    assert process_tools.ledger() == [os.getpid()]


# -- the wrong place ----------------------------------------------------------------------------------------------


@pytest.mark.slow
async def test_a_runtime_resource_in_a_process_names_the_cure() -> None:
    async with Runtime(processes=1, stall=None):
        with pytest.raises(UsageError, match=r"of_the_runtime is per='runtime'.*declare it per='process'"):
            await process_tools.use_of_the_runtime()


def test_a_runtime_resource_outside_everything_names_the_cure() -> None:
    with pytest.raises(UsageError, match="resource cache is per='runtime', and no runtime is in sight"):
        cache()
    assert log == []


async def test_a_thread_resource_on_the_loop_names_the_cure_and_opens_nothing() -> None:
    with pytest.raises(UsageError, match="resource session is per='thread': use it inside a tool that runs on"):
        session()
    assert log == []


async def test_an_agent_and_a_plain_task_find_the_runtime() -> None:
    @agent
    async def asks() -> Client:
        return await web()

    async with Runtime(stall=None):
        client = await asks()
        assert await asyncio.create_task(web()) is client
        async with scope() as s:
            assert await s.start(asks()) is client


# -- the declaration ----------------------------------------------------------------------------------------------


def plain() -> int:
    return 1


def with_arguments(x: int) -> Iterator[int]:
    yield x


async def opens() -> AsyncIterator[int]:
    yield 1


@pytest.mark.parametrize(
    ("function", "options", "kind", "said"),
    [
        (plain, {}, UsageError, "resource plain must be a generator: open, yield the thing, close"),
        (with_arguments, {}, UsageError, "resource with_arguments takes arguments"),
        (opens, {"per": "thread"}, UsageError, "opens is an async generator, bound to a loop: it is per='runtime'"),
        (opens, {"per": "process"}, UsageError, "per='runtime'"),
        (with_arguments, {"per": "agent"}, ValueError, "per='agent' of with_arguments: there are 'runtime', 'thread'"),
        (3, {}, UsageError, "resource 3 must be a generator"),
    ],
)
def test_a_declaration_that_makes_no_sense_is_refused(
    function: Any, options: Any, kind: type[Exception], said: str
) -> None:
    with pytest.raises(kind, match=said):
        resource(**options)(function)


def test_resources_are_pickled_by_name_and_show_what_they_are() -> None:
    for made in (web, cache, session):
        assert pickle.loads(pickle.dumps(made)) is made
        assert made.__module__ == __name__
    assert repr(web) == "<resource web, per runtime>"
    assert repr(session) == "<resource session, per thread>"


async def test_nothing_of_a_closed_runtime_is_kept_alive() -> None:
    import weakref

    async with Runtime(stall=None):
        seen = [weakref.ref(await web()), weakref.ref(cache())]
    gc.collect()
    assert [ref() for ref in seen] == [None, None]


async def test_resources_that_hang_in_closing_share_one_patience(clock: VirtualClock) -> None:
    async def hangs() -> AsyncIterator[int]:
        yield 1
        await asyncio.sleep(1000)

    runtime = Runtime(stall=None).open()
    for each in [resource(hangs) for _ in range(4)]:
        await each()
    began = clock.time()
    await runtime.aclose()
    assert 5 <= clock.time() - began < 6
