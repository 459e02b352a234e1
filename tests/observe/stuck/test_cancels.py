"""The cancellation audit: what became of each request to end."""

from __future__ import annotations

import asyncio
import contextlib

from linecook.observe import Cancellation, diagnose
from tests.aside import aside

done = asyncio.Event


async def stubborn(enough: asyncio.Event) -> None:
    while not enough.is_set():
        try:
            await asyncio.sleep(20)
        except asyncio.CancelledError:
            pass


async def polite(enough: asyncio.Event) -> None:
    try:
        await asyncio.sleep(20)
    finally:
        await enough.wait()


async def helped(enough: asyncio.Event) -> None:
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.sleep(20)
    await enough.wait()


async def audited(kind: object, *reasons: str) -> Cancellation:
    enough = asyncio.Event()
    task = asyncio.create_task(kind(enough), name="agent")  # type: ignore[operator]
    await asyncio.sleep(0.01)
    for reason in reasons:
        task.cancel(reason)
        await asyncio.sleep(0.01)
    (found,) = (await aside(diagnose, asyncio.get_running_loop())).cancellations
    enough.set()
    while not task.done():
        task.cancel()
        await asyncio.sleep(0)
    return found


async def test_a_swallowed_one_names_the_except_and_where_the_task_stands() -> None:
    found = await audited(stubborn, "deadline", "sibling")
    assert (found.state, found.asked, found.who) == ("swallowed", 2, "agent (stubborn)")
    assert found.caught_at.endswith("in stubborn: except asyncio.CancelledError:")
    assert found.place.endswith("in stubborn: await asyncio.sleep(20)")


async def test_one_that_cleans_up_has_not_swallowed_it() -> None:
    found = await audited(polite, "shutdown")
    assert (found.state, found.caught_at) == ("cleaning up", "")
    assert found.place.endswith("in polite: await enough.wait()")


async def test_one_that_is_suppressed_is_swallowed() -> None:
    assert (await audited(helped, "shutdown")).state == "swallowed"


async def test_one_that_has_not_arrived_yet_is_only_requested() -> None:
    task = asyncio.create_task(asyncio.sleep(20))
    await asyncio.sleep(0)
    task.cancel("caller")
    (found,) = diagnose(asyncio.get_running_loop()).cancellations
    await asyncio.wait([task])
    assert (found.state, found.asked) == ("requested", 1)


async def test_nobody_asked_nothing_said() -> None:
    assert diagnose().cancellations == ()
