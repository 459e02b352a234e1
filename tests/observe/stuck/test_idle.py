"""What an event loop still has to do."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from linecook.cli.output import Output
from linecook.observe.stuck.idle import what_is_left
from tests.aside import begin_aside


def left_while(prepare: Callable[[asyncio.AbstractEventLoop], Any]) -> str | None:
    """What is left to a loop that waits for the answer only, after *prepare*."""

    async def main() -> str | None:
        loop = asyncio.get_running_loop()
        kept = prepare(loop)
        found: str | None = await begin_aside(_look, loop)
        del kept
        return found

    return asyncio.run(main())


def _look(loop: asyncio.AbstractEventLoop) -> str | None:
    found: str | None = "it is at work"
    for _ in range(1000):  # until it has come to wait, on a busy machine too
        threading.Event().wait(0.01)
        found = what_is_left(loop)
        if found != "it is at work":
            break
    return found


def test_nothing() -> None:
    assert left_while(lambda _: None) == ""


def test_a_timer() -> None:
    assert left_while(lambda loop: loop.call_later(20, print)) == "a timer"


def test_a_timer_that_was_cancelled_is_none() -> None:
    assert left_while(lambda loop: loop.call_later(20, print).cancel()) == ""


def test_a_signal() -> None:
    assert left_while(lambda loop: loop.add_signal_handler(signal.SIGUSR1, print)) == "a signal"


def test_a_handler_of_a_signal_outside_of_the_loop() -> None:
    before = signal.signal(signal.SIGUSR2, lambda *_: None)
    try:
        assert left_while(lambda _: None) == "a signal"
    finally:
        signal.signal(signal.SIGUSR2, before)


def test_a_socket() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert left_while(lambda loop: loop.add_reader(ours, print)) == "1 socket"


def test_a_thread_at_work() -> None:
    enough = threading.Event()

    def work() -> None:
        enough.wait(20)

    thread = threading.Thread(target=work, name="crawler", daemon=True)
    thread.start()
    try:
        assert left_while(lambda _: None) == "the thread crawler"
    finally:
        enough.set()
        thread.join()


def test_a_loop_in_the_middle_of_its_last_callback_is_at_work() -> None:
    async def main() -> str | None:
        loop = asyncio.get_running_loop()
        began, over = threading.Event(), threading.Event()

        def callback() -> None:  # of no task, and nothing else is ready
            began.set()
            over.wait(20)

        def look() -> str | None:
            began.wait(20)
            try:
                return what_is_left(loop)
            finally:
                over.set()

        looking = begin_aside(look)
        loop.call_later(0.01, callback)
        return await looking

    assert asyncio.run(main()) == "it is at work"


def test_a_command_that_reads_a_slow_input_is_at_work(tmp_path: Path) -> None:
    pipe = tmp_path / "in.jsonl"
    os.mkfifo(pipe)
    reading = threading.Thread(target=compiled_in("linecook.cli.reading.reader", pipe), name="linecook-input")
    reading.start()
    try:
        assert left_while(lambda _: None) == "the thread linecook-input"
    finally:
        os.close(os.open(pipe, os.O_WRONLY))
        reading.join()


def compiled_in(module: str, path: Path) -> Callable[[], None]:
    """Return a function of *module* that opens *path*, which takes until somebody writes to it."""
    space: dict[str, Any] = {"__name__": module, "path": path, "open": os.open, "close": os.close}
    exec("def read():\n    close(open(path, 0))", space)
    read: Callable[[], None] = space["read"]
    return read


def test_a_commands_thread_with_nothing_to_write_is_not_at_work(tmp_path: Path) -> None:
    output = Output(os.open(tmp_path / "out.jsonl", os.O_CREAT | os.O_WRONLY), "out.jsonl")
    try:
        assert left_while(lambda _: None) == ""
    finally:
        output.close()


def test_a_pools_idle_thread_is_not_at_work() -> None:
    def use_the_pool(loop: asyncio.AbstractEventLoop) -> Any:
        return loop.run_in_executor(None, int)

    assert left_while(use_the_pool) == ""


async def test_the_loop_of_the_thread_that_asks_is_at_work() -> None:
    assert what_is_left(asyncio.get_running_loop()) == "it is at work"


def test_a_loop_that_does_not_run() -> None:
    loop = asyncio.new_event_loop()
    try:
        assert what_is_left(loop) == "it isn't running"
    finally:
        loop.close()


def test_a_loop_of_somebody_elses_is_not_judged() -> None:
    uvloop = pytest.importorskip("uvloop")
    loop = uvloop.new_event_loop()
    try:
        assert what_is_left(loop) is None
    finally:
        loop.close()
