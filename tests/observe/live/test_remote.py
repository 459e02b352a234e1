"""Looking into another process: what is there, what isn't, and what has gone meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from linecook.observe import Remote, Snapshot, processes
from linecook.observe.live import doors, messages
from tests.looked_into import Program, hall, until

WAITS = """
@tool
def fetch(url):
    time.sleep(30)

@agent
async def reader(url):
    return await fetch(url)

@agent
async def main():
    ready()
    await settle(reader(url) for url in "ab")

run(main(), runtime=Runtime(control=True))
"""

BLOCKS = """
@agent
async def main():
    asyncio.get_running_loop().call_later(0.05, ready)
    await asyncio.sleep(0.1)
    time.sleep(30)

run(main(), runtime=Runtime(control=True, stall=None))
"""

HOLDS = """
import re

@agent
async def main():
    ready()
    await asyncio.sleep(0.2)
    re.match(r"(a+)+b", "a" * 32)    # minutes in C, with the interpreter

run(main(), runtime=Runtime(control=True, stall=None))
"""


@pytest.fixture(autouse=True)
def place() -> Iterator[None]:
    with hall():
        yield


@pytest.mark.slow
def test_the_calls_of_another_process_are_seen() -> None:
    with Program(WAITS) as program, Remote(program.pid) as remote:
        assert remote.pid == program.pid
        assert "Runtime(control=True)" in remote.program
        assert remote.python == sys.version.split()[0]
        assert until(lambda: remote.calls().total == 5)
        calls = {call.path: call for call in remote.calls().calls}
        (snapshot,) = remote.snapshots()
        assert isinstance(snapshot, Snapshot)
        assert (snapshot.pid, snapshot.lanes["thread"].running) == (program.pid, 2)
    fetch = calls["main/settle:0/reader[1]/fetch:0"]
    assert (fetch.lane, fetch.state) == ("thread", "running")
    assert calls["main"].what == "2 calls of settle"


@pytest.mark.slow
def test_one_call_is_cancelled_from_outside() -> None:
    with Program(WAITS) as program, Remote(program.pid) as remote:
        assert until(lambda: remote.calls().total == 5)
        cancelled = remote.cancel("main/settle:0/reader[1]/fetch:0", "enough")
        assert (cancelled.ended, cancelled.work) == (True, "abandoned")
        with pytest.raises(LookupError, match="no call with the number 99"):
            remote.cancel(99)
        with pytest.raises(RuntimeError, match="was given up before"):
            remote.cancel(cancelled.id)


@pytest.mark.slow
def test_a_loop_that_stands_still_hides_nothing() -> None:
    with Program(BLOCKS) as program, Remote(program.pid) as remote:
        assert until(lambda: remote.calls().stands_still is not None)
        found = remote.calls()
        assert [(call.path, call.state) for call in found.calls] == [("main", "running")]
        with pytest.raises(RuntimeError, match="before it lets go of the event loop"):
            remote.cancel("main")


@pytest.mark.slow
def test_a_process_that_is_stopped_is_said_to_be() -> None:
    with Program(WAITS) as program:
        program.process.send_signal(signal.SIGSTOP)
        with pytest.raises(TimeoutError, match=f"process {program.pid} is stopped: `kill -CONT {program.pid}`"):
            Remote(program.pid, patience=0.1)


@pytest.mark.slow
def test_a_held_interpreter_is_said_to_be() -> None:
    with Program(HOLDS) as program:

        def is_held() -> bool:
            try:
                Remote(program.pid, patience=0.2).close()
            except TimeoutError as error:
                return "holds its Python interpreter" in str(error)
            return False

        assert until(is_held)


@pytest.mark.slow
def test_the_list_names_who_can_be_looked_into_and_nobody_else() -> None:
    with Program(WAITS) as one, Program(WAITS) as other:
        found = processes()
        assert sorted(remote.pid for remote in found) == sorted([one.pid, other.pid])
        for remote in found:
            remote.close()
        one.process.kill()
        one.process.wait()
        (left,) = processes()
        assert left.pid == other.pid
        left.close()


@pytest.mark.slow
def test_a_process_gone_meanwhile_is_said_to_be() -> None:
    with Program(WAITS) as program, Remote(program.pid) as remote:
        program.process.kill()
        program.process.wait()
        with pytest.raises(ConnectionError, match=f"process {program.pid} has ended"):
            remote.calls()


@pytest.mark.slow
def test_another_protocol_is_named_with_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("linecook.observe.live.remote.PROTOCOL", messages.PROTOCOL + 1)
    with Program(WAITS) as program, pytest.raises(ConnectionError, match="use the linecook of its own environment"):
        Remote(program.pid)


def test_an_answer_in_other_words_is_said_to_be_one() -> None:
    words = [b'{"protocol": 1, "pid": 1, "program": "p", "python": "3", "began": 0.0}', b'{"other": "words"}']
    listener, _ = doors.open_door(os.getpid())

    def serve() -> None:
        visitor, _ = listener.accept()
        with visitor:
            messages.send(visitor, words[0])
            messages.receive(visitor, 1000, 5)
            messages.send(visitor, words[1])

    with listener:
        threading.Thread(target=serve, daemon=True).start()
        with (
            Remote(os.getpid()) as remote,
            pytest.raises(ConnectionError, match="words that this linecook doesn't know"),
        ):
            remote.calls()


def test_a_process_that_is_not_there_is_named() -> None:
    with pytest.raises(ConnectionError, match=r"there is no process 4000000\. No process of yours"):
        Remote(4_000_000)


def test_a_process_that_cannot_be_looked_into_is_named_with_the_cure() -> None:
    other = subprocess.Popen(["sleep", "30"])
    try:
        with pytest.raises(ConnectionError, match=r"runs neither `linecook run` nor an open Runtime\(control=True\)"):
            Remote(other.pid)
    finally:
        other.kill()
        other.wait()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as somebody else")
@pytest.mark.slow
def test_another_user_is_kept_out_by_the_system() -> None:
    with Program(WAITS) as program:
        script = (
            "import os, socket, sys\nos.setgid(65534); os.setuid(65534)\n"
            "try: socket.socket(socket.AF_UNIX).connect(sys.argv[1])\n"
            "except PermissionError: print('kept out')\n"
        )
        path = f"{os.environ['XDG_RUNTIME_DIR']}/linecook/{program.pid}.sock"
        ran = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, timeout=20)
        assert ran.stdout == "kept out\n"
