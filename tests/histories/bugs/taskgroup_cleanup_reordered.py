"""Children undo their work when a sibling fails; the undo takes it that the last to begin is the first to go."""

import asyncio

from linecook.testing import outside


async def step(done: list[str], name: str) -> None:
    await outside("prepared")
    done.append(name)
    try:
        await outside("confirmed")
    except asyncio.CancelledError:
        assert done.pop() == name, "undone out of order"
        raise


async def failing() -> None:
    for _ in range(3):
        await outside("checked")
    raise ValueError("not allowed")


async def main() -> None:
    done = list[str]()
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(step(done, "reserve"))
            group.create_task(step(done, "charge"))
            group.create_task(failing())
    except* ValueError:
        pass
