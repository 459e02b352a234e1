"""CPython's own tests for locks, queues, task groups, time-outs and ``wait_for`` pass on the explored loop.

The tests are those of the Python that runs this (``test.test_asyncio``), unchanged. Each async test of ``MODULES`` runs
under the default schedule and under others without overtakings, where nothing but what the loop itself does can make it
fail; and under schedules with overtakings, where a timer may fire although a task is ready, as on a machine that is
busy: some of the tests take for granted that it isn't. What doesn't pass is listed here with the reason, and the lists
are held to. Tests that aren't async run no loop, and are left out.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import sys
import unittest
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest

from linecook.testing import explore
from linecook.testing.exploring.mistakes import EscapedControl

pytestmark = pytest.mark.slow

MODULES = (
    "test_locks", "test_queues", "test_taskgroups", "test_timeouts", "test_waitfor", "test_threads", "test_futures2",
    "test_staggered",
)  # fmt: skip
SCHEDULES = 12

# The loop blocks on purpose: `time.sleep` in an explored step is refused, since virtual time can't pass there.
BLOCKS_THE_LOOP = {
    "test_timeouts.TimeoutTests.test_nested_timeouts_concurrent",
    "test_timeouts.TimeoutTests.test_nested_timeouts_loop_busy",
}

# What the explored loop does otherwise. One that is mended needn't be taken off at once.
_CONTEXT = "the exception handler isn't called in the context of the task or handle concerned"
GAPS = {
    "test_locks.ConditionTests.test_ambiguous_loops": "a second event loop is refused, even one that never runs",
    "test_timeouts.TimeoutTests.test_nested_timeouts": "of two timers of one moment, the second may fire a turn later",
    "test_futures2.CFutureTests.test_handle_exc_handler_correct_context": _CONTEXT,
    "test_futures2.CFutureTests.test_task_exc_handler_correct_context": _CONTEXT,
    "test_futures2.PyFutureTests.test_handle_exc_handler_correct_context": _CONTEXT,
    "test_futures2.PyFutureTests.test_task_exc_handler_correct_context": _CONTEXT,
}

# Right on a machine that is never busy: a time-out or a sleep ends while a task is ready that should have been quicker.
TAKES_TIME_FOR_GRANTED = {
    "test_futures2.FutureReprTests.test_recursive_repr_for_pending_tasks",
    "test_staggered.StaggeredTests.test_first_timeout_second_successful",
    "test_taskgroups.TestTaskGroup.test_cancel_children_on_child_error",
    "test_taskgroups.TestTaskGroup.test_cancellation",
    "test_taskgroups.TestTaskGroup.test_taskgroup_04",
    "test_taskgroups.TestTaskGroup.test_taskgroup_07",
    "test_taskgroups.TestTaskGroup.test_taskgroup_13",
    "test_taskgroups.TestTaskGroup.test_taskgroup_14",
    "test_taskgroups.TestTaskGroup.test_taskgroup_19",
    "test_taskgroups.TestTaskGroup.test_taskgroup_20a",
    "test_taskgroups.TestTaskGroup.test_taskgroup_21a",
    "test_timeouts.TimeoutTests.test_timeout_not_called",
    "test_waitfor.AsyncioWaitForTest.test_wait_for_race_condition",
}


@dataclass(frozen=True)
class Case:
    """An async test of CPython's."""

    name: str
    kind: type[unittest.IsolatedAsyncioTestCase]
    method: str

    def main(self) -> Callable[[], Coroutine[Any, Any, None]]:
        """Return a program for ``explore``: the test as its runner runs it, which also ends what is left."""
        return lambda: self._run()

    async def _run(self) -> None:
        test = self.kind(self.method)
        try:
            test.setUp()
            await test.asyncSetUp()
            await getattr(test, self.method)()
            await test.asyncTearDown()
            test.tearDown()
        finally:
            await _clean_up(test)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    def fails(self, *, schedules: int, overtakings: int) -> str:
        """Run it; return how it failed, empty when it passed.

        What only an explorer minds is no failure here: to swallow a cancellation is what some tests are about.
        """
        try:
            found = explore(self.main(), schedules=schedules, overtakings=overtakings).failure
        except EscapedControl as escaped:
            return str(escaped)
        return found.message if found is not None and found.kind in ("exception", "deadlock", "hang") else ""


async def _clean_up(test: unittest.TestCase) -> None:
    cleanups: Any = test._cleanups  # type: ignore[attr-defined]  # doCleanups would open a loop of its own
    while cleanups:
        function, args, kwargs = cleanups.pop()
        done = function(*args, **kwargs)
        if inspect.isawaitable(done):
            await done


def cases_of(module: ModuleType) -> Iterator[Case]:
    for kind in vars(module).values():
        if isinstance(kind, type) and issubclass(kind, unittest.IsolatedAsyncioTestCase):
            for method in unittest.defaultTestLoader.getTestCaseNames(kind):
                function = getattr(kind, method)
                if inspect.iscoroutinefunction(function) and not hasattr(function, "__unittest_skip__"):
                    yield Case(f"{module.__name__.rsplit('.', 1)[1]}.{kind.__name__}.{method}", kind, method)


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    pytest.importorskip("test.test_asyncio", reason="this Python comes without CPython's own tests")
    found: list[Case] = []
    for name in MODULES:
        try:
            found += cases_of(importlib.import_module(f"test.test_asyncio.{name}"))
        except ModuleNotFoundError:
            assert name == "test_staggered", name  # it came with 3.13
    return found


def test_there_are_as_many_tests_as_we_think(cases: list[Case]) -> None:
    assert len(cases) >= {11: 190, 12: 195}.get(sys.version_info[1], 220)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("schedules", [1, SCHEDULES])
def test_all_pass_but_those_that_block_the_loop(cases: list[Case], schedules: int) -> None:
    failed = {case.name: told for case in cases if (told := case.fails(schedules=schedules, overtakings=0))}
    assert {name: told for name, told in failed.items() if name not in BLOCKS_THE_LOOP | set(GAPS)} == {}
    assert failed.keys() >= BLOCKS_THE_LOOP
    assert all("time.sleep()" in failed[name] for name in BLOCKS_THE_LOOP)
    assert len(failed) <= 0.05 * len(cases)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_where_timers_overtake_only_those_fail_that_take_time_for_granted(cases: list[Case]) -> None:
    known = BLOCKS_THE_LOOP | set(GAPS)
    failed = {
        case.name: told
        for case in cases
        if case.name not in known and (told := case.fails(schedules=SCHEDULES, overtakings=1))
    }
    assert {name: told for name, told in failed.items() if name not in TAKES_TIME_FOR_GRANTED} == {}
