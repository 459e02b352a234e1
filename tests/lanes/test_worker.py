"""The worker process seen from outside: what it starts with, what it prints, what user code finds there."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from linecook._core.errors import CallError
from linecook._core.meter import Meter
from linecook.lanes import worker_hooks
from linecook.lanes.base import Job
from linecook.lanes.process import ProcessLane
from linecook.lanes.worker_errors import decode
from linecook.lanes.worker_failures import encode
from tests.lanes import process_bodies as bodies


@pytest.fixture(scope="module")
def lane() -> Iterator[ProcessLane]:
    lane = ProcessLane(processes=1)
    yield lane
    lane.close(wait=0.5)
    assert lane.wait_closed(3)


async def call(lane: ProcessLane, body: Any, *args: Any) -> Any:
    future = asyncio.get_running_loop().create_future()
    lane.submit(Job(body, args, {}, meter=Meter("m"), future=future, label=body.__name__))
    return await asyncio.wait_for(future, 20)


async def test_a_worker_starts_with_an_empty_main_and_little_else(lane):
    name, has_file, odd = await call(lane, bodies.main_name)
    assert name == "__main__"
    assert not has_file
    assert "wire" not in odd
    assert "worker_main" not in odd
    assert "linecook" not in odd
    assert "asyncio" not in odd


async def test_a_worker_has_our_path(lane, monkeypatch, tmp_path):
    assert await call(lane, bodies.flags) == [entry or str(Path.cwd()) for entry in sys.path]
    monkeypatch.syspath_prepend(tmp_path)
    assert (await call(lane, bodies.flags))[0] == str(tmp_path)


@pytest.mark.slow
def test_what_a_body_prints_is_seen_at_once(tmp_path):
    program = """
import asyncio, sys
sys.path.insert(0, sys.argv[1])
from linecook._core.meter import Meter
from linecook.lanes.base import Job
from linecook.lanes.process import ProcessLane
from tests.lanes import process_bodies as bodies
async def main():
    lane = ProcessLane(processes=1)
    future = asyncio.get_running_loop().create_future()
    lane.submit(Job(bodies.say, ("hello from afar",), {}, meter=Meter("say"), future=future, label="say"))
    await future
    print("then this", flush=True)
asyncio.run(main())
"""
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program, str(root)],
        capture_output=True,
        text=True,
        timeout=30,
        env={"PYTHONPATH": str(root / "src")},
    )
    assert done.stdout == "hello from afar\nthen this\n"
    assert done.stderr == "hello from afar\n"


@pytest.mark.slow
def test_tools_and_resources_of_a_main_program_are_made_again_in_the_worker(tmp_path):
    program = tmp_path / "prog.py"
    program.write_text("""
from linecook import agent, resource, run, tool
opened = []
@resource(per="process")
def model():
    opened.append(1)
    yield {"factor": 3}
@tool(limit=3)
def more(n: int) -> int:
    return n + 1
@tool(lane="process")
def use(n: int) -> tuple[int, int]:
    return model()["factor"] * more.body(n), len(opened)
class Kitchen:
    size = 4
    @tool(lane="process")
    def cook(self, n: int) -> int:
        return self.size * n
@agent
async def main():
    print([await use(n) for n in range(3)], await Kitchen().cook(2))
run(main())
""")
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, str(program)],
        capture_output=True,
        text=True,
        timeout=30,
        env={"PYTHONPATH": str(root / "src")},
    )
    assert done.stdout.startswith("[(3, "), done.stderr
    assert done.stdout.endswith("] 8\n")


def test_this_process_is_no_worker():
    assert not worker_hooks.in_worker()
    with pytest.raises(RuntimeError, match="atexit"):
        worker_hooks.at_worker_end(print)


def raised(body: Any) -> BaseException:
    try:
        body()
    except BaseException as error:
        return error
    raise AssertionError("it raised nothing")


def test_an_exception_survives_the_journey_as_itself():
    back = decode(encode(raised(bodies.raise_two)), "raise_two")
    assert type(back) is bodies.TwoArguments
    assert back.code == 404
    assert back.args == ("404: gone",)


def test_an_exception_that_refuses_every_way_has_a_stand_in():
    class Local(bodies.Hopeless):
        pass

    def body() -> None:
        error = Local("text")
        error.extra = lambda: None  # type: ignore[attr-defined]
        raise error

    parts = encode(raised(body))
    parts["class"] = None
    back = decode(parts, "body")
    assert type(back) is CallError
    assert "Local: text" in str(back)
    assert "raise error" in back.__notes__[-1]


def test_an_exception_whose_text_fails_is_still_described():
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    parts = encode(Mute())
    assert "fails" in parts["message"]
    assert isinstance(decode(parts, "mute"), BaseException)
