"""The server of docs/how-to/stream-to-people.md, with agents that note what becomes of them; see test_sse.py."""

import asyncio
import json
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.responses import StreamingResponse

from linecook import Runtime, agent, merge, tool

LOG = Path(os.environ["KITCHEN_LOG"])
PARTS = ("soup", "fish", "cake", "wine")

made: dict[str, int] = {}
alive: set[str] = set()


def note(line: str) -> None:
    with LOG.open("a") as log:
        log.write(line + "\n")


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None, None]:
    async with Runtime(drain=5) as runtime:
        app.state.runtime = runtime
        yield
    note(f"runtime closed, {len(alive)} agents alive")


app = FastAPI(lifespan=lifespan)


@tool(effect="read", timeout=5)
def look_up(word: str) -> str:
    time.sleep(0.005)
    return word.upper()


@agent
async def write(part: str, who: str, count: int, wait: float) -> AsyncIterator[str]:
    """Write *count* pieces, with *wait* seconds before all but the first; -1 to be quick, and large."""
    name = f"{who} {part}"
    alive.add(name)
    try:
        for number in range(count):
            if wait < 0:
                await asyncio.sleep(0)
                made[who] = made.get(who, 0) + 1
                yield "x" * 10_000
                continue
            if number:
                await asyncio.sleep(wait)
            yield await look_up(f"{part} {number}")
        if part == "wine" and who.startswith("spilt"):
            raise ValueError("spilt")
    finally:
        try:
            await asyncio.sleep(0.05)
        finally:  # it may be cancelled here, if another part fails when this one is about to end by itself
            alive.discard(name)
            note(f"{name} ended")


def event(part: str, piece: object) -> str:
    return f"event: {part}\ndata: {json.dumps(piece)}\n\n"


@app.get("/ask/{who}")
async def ask(who: str, count: int = 3, wait: float = 0.0) -> StreamingResponse:
    async def events() -> AsyncIterator[str]:
        try:
            async with merge({part: write(part, who, count, wait) for part in PARTS}) as pieces:
                async for part, piece in pieces:
                    yield event(part, piece)
        except ValueError as error:
            yield event("failed", str(error))
        yield event("end", None)

    return StreamingResponse(events(), media_type="text/event-stream", headers={"Cache-Control": "no-cache"})


@app.get("/made/{who}")
async def made_for(who: str) -> int:
    return made.get(who, 0)


@app.get("/alive")
async def who_is_alive() -> dict[str, Any]:
    statistics = app.state.runtime.statistics()
    thread = statistics["thread"]
    return {"agents": sorted(alive), "running": thread["running"], "resisting": statistics["resisting"]}
