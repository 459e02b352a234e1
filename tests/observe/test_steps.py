import asyncio
import sys
import threading
from contextvars import ContextVar
from types import FrameType

import pytest

from linecook.observe.steps import FrameSteps, PingSteps, steps_of

mark: ContextVar[str] = ContextVar("mark", default="unset")


def frame_here() -> FrameType:
    return sys._getframe(1)


async def test_a_step_keeps_its_anchor_to_its_end_and_the_next_has_another():
    steps = FrameSteps()
    first = steps.now(frame_here(), None)
    again = steps.now(frame_here(), first)
    await asyncio.sleep(0)
    next_one = steps.now(frame_here(), again)
    assert first is not None
    assert again is not None
    assert next_one is not None
    assert again.anchor is first.anchor
    assert next_one.anchor is not first.anchor


async def test_the_context_of_the_step_is_found():
    steps = FrameSteps()

    async def body() -> str | None:
        mark.set("seen")
        step = steps.now(frame_here(), None)
        assert step is not None
        context = steps.context(step)
        return context and context.get(mark)

    assert await asyncio.create_task(body()) == "seen"


def test_outside_a_loop_there_is_no_step():
    assert FrameSteps().now(frame_here(), None) is None


async def test_asyncios_loops_are_seen_by_their_frames():
    assert isinstance(steps_of(asyncio.get_running_loop()), FrameSteps)


class Other(asyncio.AbstractEventLoop):
    """A loop that is none of asyncio's, as far as calls from other threads go."""

    def __init__(self) -> None:
        self.left: list[object] = []

    def call_soon_threadsafe(self, callback, *args, context=None):  # type: ignore[no-untyped-def, override]
        self.left.append(callback)


def test_an_idle_loop_written_in_c_is_never_called():
    loop = Other()
    steps = steps_of(loop)
    assert isinstance(steps, PingSteps)
    for _ in range(3):
        assert steps.now(frame_here(), None) is None
    assert loop.left == []


def test_a_busy_loop_written_in_c_is_called_once_per_step():
    loop = Other()
    steps = PingSteps(loop)
    steps.now(frame_here(), None)

    def callback() -> None:
        step = steps.now(frame_here(), None)
        assert step is not None
        same = steps.now(frame_here(), step)
        assert same is not None
        assert same.anchor is step.anchor
        assert len(loop.left) == 1
        loop.left[0]()  # type: ignore[operator]
        other = steps.now(frame_here(), same)
        assert other is not None
        assert other.anchor is not step.anchor
        assert len(loop.left) == 2

    callback()


def test_a_real_uvloop_is_told_idle_from_busy():
    uvloop = pytest.importorskip("uvloop")
    seen: dict[str, bool] = {}

    async def main() -> None:
        loop, ident = asyncio.get_running_loop(), threading.get_ident()
        steps = PingSteps(loop)

        def look(name: str) -> None:
            seen[name] = steps.now(sys._current_frames()[ident], None) is not None

        looker = threading.Timer(0.05, look, ["idle"])
        looker.start()
        await asyncio.sleep(0.15)
        looker.join()
        looker = threading.Thread(target=look, args=["busy"])
        looker.start()
        looker.join()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
    assert seen == {"idle": False, "busy": True}
