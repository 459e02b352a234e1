"""The control socket: opened and closed with runtimes, for its user alone, and no visitor harms the program."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from linecook import Runtime, agent
from linecook._runtime import control
from linecook._runtime.control import CONTROL
from linecook.observe import Remote
from linecook.observe.live import doors
from linecook.observe.live.messages import receive, send
from tests.aside import aside
from tests.looked_into import hall, until


@pytest.fixture(autouse=True)
def place() -> Iterator[Path]:
    with hall() as place:
        yield place


@agent
async def nap() -> None:
    await asyncio.sleep(20)


def door(place: Path) -> Path:
    return place / "linecook" / f"{os.getpid()}.sock"


def controlled(**options: Any) -> Runtime:
    return Runtime(stall=None, drain=0, control=True, **options)


def visit() -> socket.socket:
    """A visitor who has been greeted."""
    visitor = next(found for pid, path in doors.sockets() if pid == os.getpid() and (found := doors.knock(path)))
    assert receive(visitor, 10_000, 5) is not None
    return visitor


async def test_the_socket_is_there_while_the_runtime_is_open(place: Path) -> None:
    async with controlled():
        assert door(place).is_socket()
    assert not door(place).exists()


async def test_nobody_looks_into_a_runtime_that_did_not_ask_for_it(place: Path) -> None:
    async with Runtime(stall=None):
        assert not door(place).exists()


async def test_one_socket_serves_all_runtimes_and_goes_with_the_last(place: Path) -> None:
    async with controlled() as outer:
        outer.start(nap())
        async with controlled():
            await asyncio.sleep(0.01)
            assert [each.path for each in (await aside(ask_for_calls)).calls] == ["nap"]
        assert door(place).is_socket()
        assert (await aside(ask_for_calls)).total == 1
    assert not door(place).exists()


def ask_for_calls() -> Any:
    with Remote(os.getpid()) as remote:
        return remote.calls()


async def test_a_socket_that_cannot_be_opened_is_a_line_in_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(doors, "directories", lambda: ["/proc/linecook"])
    with caplog.at_level(logging.WARNING, "linecook"):
        async with controlled() as runtime:
            assert await runtime.start(asyncio.sleep(0, "it runs")) == "it runs"
    assert "nobody can look inside this process" in caplog.text
    assert "/proc/linecook" in caplog.text


async def test_odd_visitors_are_told_or_dropped_and_harm_nobody(caplog: pytest.LogCaptureFixture) -> None:
    def odd() -> list[bytes | None]:
        answers: list[bytes | None] = []
        for message in (b"no json", b"{}", b'{"do": "explode"}', b'{"do": ["calls"]}'):
            with visit() as visitor:
                send(visitor, message)
                answers.append(receive(visitor, 10_000, 5))
        with visit() as wordy:
            wordy.sendall(b"\x7f\xff\xff\xff")
            answers.append(receive(wordy, 10, 5))
        visit().close()
        return answers

    async with controlled():
        answers = await aside(odd)
        assert (await aside(ask_for_calls)).total == 0
    assert [answer is not None and b"refused" in answer for answer in answers] == [True] * 4 + [False]
    assert b"there is no question 'explode': there are calls, diagnose, snapshot, cancel" in (answers[2] or b"")
    assert caplog.text == ""


async def test_a_fault_of_ours_is_told_and_logged_and_harms_nobody(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_runtime: Any) -> None:
        raise KeyError("oops")

    async with controlled():
        with monkeypatch.context() as patched:
            patched.setattr("linecook.observe.live.calls.Look", broken)
            with pytest.raises(ConnectionError, match="it failed to answer: KeyError"):
                await aside(ask_for_calls)
        assert (await aside(ask_for_calls)).total == 0
    assert "a question from outside could not be answered" in caplog.text


async def test_a_slow_visitor_keeps_nobody_waiting() -> None:
    def slow_and_quick() -> int:
        with visit() as slow:
            slow.sendall(b"\0")
            total: int = ask_for_calls().total
            return total

    async with controlled():
        assert await aside(slow_and_quick) == 0


async def test_one_visitor_too_many_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "MOST_VISITORS", 2)

    def crowd() -> None:
        with visit(), visit(), pytest.raises(ConnectionError, match="2 others look already; try again"):
            Remote(os.getpid())
        assert until(lambda: not CONTROL._visitors)
        Remote(os.getpid()).close()

    async with controlled():
        await aside(crowd)


async def test_when_the_runtime_closes_its_visitors_are_let_go() -> None:
    async with controlled():
        visitor = await aside(visit)
    with visitor:
        assert await aside(receive, visitor, 10, 5) is None


async def test_a_runtime_that_is_closing_can_be_looked_into_to_the_end(place: Path) -> None:
    runtime = Runtime(stall=None, drain=5, control=True).open()
    handle = runtime.start(nap.options(timeout=10)())
    await asyncio.sleep(0.01)
    closing = asyncio.create_task(runtime.aclose())
    await asyncio.sleep(0.01)
    assert (await aside(ask_for_calls)).total == 1
    handle.cancel()
    await closing
    assert not door(place).exists()


async def test_no_thread_stays_when_the_socket_is_closed() -> None:
    async with controlled():
        await aside(ask_for_calls)
    assert await aside(until, lambda: not ours())


def ours() -> list[str]:
    return [each.name for each in threading.enumerate() if each.name in ("linecook-control", "linecook-visitor")]


async def test_a_forked_child_serves_nobody_and_takes_nothing_away(place: Path) -> None:
    async with controlled():
        child = os.fork()
        if child == 0:
            os._exit(len(CONTROL._runtimes) + (CONTROL._listener is not None))
        assert os.waitstatus_to_exitcode((await aside(os.waitpid, child, 0))[1]) == 0
        assert door(place).is_socket()
        assert (await aside(ask_for_calls)).total == 0


def test_a_program_that_ends_without_closing_leaves_no_socket(place: Path, environment: dict[str, str]) -> None:
    program = (
        "import asyncio, os\nfrom linecook import Runtime\n"
        "async def main():\n    Runtime(control=True).open()\n"
        "    assert os.listdir(os.environ['XDG_RUNTIME_DIR'] + '/linecook')\n    os.environ.clear()\n"
        "asyncio.run(main())\n"
    )
    subprocess.run([sys.executable, "-c", program], env=environment, check=True, timeout=30)
    assert list((place / "linecook").iterdir()) == []


async def test_on_uvloop_as_well() -> None:
    uvloop = pytest.importorskip("uvloop")

    async def main() -> int:
        async with controlled() as runtime:
            runtime.start(nap())
            await asyncio.sleep(0.01)
            total: int = (await aside(ask_for_calls)).total
            return total

    def run_it() -> int:
        loop = uvloop.new_event_loop()
        try:
            total: int = loop.run_until_complete(main())
            return total
        finally:
            loop.close()

    assert await aside(run_it) == 1
