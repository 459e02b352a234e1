"""``wait(timeout)``, a status line, then ``cancel()``: what arrived during the status line is dropped."""

import asyncio

from linecook.testing import outside


async def send(inbox: asyncio.Queue[str]) -> None:
    inbox.put_nowait(await outside("order 7"))


async def main() -> None:
    inbox, received = asyncio.Queue[str](), list[str]()
    sender = asyncio.create_task(send(inbox))
    getter = asyncio.create_task(inbox.get())
    done, pending = await asyncio.wait({getter}, timeout=5)
    if pending:
        await outside("shown: still waiting for orders")
        getter.cancel()
    received += [task.result() for task in done]
    await asyncio.wait({sender, getter})
    while not inbox.empty():
        received.append(inbox.get_nowait())
    assert received == ["order 7"]
