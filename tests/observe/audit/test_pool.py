"""The default pool: who waited, for how long, behind what."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from linecook import install
from linecook.observe import Audit
from tests.observe.audit.conftest import audited, found, line_of

pytestmark = pytest.mark.slow  # calls have to wait for a thread for 0.1 s to be seen
Factory = Callable[[], asyncio.AbstractEventLoop]


def hold(seconds: float) -> None:
    time.sleep(seconds)  # held


async def with_one_thread() -> None:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1, thread_name_prefix="asyncio"))


def test_a_full_pool_names_who_waited_and_behind_what(loop_factory: Factory) -> None:
    async def ask() -> None:
        await asyncio.to_thread(hold, 0.25)  # asked

    async def main() -> None:
        await with_one_thread()
        await asyncio.gather(ask(), ask())

    waited = found(audited(main, loop_factory), "pool_wait")
    assert (waited.place.line, waited.count) == (line_of(ask, "# asked"), 1)
    assert 0.15 < waited.longest < 5
    assert "hold" in waited.says
    behind, seconds = waited.details["behind"][0]
    assert f":{line_of(hold, '# held')} in hold: time.sleep(seconds)" in behind
    assert seconds > 0.05
    assert "linecook.install()" in waited.cure


def test_the_line_that_made_the_task_stands_for_a_task_without_a_line_of_the_users(loop_factory: Factory) -> None:
    async def main() -> None:
        await with_one_thread()
        await asyncio.gather(*(asyncio.to_thread(hold, 0.2) for _ in range(3)))  # asked

    waited = found(audited(main, loop_factory), "pool_wait")
    assert (waited.place.line, waited.count) == (line_of(main, "# asked"), 2)


def test_run_in_executor_with_none_is_the_default_pool(loop_factory: Factory) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(1))
        await asyncio.gather(*(loop.run_in_executor(None, hold, 0.2) for _ in range(2)))  # asked

    assert found(audited(main, loop_factory), "pool_wait").place.line == line_of(main, "# asked")


def test_a_pool_of_the_programs_own_is_told_apart() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1) as pool:
            await asyncio.gather(*(loop.run_in_executor(pool, hold, 0.2) for _ in range(2)))

    report = audited(main)
    assert found(report, "own_pool_wait").count == 1
    assert "pool_wait" not in [each.kind for each in report.findings]


def test_a_pool_with_room_is_no_finding() -> None:
    async def main() -> None:
        await asyncio.gather(*(asyncio.to_thread(hold, 0.2) for _ in range(3)))

    assert [each.kind for each in audited(main).findings if each.kind != "stall"] == []


def test_install_cures_it() -> None:
    async def main() -> None:
        await asyncio.gather(*(asyncio.to_thread(hold, 0.2) for _ in range(40)))

    with install():
        cured = audited(main)
    assert "pool_wait" not in [each.kind for each in cured.findings]
    assert found(audited(main), "pool_wait").count > 1


def test_a_wait_that_is_given_up_is_counted() -> None:
    async def main() -> None:
        await with_one_thread()
        first = asyncio.create_task(asyncio.to_thread(hold, 0.4))
        await asyncio.sleep(0.05)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.to_thread(hold, 0), 0.2)
        await first

    waited = found(audited(main), "pool_wait")
    assert waited.details["how"] == [("given up before it began", 1.0)]


def test_a_wait_that_is_not_over_is_in_the_report_so_far() -> None:
    reports = []

    async def main() -> None:
        await with_one_thread()
        both = asyncio.gather(asyncio.to_thread(hold, 0.4), asyncio.to_thread(hold, 0))
        await asyncio.sleep(0.25)
        reports.append(audit.report())
        await both

    with Audit() as audit:
        asyncio.run(main())
    so_far, in_the_end = found(reports[0], "pool_wait"), found(audit.report(), "pool_wait")
    assert so_far.count == in_the_end.count == 1
    assert so_far.longest < in_the_end.longest


def test_a_slow_name_look_up_is_named_with_its_host(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(host: str, *_: object, **__: object) -> list[object]:
        time.sleep(0.25)
        return []

    async def main() -> None:
        await asyncio.get_running_loop().getaddrinfo("api.example", 443)  # asked

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    report = audited(main)
    slow_one = found(report, "dns_slow")
    assert slow_one.place.line == line_of(main, "# asked")
    assert slow_one.details["host"] == [("api.example", 1.0)]
    assert slow_one.longest > 0.2


def test_a_look_up_that_waits_behind_other_calls_is_called_a_look_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        await with_one_thread()
        held = asyncio.create_task(asyncio.to_thread(hold, 0.3))
        await asyncio.sleep(0.05)
        await asyncio.get_running_loop().getaddrinfo("127.0.0.1", 443, type=socket.SOCK_STREAM)
        await held

    assert "the name look-up of 127.0.0.1" in found(audited(main), "pool_wait").says


def test_nothing_of_ours_stands_in_a_functions_traceback() -> None:
    def fail() -> None:
        raise ValueError

    async def main() -> list[str]:
        try:
            await asyncio.to_thread(fail)
        except ValueError as error:
            return [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
        raise AssertionError

    with Audit():
        files = asyncio.run(main())
    assert not [file for file in files if "linecook" in file and "tests" not in file]


def test_the_futures_of_a_pool_are_what_they_were() -> None:
    with Audit(), ThreadPoolExecutor(1) as pool:
        gate = threading.Event()
        held, cancelled = pool.submit(gate.wait), pool.submit(hold, 0)
        assert cancelled.cancel()
        gate.set()
        assert held.result(5) is True
        assert pool.submit(divmod, 7, 2).result(5) == (3, 1)
    with pytest.raises(RuntimeError, match="after shutdown"):
        pool.submit(hold, 0)
