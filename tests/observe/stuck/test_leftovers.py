"""What is left at the end of a scope: told at once, once, with the scope and the line; and nothing else is told."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import subprocess
import sys

import pytest

from linecook import Runtime, agent, scope
from linecook.observe import diagnose
from linecook.observe.pulse import Pulse
from linecook.observe.stuck.leftovers import LEFTOVERS, Leftovers, left_of_scopes
from linecook.observe.stuck.sightings import all_tasks
from linecook.observe.stuck.watch import StuckWatch
from linecook.observe.voice import Voice
from tests.aside import aside

kept: list[asyncio.Task[None]] = []


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each test look, and be told, at once."""
    monkeypatch.setattr(LEFTOVERS, "_again_at", 0.0)
    monkeypatch.setattr(LEFTOVERS, "_voice", Voice())


async def end_them() -> None:
    """End what the test has left."""
    for task in kept:
        task.cancel()
    for task in kept:
        with contextlib.suppress(asyncio.CancelledError, ValueError):
            await task
    kept.clear()


async def lingers() -> None:
    await asyncio.sleep(20)


async def fails() -> None:
    raise ValueError("the model said no")


@agent
async def careless() -> None:
    kept.append(asyncio.create_task(lingers(), name="of an agent"))


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "linecook"]


async def test_a_task_made_in_the_block_and_alive_at_its_end_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "linecook"):
        async with scope():
            kept.append(asyncio.create_task(lingers(), name="forgotten"))
            await asyncio.sleep(0)
    (words,) = said(caplog)
    assert words.startswith("scope has ended and a task that was begun inside it is left: forgotten (lingers)")
    assert "is alive: " in words
    assert words.endswith("await asyncio.sleep(20)")
    (left,) = diagnose(asyncio.get_running_loop()).left
    assert (left.what, left.made_by, left.state) == ("forgotten (lingers)", "scope", "alive")
    await end_them()


async def test_one_that_an_agent_in_the_scope_has_made_is_told_with_the_agent(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING, "linecook"):
        async with scope() as s:
            s.start(careless())
    (words,) = said(caplog)
    assert "of an agent (lingers), made by scope/careless:0" in words
    await end_them()


async def test_a_failure_that_nobody_has_looked_at_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "linecook"):
        async with scope():
            kept.append(asyncio.create_task(fails(), name="critic"))
            await asyncio.sleep(0)
    (words,) = said(caplog)
    assert "critic (fails), made by scope" in words
    assert "failed, and nobody has looked: ValueError: the model said no, raised at " in words
    await end_them()


async def test_it_is_told_once_although_more_scopes_end(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "linecook"):
        async with scope():
            async with scope():
                kept.append(asyncio.create_task(lingers()))
            LEFTOVERS._again_at = 0.0
        LEFTOVERS._again_at = 0.0
        LEFTOVERS._voice.flush(all_of_it=True)
    assert len(said(caplog)) == 1
    await end_them()


async def test_the_same_line_is_told_once_a_second_and_the_rest_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "linecook"):
        async with scope():
            kept.extend(asyncio.create_task(lingers()) for _ in range(50))
        assert len(said(caplog)) == 1
        LEFTOVERS._voice.flush(all_of_it=True)
    assert said(caplog)[1].endswith("(and 48 more like it in the last second)")
    await end_them()


async def test_what_is_seen_to_is_not_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "linecook"):
        async with asyncio.TaskGroup() as group, scope() as outer:
            async with scope() as inner:
                done = asyncio.create_task(asyncio.sleep(0))
                await done
                of_the_group = group.create_task(asyncio.sleep(0.05))
                of_the_outer = outer.start(careful(0.05))
                handle = inner.start(careful())
                asked = asyncio.create_task(lingers())
                asked.cancel()
            assert handle.done
            assert not of_the_outer.done
            assert not of_the_group.done()
    assert said(caplog) == []


async def careful(seconds: float = 0.001) -> None:
    async def helper() -> None:
        await asyncio.sleep(seconds)

    await asyncio.sleep(0)
    task = asyncio.create_task(helper())
    await asyncio.wait({task})


