"""Real things past the loop: refused by name while a schedule runs, as they were afterwards."""

import asyncio
import multiprocessing
import os
import socket
import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest

from linecook.testing import explore
from linecook.testing.exploring.mistakes import EscapedControl


@pytest.mark.parametrize(
    ("act", "call"),
    [
        (lambda: subprocess.run(["true"], check=True), r"subprocess\.Popen\(\)"),
        (lambda: socket.create_connection(("127.0.0.1", 9)), r"socket\.create_connection\(\)"),
        (lambda: socket.getaddrinfo("localhost", 80), r"socket\.getaddrinfo\(\)"),
        (lambda: os.system("true"), r"os\.system\(\)"),
        (lambda: multiprocessing.Process(target=print).start(), r"multiprocessing\.Process\.start\(\)"),
        (lambda: time.sleep(1), r"time\.sleep\(\) on the event loop"),
    ],
)
def test_a_real_thing_is_an_error_that_names_the_call(act: Callable[[], Any], call: str) -> None:
    async def main() -> None:
        try:
            act()
        except Exception:
            pass  # it can't be hidden

    with pytest.raises(EscapedControl, match=call):
        explore(main)


def test_a_loop_of_its_own_in_a_thread_is_refused() -> None:
    async def main() -> None:
        await asyncio.to_thread(asyncio.new_event_loop)

    with pytest.raises(EscapedControl, match=r"asyncio\.run\(\).*in a thread"):
        explore(main)


def test_a_socket_is_refused_and_works_afterwards() -> None:
    with socket.socket() as sock:

        async def main() -> None:
            sock.bind(("127.0.0.1", 0))

        with pytest.raises(EscapedControl, match=r"socket\.bind\(\)"):
            explore(main)
        sock.bind(("127.0.0.1", 0))
    assert "bind" not in vars(socket.socket)
    assert subprocess.run(["true"], check=True).returncode == 0


def test_waiting_for_a_moment_by_looking_at_the_clock_is_refused() -> None:
    async def main() -> None:
        end = time.monotonic() + 1
        while time.monotonic() < end:
            pass

    with pytest.raises(EscapedControl, match="looking at the clock"):
        explore(main)
