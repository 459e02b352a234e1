"""linecook in a script: every feature from one file, started in every way Python starts one, on asyncio and uvloop."""

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from tests.conftest import SRC

pytestmark = pytest.mark.slow

CREW = textwrap.dedent("""
    import asyncio, sys, threading, time
    from dataclasses import dataclass
    from linecook import (Limit, Ok, Retry, Runtime, TimedOut, agent, as_completed, call_key, fail_after, first, gather,
                          install, move_on_after, remaining, resource, run, scope, settle, tool)

    @dataclass
    class Page:
        text: str

    @resource(per="thread")
    def session():
        yield threading.get_ident()

    @resource(per="process")
    def model():
        yield {"loaded": True}

    @resource
    async def web():
        yield "client"
        print("client closed")

    attempts = []

    @tool(effect="read", retry=Retry(on=ConnectionError, attempts=3), limit=8)
    def fetch(city):
        assert session() == threading.get_ident()
        attempts.append(city)
        if city == "flaky" and attempts.count(city) < 3:
            raise ConnectionError(city)
        return Page(city.upper())

    @tool(lane="process", attempt_timeout=20)
    def count(page):
        assert model()["loaded"]
        return Page(str(len(page.text)))

    @tool(lane="inline")
    def join(*parts): return " ".join(parts)

    @tool(timeout=0.1)
    def hang(): time.sleep(3600)

    @tool(effect="keyed")
    async def pay(): return len(call_key())

    @tool
    def lines(n):
        for number in range(n):
            yield number

    @agent
    async def report(city):
        page = await fetch(city)
        counted = await count(page)
        assert type(counted) is Page
        return await join(await web(), page.text, counted.text)

    @agent
    async def main():
        outcomes = await settle((report(c) for c in ["lyon", "flaky"]), limit=2)
        print(outcomes.results)
        late, = await settle([hang()])
        print(type(late).__name__, late.work)
        print([n async for n in lines(3)], await pay(), (await first(fetch("a"), hang())).text)
        with move_on_after(0.05) as moved:
            await asyncio.sleep(60)
        async with scope() as s:
            s.start(fetch("b"))
        async with as_completed(fetch(str(n)) for n in range(5)) as done:
            print(moved.cancelled_caught, sorted([o.value.text async for o in done]))
        return "the end"
""")

SAYS = """\
['client LYON 4', 'client FLAKY 5']
TimedOut abandoned
[0, 1, 2] 32 A
True ['0', '1', '2', '3', '4']
client closed
the end
"""

RUNS = {
    "run": "print(run(main()))",
    "run on uvloop": "import uvloop; print(run(main(), loop_factory=uvloop.new_event_loop))",
    "asyncio.run": "print(asyncio.run(main()))",
    "uvloop.run": "import uvloop; print(uvloop.run(main()))",
    "run with a runtime": "print(run(main(), runtime=Runtime(threads=2, max_threads=9, processes=1)))",
    "a thread": "t = threading.Thread(target=lambda: print(run(main()))); t.start(); t.join()",
}


def python(*arguments: str, given: str = "", cwd: Path | None = None) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        input=given, cwd=cwd, capture_output=True, text=True, timeout=40, check=False,
        env={**os.environ, "PYTHONPATH": str(SRC)},
    )  # fmt: skip


@pytest.mark.parametrize("how", RUNS)
def test_a_script_runs_everything(how: str, tmp_path: Path) -> None:
    script = tmp_path / "crew.py"
    script.write_text(f"{CREW}\nif __name__ == '__main__':\n    {RUNS[how]}\n")
    began = time.monotonic()
    ran = python("-X", "dev", str(script))
    assert (ran.stdout, ran.stderr) == (SAYS, "")
    assert time.monotonic() - began < 20  # the hung thread holds up nothing


def test_a_script_needs_no_main_guard(tmp_path: Path) -> None:
    script = tmp_path / "crew.py"
    script.write_text(f"{CREW}\nprint(run(main()))\n")
    assert python(str(script)).stdout == SAYS


@pytest.mark.parametrize("how", ["-c", "stdin", "-m"])
def test_a_program_may_come_from_the_command_line_a_pipe_or_a_package(how: str, tmp_path: Path) -> None:
    text = f"{CREW}\nprint(run(main()))\n"
    if how == "-c":
        ran = python("-c", text)
    elif how == "stdin":
        ran = python("-", given=text)
    else:
        (tmp_path / "crew").mkdir()
        (tmp_path / "crew" / "__init__.py").touch()
        (tmp_path / "crew" / "__main__.py").write_text(text)
        ran = python("-m", "crew", cwd=tmp_path)
    assert (ran.stdout, ran.stderr) == (SAYS, "")


def test_two_runs_after_each_other_share_nothing_but_the_tools(tmp_path: Path) -> None:
    ran = python("-c", f"{CREW}\nprint(run(main()))\nprint(run(main()))\n")
    assert (ran.stdout, ran.stderr) == (SAYS * 2, "")


def test_one_line_serves_a_program_that_is_not_written_this_way() -> None:
    ran = python("-c", CREW + textwrap.dedent("""
        async def old():
            hung = [asyncio.create_task(asyncio.wait_for(asyncio.to_thread(time.sleep, 3600), 0.1)) for _ in range(50)]
            await asyncio.wait(hung)
            late = [type(task.exception()).__name__ for task in hung]
            return await asyncio.wait_for(asyncio.to_thread(lambda: "served"), 10), set(late)
        installed = install()
        print(asyncio.run(old()))
        installed.uninstall()
    """))  # fmt: skip
    assert (ran.stdout, ran.stderr) == ("('served', {'TimeoutError'})\n", "")


def test_a_failure_ends_the_script_with_the_users_line(tmp_path: Path) -> None:
    script = tmp_path / "crew.py"
    for lane in ("thread", "process", "inline"):
        script.write_text(
            f"{CREW}\n@tool(lane='{lane}')\ndef breaks(n):\n    return 1 // n  # the culprit\nrun(breaks(0))\n"
        )
        ran = python(str(script))
        assert ran.returncode == 1
        assert f"in breaks(0) on lane {lane}" in ran.stderr
        assert "ZeroDivisionError" in ran.stderr
        assert "return 1 // n  # the culprit" in ran.stderr, ran.stderr
