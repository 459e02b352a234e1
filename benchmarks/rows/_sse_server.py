"""The server of ``sse_users``: FastAPI under uvicorn in a process of its own, the four agents by linecook or by hand.

``python -m benchmarks.rows._sse_server linecook`` prints its port, and ends when stdin closes.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

AGENTS = ("soup", "fish", "cake", "wine")
PIECES = 6  # of each agent; the first is made at once
THINKING = 1.0  # seconds before each other one: a model at work; from half of it to one and a half
LOOKING_UP = 0.005

T = TypeVar("T")
Answer = AsyncIterator[tuple[str, str]]
Ask = Callable[[int], Answer]
Said = dict[str, int]


class Counted:
    """What the agents and their tools are at, counted by themselves."""

    def __init__(self) -> None:
        self.agents = self.tools = 0
        self._lock = threading.Lock()

    def look_up(self, word: str) -> str:
        """Block for 5 ms, as a query to a database does."""
        with self._lock:
            self.tools += 1
        time.sleep(LOOKING_UP)
        with self._lock:
            self.tools -= 1
        return word.upper()

    async def write(self, part: str, seed: int, look_up: Callable[[str], Awaitable[str]]) -> AsyncIterator[str]:
        """Be one of the agents: think and look up, piece after piece."""
        dice = random.Random(seed)
        self.agents += 1
        try:
            for number in range(PIECES):
                if number:
                    await asyncio.sleep(THINKING * (0.5 + dice.random()))
                yield await look_up(f"{part} {number}")
        finally:
            self.agents -= 1


def linecook(counted: Counted) -> Ask:
    """As docs/how-to/stream-to-people.md says."""
    from linecook import agent, merge, tool

    look_up = tool(effect="read", timeout=5)(counted.look_up)

    @agent
    async def write(part: str, seed: int) -> AsyncIterator[str]:
        async for piece in counted.write(part, seed, look_up):
            yield piece

    async def ask(seed: int) -> Answer:
        async with merge({part: write(part, seed + place) for place, part in enumerate(AGENTS)}) as pieces:
            async for piece in pieces:
                yield piece

    return ask


def by_hand(counted: Counted, look_up: Callable[[str], Awaitable[str]]) -> Ask:
    """A task for each agent, and a queue of their pieces."""

    async def fill(queue: asyncio.Queue[tuple[str, str] | None], part: str, seed: int) -> None:
        async for piece in counted.write(part, seed, look_up):
            await queue.put((part, piece))
        await queue.put(None)

    async def ask(seed: int) -> Answer:
        queue: asyncio.Queue[tuple[str, str] | None] = asyncio.Queue(16)
        tasks = [asyncio.create_task(fill(queue, part, seed + place)) for place, part in enumerate(AGENTS)]
        try:
            left = len(tasks)
            while left:
                piece = await queue.get()
                if piece is None:
                    left -= 1
                else:
                    yield piece
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    return ask


def to_thread(counted: Counted) -> Ask:
    async def look_up(word: str) -> str:
        return await asyncio.to_thread(counted.look_up, word)

    return by_hand(counted, look_up)


def pool64(counted: Counted) -> Ask:
    pool = ThreadPoolExecutor(64)

    async def look_up(word: str) -> str:
        return await asyncio.get_running_loop().run_in_executor(pool, counted.look_up, word)

    return by_hand(counted, look_up)


KINDS: dict[str, Callable[[Counted], Ask]] = {"linecook": linecook, "to_thread": to_thread, "pool64": pool64}


def _app(kind: str) -> Any:
    from fastapi import FastAPI
    from fastapi.responses import StreamingResponse

    counted, app = Counted(), FastAPI()
    answer = KINDS[kind](counted)

    async def ask(seed: int) -> StreamingResponse:
        async def events() -> AsyncIterator[str]:
            async for part, piece in answer(seed):
                yield f"event: {part}\ndata: {json.dumps(piece)}\n\n"
            yield "event: end\ndata: null\n\n"

        return StreamingResponse(events(), media_type="text/event-stream", headers={"Cache-Control": "no-cache"})

    async def left() -> Said:
        return {"tasks": len(asyncio.all_tasks()), "tools": counted.tools, "agents": counted.agents}

    app.add_api_route("/ask", ask)
    app.add_api_route("/left", left)
    return app


async def serve(kind: str) -> None:
    """Serve until stdin closes."""
    import uvicorn

    config = uvicorn.Config(_app(kind), port=0, log_level="warning", lifespan="off", backlog=2048,
                            timeout_graceful_shutdown=1)  # fmt: skip
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    print(server.servers[0].sockets[0].getsockname()[1], flush=True)

    def stop() -> None:
        server.should_exit = True

    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), stop)
    await serving


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
