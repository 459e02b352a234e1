"""``fork`` in user code: the child leaves the parent's threads, workers and loop alone, and may use linecook afresh."""

import os
import subprocess
import sys
import textwrap

import pytest

from linecook import Runtime, gather, tool
from tests.conftest import SRC
from tests.luck.bodies import double, forks

CREW = textwrap.dedent("""
    import asyncio, os, sys, threading, time
    from linecook import agent, gather, run, tool

    @tool
    def fetch(n):
        time.sleep(0.01)
        return n

    @tool(lane="process")
    def double(n):
        return 2 * n

    @agent
    async def crew():
        return sum(await gather(fetch(n) for n in range(20))) + sum(await gather(double(n) for n in range(5)))

    def child_works(name="child"):
        # What a library may do: fork, work in the child, leave without Python's exit. The child goes on in the middle
        # of what its parent was doing, a loop's turn or a tool's body: its program runs on a thread of its own.
        child = os.fork()
        if child == 0:
            result = []
            thread = threading.Thread(target=lambda: result.append(run(crew())))
            thread.start()
            thread.join(30)
            os._exit(7 if result == [210] else 8)
        return child if name is None else f"{name} {ended(child)}"

    def ended(child):
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
""")


def crew(text: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-c", CREW + textwrap.dedent(text)], capture_output=True, text=True, timeout=40, check=False,
        env={**os.environ, "PYTHONPATH": str(SRC)},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert "Traceback" not in ran.stderr, ran.stderr
    return ran.stdout


@pytest.mark.slow
def test_a_child_of_the_main_program_works_while_the_parents_lanes_run() -> None:
    said = crew("""
        async def main():
            first = asyncio.create_task(crew())
            await asyncio.sleep(0.02)
            child = child_works(None)
            print("parent", await first)
            print("child", await asyncio.to_thread(ended, child))
            print("parent", await crew())
        run(main())
    """)
    assert said == "parent 210\nchild 7\nparent 210\n"


@pytest.mark.slow
def test_a_child_forked_between_two_runs_works_and_so_does_its_parent() -> None:
    said = crew("""
        print(run(crew()), child_works("child"), run(crew()))
        print(asyncio.run(crew()), child_works("child"), asyncio.run(crew()))
    """)
    assert said == "210 child 7 210\n210 child 7 210\n"


@pytest.mark.slow
def test_a_child_forked_in_a_thread_tool_works_and_so_do_the_others() -> None:
    said = crew("""
        @tool
        def forks():
            return child_works()

        async def main():
            print(await gather(forks(), crew(), forks()))
        run(main())
    """)
    assert said == "('child 7', 210, 'child 7')\n"


async def test_a_child_forked_in_a_worker_answers_nobody() -> None:
    async with Runtime(processes=1):
        (worker, code), *others = await gather(forks(), *(double(number) for number in range(5)))
        assert code == 7
        assert worker != os.getpid()
        assert others == [0, 2, 4, 6, 8]
        assert (await forks())[0] == worker  # it lives on


@pytest.mark.slow
def test_a_child_forked_in_a_worker_may_use_linecook() -> None:
    said = crew("""
        @tool(lane="process")
        def forks():
            return child_works("grandchild")

        async def main():
            print(await forks(), await crew(), await forks())
        run(main())
    """)
    assert said == "grandchild 7 210 grandchild 7\n"


async def test_a_child_that_leaves_a_thread_tool_by_an_exception_harms_nobody() -> None:
    @tool
    def forks_and_forgets() -> int:
        child = os.fork()
        if child == 0:
            os._exit(0)
        return os.waitpid(child, 0)[0]

    assert all(await gather(forks_and_forgets() for _ in range(5)))
