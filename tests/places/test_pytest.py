"""linecook under pytest and pytest-asyncio as users set them up: a loop for each test, virtual time on request."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.blocks import ROOT, programs
from tests.conftest import SRC

pytestmark = pytest.mark.slow


def pytest_run(
    folder: Path, files: dict[str, str], *, mode: str = "auto", crew: bool = True
) -> "subprocess.CompletedProcess[str]":
    """Run pytest over *files*, as a project of its own, with all warnings as errors; the tests follow the ``CREW``."""
    for name, text in files.items():
        before = CREW if crew and name.startswith("test_") else ""
        (folder / name).write_text(textwrap.dedent(before + text))
    settings = ["-o", f"asyncio_mode={mode}", "-o", "asyncio_default_fixture_loop_scope=function"]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", *settings]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=50, check=False,
        env={**os.environ, "PYTHONPATH": str(SRC)},
    )  # fmt: skip


CONFTEST = 'pytest_plugins = ["linecook.testing.pytest_plugin"]\n'

CREW = """
    import asyncio, threading, time
    import pytest
    from linecook import Limit, Ok, Runtime, TimedOut, agent, as_completed, gather, resource, scope, settle, tool
    from linecook.errors import TimedOutError

    opened, closed = [], []
    one = Limit(1)

    @resource
    async def web():
        opened.append(asyncio.get_running_loop())
        yield len(opened)
        closed.append(len(opened))

    @tool(limit=one)
    def fetch(city):
        time.sleep(0.001)
        return city.upper()

    @tool(lane="process")
    def letters(text):
        return len(text)

    @tool(timeout=0.05)
    def hang():
        time.sleep(3600)

    @agent
    async def report(city):
        return f"{await fetch(city)} {await letters(city)} {await web()}"
"""


def test_tools_and_resources_serve_a_loop_for_each_test(tmp_path: Path) -> None:
    tests = """
    async def test_a(): assert await report("Lyon") == "LYON 4 1"
    async def test_b(): assert await report("Rome") == "ROME 4 2"
    async def test_the_earlier_tests_resources_are_closed(): assert closed == [1, 2]
    async def test_a_hung_tool_is_answered():
        outcome, = (await settle([hang()]))
        assert isinstance(outcome, TimedOut) and outcome.work == "abandoned"
    async def test_c():
        assert await gather(report(str(n)) for n in range(30)) == [f"{n} {len(str(n))} 3" for n in range(30)]
        async with scope() as s:
            handle = s.start(fetch("x"))
        assert await handle == "X"
        async with as_completed(fetch(str(n)) for n in range(3)) as outcomes:
            assert {o.value async for o in outcomes} == {"0", "1", "2"}

    @pytest.fixture
    async def runtime():
        async with Runtime(threads=2) as runtime:
            yield runtime

    async def test_a_runtime_may_be_a_fixture(runtime):
        assert await fetch("Oslo") == "OSLO"
        assert runtime.statistics()["thread"]["running"] <= 1

    @pytest.mark.parametrize("n", range(20))
    async def test_many_loops(n): assert await fetch("x") == "X"

    def test_asyncio_run(): assert asyncio.run(report("x")).startswith("X 1")
    def test_no_thread_holds_up_the_exit():
        assert all(thread.daemon for thread in threading.enumerate() if thread is not threading.main_thread())
    """
    ran = pytest_run(tmp_path, {"test_crew.py": tests})
    assert "28 passed" in ran.stdout, ran.stdout + ran.stderr


def test_the_clock_named_by_a_users_conftest_lets_an_hour_pass_at_once(tmp_path: Path) -> None:
    tests = """
    @tool
    async def poll():
        await asyncio.sleep(7200)

    async def test_an_hour(clock):
        with pytest.raises(TimedOutError):
            await poll.options(timeout=3600)()
        assert 3600 <= clock.time() < 3601

    async def test_real_threads_are_not_overtaken_by_a_jump(clock):
        assert await fetch.options(timeout=30)("Lyon") == "LYON"
        assert clock.time() < 20

    async def test_without_the_clock_time_is_real():
        began = time.monotonic()
        await asyncio.sleep(0.01)
        assert time.monotonic() - began >= 0.009
    """
    ran = pytest_run(tmp_path, {"conftest.py": CONFTEST, "test_clock.py": tests})
    assert "3 passed" in ran.stdout, ran.stdout + ran.stderr


def test_strict_mode_and_a_loop_for_a_whole_module_work_too(tmp_path: Path) -> None:
    tests = """
    pytestmark = pytest.mark.asyncio(loop_scope="module")
    async def test_a(): assert await report("Lyon") == "LYON 4 1"
    async def test_b(): assert await report("Rome") == "ROME 4 1"
    """
    ran = pytest_run(tmp_path, {"conftest.py": CONFTEST, "test_module.py": tests}, mode="strict")
    assert "2 passed" in ran.stdout, ran.stdout + ran.stderr


def test_it_works_on_uvloop(tmp_path: Path) -> None:
    conftest = """
    import uvloop
    def pytest_asyncio_loop_factories(): return {"uvloop": uvloop.new_event_loop}
    """
    tests = """
    async def test_a():
        assert type(asyncio.get_running_loop()).__module__.startswith("uvloop")
        assert await report("Lyon") == "LYON 4 1"
    async def test_b(): assert await report("Rome") == "ROME 4 2"
    """
    ran = pytest_run(tmp_path, {"conftest.py": conftest, "test_uvloop.py": tests})
    assert "2 passed" in ran.stdout, ran.stdout + ran.stderr


def test_a_forgotten_await_fails_the_test_that_forgot_it(tmp_path: Path) -> None:
    tests = """
    async def test_forgets():
        fetch("Lyon")
    """
    ran = pytest_run(tmp_path, {"test_forgets.py": tests})
    assert ran.returncode == 1, ran.stdout
    assert "call fetch('Lyon') was never awaited" in ran.stdout


def test_a_failure_shows_the_users_line(tmp_path: Path) -> None:
    tests = """
    @tool
    def breaks(n):
        return 1 // n  # the culprit
    async def test_breaks():
        await breaks(0)
    """
    ran = pytest_run(tmp_path, {"test_breaks.py": tests})
    assert ran.returncode == 1
    assert "the culprit" in ran.stdout
    assert "in breaks(0) on lane thread" in ran.stdout, ran.stdout


def test_the_tests_of_the_how_to_pass_as_shown(tmp_path: Path) -> None:
    shown = [program.source for program in programs([ROOT / "docs" / "how-to" / "pytest.md"])]
    files = {f"test_{place}.py": text for place, text in enumerate(shown) if "def test_" in text}
    (conftest,) = [text for text in shown if text.strip().startswith("pytest_plugins")]
    ran = pytest_run(tmp_path, {"conftest.py": conftest, **files}, crew=False)
    assert f"{sum(text.count('def test_') for text in files.values())} passed" in ran.stdout, ran.stdout + ran.stderr
    assert len(files) == 3
