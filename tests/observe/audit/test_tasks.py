"""Tasks, exceptions and coroutines that are lost, each by the line that made it."""

from __future__ import annotations

import asyncio
import gc
import sys
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from linecook.observe import Audit
from tests.observe.audit.conftest import audited, found, line_of

Factory = Callable[[], asyncio.AbstractEventLoop]


async def wait_for_ever() -> None:
    await asyncio.get_running_loop().create_future()


async def fail() -> None:
    raise ValueError("no such account")


def test_a_task_that_nobody_holds_is_named_by_the_line_that_made_it(loop_factory: Factory) -> None:
    async def main() -> None:
        asyncio.create_task(wait_for_ever())  # here
        await asyncio.sleep(0.01)
        gc.collect()

    lost = found(audited(main, loop_factory), "task_lost")
    assert (lost.place.line, lost.count) == (line_of(main, "# here"), 1)
    assert "wait_for_ever" in lost.says


def test_a_task_left_over_is_named_once(loop_factory: Factory) -> None:
    async def main() -> None:
        tasks.append(asyncio.create_task(wait_for_ever()))  # here
        await asyncio.sleep(0)

    tasks: list[Any] = []
    report = audited(main, loop_factory)
    left = found(report, "task_left")
    assert (left.place.line, left.count) == (line_of(main, "# here"), 1)
    assert "cancelled when the program's main coroutine had ended" in left.says


def test_a_task_pending_when_its_loop_is_closed_is_named_once(loop_factory: Factory) -> None:
    def program() -> None:
        loop = loop_factory()
        task = loop.create_task(wait_for_ever())  # here
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
        del task
        gc.collect()

    with Audit() as audit:
        program()
    report = audit.report()
    left = found(report, "task_left")
    assert "still pending when its loop was closed" in left.says
    # asyncio's loops know who makes their tasks from the beginning of the audit; others when they have run.
    if loop_factory is asyncio.new_event_loop:
        assert left.place.line == line_of(program, "# here")
    else:
        assert left.place.function in ("wait_for_ever", program.__qualname__)
    assert [each.kind for each in report.findings] == ["task_left"]


def test_an_exception_nobody_looked_at_has_both_lines(loop_factory: Factory) -> None:
    async def main() -> None:
        failing = asyncio.create_task(fail())  # here
        await asyncio.wait([failing])

    unseen = found(audited(main, loop_factory), "exception_unseen")
    assert unseen.place.line == line_of(main, "# here")
    assert unseen.details["error"] == [("ValueError: no such account", 1.0)]
    assert f":{line_of(fail, 'raise')} in fail" in unseen.details["raised"][0][0]


def test_an_exception_of_a_task_that_is_still_held_is_seen_at_the_end_and_once() -> None:
    async def main() -> None:
        held.append(asyncio.create_task(fail()))
        await asyncio.wait(held)

    held: list[Any] = []
    with Audit() as audit:
        asyncio.run(main())
        audit.report(at_end=True)
        assert found(audit.report(at_end=True), "exception_unseen").count == 1
    held[0].exception()


def test_an_exception_that_was_looked_at_is_no_finding() -> None:
    async def main() -> None:
        await asyncio.gather(fail(), return_exceptions=True)

    assert audited(main).findings == []


def test_a_coroutine_never_awaited_is_named_by_the_line_that_made_it(loop_factory: Factory) -> None:
    async def main() -> None:
        fail()  # here
        await asyncio.sleep(0)

    with pytest.warns(RuntimeWarning, match=r"^coroutine 'fail' was never awaited$"):
        report = audited(main, loop_factory)
    never = found(report, "never_awaited")
    assert never.place.line == line_of(main, "# here")
    assert set(never.details) == {"what"}  # certain


def test_one_dropped_elsewhere_is_named_by_that_line_and_its_function_or_with_origins_by_its_maker(
    loop_factory: Factory,
) -> None:
    async def main() -> None:
        forgotten = fail()  # here
        await asyncio.sleep(0)
        del forgotten

    with pytest.warns(RuntimeWarning, match=r"^coroutine 'fail' was never awaited$") as warned:
        dropped = found(audited(main, loop_factory), "never_awaited")
    with pytest.warns(RuntimeWarning, match=r"^coroutine 'fail' was never awaited$"):
        made = found(audited(main, loop_factory, origins=True), "never_awaited")
    assert dropped.place.line == line_of(main, "del forgotten")
    assert "--origins" in dropped.details["how"][0][0]
    assert f"test_tasks.py:{fail.__code__.co_firstlineno} in fail" in dropped.details["defined"][0][0]
    assert made.place.line == line_of(main, "# here")
    assert set(made.details) == {"what"}
    assert warned[0].filename == __file__
    assert warned[0].lineno == line_of(main, "del forgotten")


def test_it_is_seen_where_warnings_are_silenced() -> None:
    async def main() -> None:
        fail()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert found(audited(main), "never_awaited").count == 1


def test_in_debug_mode_python_says_as_much_as_it_does_without_us() -> None:
    async def main() -> None:
        fail()

    def said() -> str:
        with pytest.warns(RuntimeWarning) as warned:
            asyncio.run(main(), debug=True)
        return str(warned[0].message)

    with Audit():
        ours = said()
    theirs = said()
    assert "Coroutine created at" in ours
    # The frames below the program's own differ: ours are not among them.
    assert ours.splitlines()[0] == theirs.splitlines()[0]
    assert ours.splitlines()[-1] == theirs.splitlines()[-1]
    assert sys.get_coroutine_origin_tracking_depth() == 0


def test_what_the_loops_handler_is_told_is_told_on(loop_factory: Factory) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: told.append(context["message"]))
        loop.call_soon(lambda: 1 / 0)
        await asyncio.sleep(0.01)

    told: list[str] = []
    complaint = found(audited(main, loop_factory), "loop_error")
    assert len(told) == 1
    assert "ZeroDivisionError: division by zero" in complaint.details["said"][0][0]
    assert complaint.place.line == line_of(main, "1 / 0")


def test_an_error_that_cannot_say_what_it_is_does_no_harm() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    async def lose() -> None:
        raise Mute

    async def main() -> None:
        task = asyncio.get_running_loop().create_task(lose())
        await asyncio.wait([task])
        assert asyncio.get_running_loop().set_exception_handler(lambda *_: None) is None

    assert found(audited(main), "exception_unseen").details["error"][0][0] == "Mute"
