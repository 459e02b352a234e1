"""What every test gets: the ``clock`` fixture of ``linecook.testing``, and a look at what the test left behind."""

import asyncio
import gc
import math
import os
import signal
import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

# The plug-in that users name in their conftest.py.
SRC = Path(__file__).parent.parent / "src"
pytest_plugins = ["linecook.testing.pytest_plugin"] if (SRC / "linecook/testing/pytest_plugin.py").exists() else []

PATIENCE = 2.0  # seconds in which threads and children that are on their way out may go; only a leak costs them
EXIT = 20.0  # seconds for the fixtures of a test that failed


def pytest_configure() -> None:
    """Undo what a shell does to a command behind ``&``: it and its children ignore Ctrl-C, and our programs heed it."""
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGQUIT, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


UNTIL = float(os.environ.pop("SLOW_UNTIL", "inf"))  # for us alone: some tests run pytest
ORDER = os.environ.pop("SLOW_ORDER", "forwards")


def is_slow(item: pytest.Item) -> bool:
    return item.get_closest_marker("slow") is not None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow tests come last where their time may run out; ``SLOW_ORDER=backwards``: the last file first."""
    if ORDER == "backwards":
        items.sort(key=lambda item: item.path, reverse=True)
    if math.isfinite(UNTIL):
        items.sort(key=is_slow)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """``SLOW_UNTIL``, in seconds since 1970: a slow test that would begin later is skipped, and said to be."""
    if time.time() > UNTIL and is_slow(item):
        pytest.skip("the time for slow tests is up (SLOW_UNTIL)")


@pytest.fixture(autouse=True, scope="module")
def what_was_there_before_is_not_searched_again() -> None:
    """Take the files tested before out of the collector's sight, or each full collection takes longer than the last."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish() -> None:
    """Give it back: a plug-in that is loaded for the summary asks the collector who refers to what."""
    gc.unfreeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a test that leaves asyncio tasks, threads the interpreter would wait for, or dead children behind.

    Daemon threads may stay (a thread lane's workers do, by contract), and so may living children (the default runtimes
    share their workers until the interpreter ends). ``@pytest.mark.leaves("tasks")`` allows what is left on purpose.
    """
    threads, dead = set(threading.enumerate()), zombie()
    result = yield
    mark = item.get_closest_marker("leaves")
    allowed = set(mark.args) if mark else set()
    found = {"tasks": tasks_left(item), "threads": threads_left(threads), "zombies": zombies_left(dead)}
    left = [f"{kind}: {', '.join(names)}" for kind, names in found.items() if names and kind not in allowed]
    if left:
        pytest.fail(f"the test left behind {'; '.join(left)}", pytrace=False)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_timeout_set_timer(settings: Any) -> Generator[None, object, object]:
    """Time a test out more than once: what a signal raises inside a task or a callback asyncio keeps to itself."""
    result = yield
    if settings.method == "signal":
        signal.setitimer(signal.ITIMER_REAL, settings.timeout, settings.timeout / 6)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Generator[None, object, object]:
    """Bound the way out too: a failed test has no timer left; its loop waits for tasks that swallow cancellation."""
    if signal.getitimer(signal.ITIMER_REAL) != (0.0, 0.0):
        return (yield)
    before = signal.signal(signal.SIGALRM, lambda *_: pytest.fail(f"the test's fixtures were not gone after {EXIT} s"))
    signal.setitimer(signal.ITIMER_REAL, EXIT, EXIT)
    try:
        return (yield)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def tasks_left(item: pytest.Item) -> list[str]:
    """Tasks of an async test's own loop that are still pending when the test is over."""
    runner = getattr(item, "funcargs", {}).get("_function_scoped_runner")  # pytest-asyncio's
    return [task.get_name() for task in asyncio.all_tasks(runner.get_loop())] if runner else []


def threads_left(before: set[threading.Thread]) -> list[str]:
    """Threads begun since *before* that the interpreter would wait for."""
    return patiently(lambda: [new.name for new in threading.enumerate() if new not in before and not new.daemon])


def zombies_left(before: int) -> list[str]:
    """A child that ended and that nobody has waited for, other than the one of *before*."""
    return patiently(lambda: [f"process {pid}"] if (pid := zombie()) not in {0, before} else [])


def zombie() -> int:
    """The process id of a child that ended and was not waited for; it stays so. 0: there is none."""
    try:
        ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return 0
    return ended.si_pid if ended else 0


def patiently(left: Callable[[], list[str]]) -> list[str]:
    """What *left* still names when ``PATIENCE`` has run out; returns as soon as it names nothing."""
    deadline = time.monotonic() + PATIENCE
    while (names := left()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return names


@pytest.fixture
def environment() -> dict[str, str]:
    """The environment for a program of the test's own: it finds this linecook, installed or not."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(SRC), os.environ.get("PYTHONPATH")]))}
