"""A web app on linecook, as people write one; test_fastapi.py has uvicorn serve it in a process of its own."""

import asyncio
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI, HTTPException
from fastapi.responses import StreamingResponse

from linecook import Ok, Runtime, agent, gather, pipeline, resource, settle, tool
from linecook.errors import TimedOutError

LOG = Path(os.environ["KITCHEN_LOG"])


def note(line: str) -> None:
    with LOG.open("a") as log:
        log.write(line + "\n")


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None, None]:
    async with Runtime(threads=8, max_threads=200, processes=1, drain=1) as runtime:
        app.state.runtime = runtime
        yield
    note("runtime closed")


app = FastAPI(lifespan=lifespan)


@resource
async def client() -> AsyncIterator[dict[str, int]]:
    note("client opened")
    yield {"uses": 0}
    note("client closed")


@tool
async def ask(question: str) -> str:
    (await client())["uses"] += 1
    return question.upper()


@tool(timeout=5)
def fetch(city: str) -> str:
    time.sleep(0.02)
    return f"{city}: 21"


@tool(lane="process")
def letters(text: str) -> int:
    return len(text)


@tool(timeout=0.1)
def hang() -> None:
    time.sleep(3600)


@tool
def broken() -> None:
    raise LookupError("no such city")


@agent
async def answer(name: str) -> AsyncIterator[str]:
    """Go on for ever; when told to end, clean up politely and note how often that was disturbed."""
    disturbed = 0
    try:
        for number in range(1_000_000):
            yield f"data: {number} {await fetch(name)}\n\n"
    finally:
        until = time.monotonic() + 0.2
        while time.monotonic() < until:
            try:
                await asyncio.sleep(0.02)
            except asyncio.CancelledError:
                disturbed += 1
        note(f"{name} told, disturbed {disturbed} times")


@agent
async def cook(dish: str) -> str:
    disturbed = 0
    note(f"{dish} begun")
    try:
        await asyncio.sleep(3600)
    finally:
        until = time.monotonic() + 0.2
        while time.monotonic() < until:
            try:
                await asyncio.sleep(0.02)
            except asyncio.CancelledError:
                disturbed += 1
        note(f"{dish} told, disturbed {disturbed} times")
    return dish


@agent
async def remember(text: str) -> None:
    await asyncio.sleep(0.3)
    note(f"remembered {await fetch(text)}")


@agent
async def remember_for_ever(text: str) -> None:
    try:
        await asyncio.sleep(3600)
    finally:
        note(f"gave up {text}")


@app.get("/city/{name}")
async def city(name: str) -> dict[str, Any]:
    text, loud = await gather(fetch(name), ask(name))
    return {"text": text, "loud": loud, "letters": await letters(text)}


@app.get("/settled")
async def settled() -> dict[str, int]:
    outcomes = await settle([fetch("Lyon"), broken(), hang()])
    return {**outcomes.counts, "ok": sum(isinstance(outcome, Ok) for outcome in outcomes)}


@app.get("/hang")
async def hangs() -> None:
    try:
        await hang()
    except TimedOutError as error:
        raise HTTPException(504, str(error)) from error


@app.get("/statistics")
async def statistics() -> dict[str, Any]:
    return dict(app.state.runtime.statistics())


@app.get("/stream/{name}")
async def stream(name: str) -> StreamingResponse:
    return StreamingResponse(answer(name), media_type="text/event-stream")


@app.get("/block/{name}")
async def block(name: str) -> StreamingResponse:
    async def pieces() -> AsyncIterator[str]:
        async with answer(name) as given:
            async for piece in given:
                yield piece

    return StreamingResponse(pieces(), media_type="text/event-stream")


@app.get("/fanned/{name}")
async def fanned(name: str) -> StreamingResponse:
    async def pieces() -> AsyncIterator[str]:
        yield "begun\n"
        await gather(cook(f"{name} soup"), cook(f"{name} salad"))

    return StreamingResponse(pieces(), media_type="text/plain")


@app.post("/remember/{text}")
async def remembers(text: str) -> dict[str, str]:
    app.state.runtime.start(remember(text))
    return {"status": "accepted"}


@app.post("/remember-for-ever/{text}")
async def remembers_for_ever(text: str) -> dict[str, str]:
    app.state.runtime.start(remember_for_ever(text))
    return {"status": "accepted"}


def orders() -> Iterator[int]:
    try:
        yield from range(1_000_000)
    finally:
        note("orders closed")


@app.get("/menu")
async def menu(cities: str) -> list[str]:
    """Answer through three stages, on the loop, on threads and in a process."""
    made = pipeline(cities.split(",")).map(ask, ordered=True).map(fetch, ordered=True).map(letters, ordered=True)
    return [str(length) for length in await made.collect()]


@app.get("/orders")
async def stream_orders() -> StreamingResponse:
    """Stream an endless pipeline over a lazy input."""

    async def lines() -> AsyncIterator[str]:
        async with pipeline(orders()).map(str).map(ask, workers=4, ordered=True) as asked:
            async for line in asked:
                yield f"data: {line}\n\n"
                await asyncio.sleep(0.001)

    return StreamingResponse(lines(), media_type="text/event-stream")