async def test_what_the_runtime_was_given_may_outlive_the_scope(caplog: pytest.LogCaptureFixture) -> None:
    async def works_on() -> None:
        kept.append(asyncio.create_task(lingers()))
        await asyncio.sleep(0.01)

    with caplog.at_level(logging.WARNING, "linecook"):
        async with Runtime() as runtime:
            async with scope():
                handle = runtime.start(works_on())
                await asyncio.sleep(0.001)
            assert said(caplog) == []
            await handle
    await end_them()


async def test_a_scope_that_leaves_nothing_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[object] = []
    monkeypatch.setattr("linecook._core.leftover.on_left", looks.append)
    handles: list[object] = []
    for _ in range(3):
        async with scope(timeout=5) as s:
            task = asyncio.create_task(asyncio.sleep(0))
            await asyncio.wait_for(task, 5)
            handles.append(s.start(careful()))
        del task
    assert len(looks) <= 3  # a handle that is kept has a task that is done; without one nothing is held
    looks.clear()
    async with scope(timeout=5) as s:
        await asyncio.create_task(asyncio.sleep(0))
        s.start(careful())
        del s
    assert looks == []
    await end_them()


async def test_a_look_that_comes_too_soon_is_taken_later() -> None:
    ears = Leftovers()
    ears._again_at = float("inf")
    async with scope():
        kept.append(asyncio.create_task(lingers()))
    assert [task for task, _ in left_of_scopes(all_tasks())] == kept
    ears._waits = True
    ears.look()
    assert len(ears._told) == 0
    ears._again_at = 0.0
    ears.look()
    assert list(ears._told) == kept
    await end_them()


async def test_a_scope_that_is_left_in_another_context_tells_nothing(caplog: pytest.LogCaptureFixture) -> None:
    block = scope()

    async def enter() -> None:
        await block.__aenter__()
        kept.append(asyncio.create_task(lingers()))

    with caplog.at_level(logging.WARNING, "linecook"):
        await asyncio.create_task(enter())
        await block.__aexit__(None, None, None)
    assert said(caplog) == []
    await end_them()


async def test_the_watch_tells_what_outlived_the_call_that_made_it(caplog: pytest.LogCaptureFixture) -> None:
    watch = StuckWatch(pulse=Pulse(), often=3600, long=0.01)
    unwatch = watch.watch(asyncio.get_running_loop(), lambda *_: None)

    @agent
    async def crew() -> None:
        await careless()
        await look_twice(watch)
        kept.append(asyncio.create_task(lingers(), name="still seen to"))
        await look_twice(watch)

    with caplog.at_level(logging.WARNING, "linecook"):
        await crew()
        (words,) = said(caplog)
        assert words.startswith("crew/careless:0 has ended and a task that it made is left: of an agent (lingers), ")
        LEFTOVERS._voice._last.clear()
        await look_twice(watch)
    unwatch()
    assert said(caplog)[1].startswith("crew has ended and a task that it made is left: still seen to (lingers), ")
    assert len(said(caplog)) == 2
    await end_them()


async def look_twice(watch: StuckWatch) -> None:
    await asyncio.sleep(0.01)
    await aside(watch.look)
    await asyncio.sleep(0.03)
    await aside(watch.look)


FIRST = """
import asyncio, sys
from linecook import Runtime, run, scope

async def brief():
    pass

async def main():
    async with scope():
        kept.append(asyncio.create_task(brief()))  # which holds its context, and so the scope's mark
        await asyncio.sleep(0)
    print("\\n".join(sys.modules))

kept = []
run(main(), runtime=Runtime(stall=None))  # else a watch may import it meanwhile, on its own thread
"""


@pytest.mark.slow
def test_what_tells_is_not_imported_when_there_is_nothing_to_tell() -> None:
    done = subprocess.run([sys.executable, "-c", FIRST], capture_output=True, text=True, timeout=50, check=True)
    loaded = {name.removeprefix("linecook.observe.") for name in done.stdout.split()}
    assert "stuck.leftovers" in loaded  # it has looked
    assert loaded.isdisjoint({"stuck.left", "stuck.posts", "stuck.graph", "stuck.words", "audit"})
