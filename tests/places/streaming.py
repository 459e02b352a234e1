"""The server of docs/how-to/stream-to-people.md, with agents that note what becomes of them; see test_sse.py."""

import asyncio
import json
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, StreamingResponse

from linecook import Ask, Inbox, Runtime, agent, merge, team, tool

LOG = Path(os.environ["KITCHEN_LOG"])
PARTS = ("soup", "fish", "cake", "wine")

made: dict[str, int] = {}
alive: set[str] = set()


def note(line: str) -> None:
    with LOG.open("a") as log:
        log.write(line + "\n")


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None, None]:
    async with Runtime(drain=5) as runtime, team(grace=0.5) as office:
        app.state.runtime = runtime
        app.state.tutor = office.start(tutor())
        yield
    note(f"runtime closed, {len(alive)} agents alive")


app = FastAPI(lifespan=lifespan)


@tool(effect="read", timeout=30)
def look_up(word: str, block: float = 0.005) -> str:
    time.sleep(block)
    if block > 1:
        note(f"{word} looked up")
    return word.upper()


@agent
async def write(part: str, who: str, count: int, wait: float, block: float) -> AsyncIterator[str]:
    """Write *count* pieces, with *wait* seconds before all but the first; -1 to be quick, and large.

    *block*: seconds that each but the first is in its tool.
    """
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
            yield await look_up(
                f"{part} {number} for {who}" if block > 1 else f"{part} {number}", block if number else 0
            )
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
async def ask(who: str, count: int = 3, wait: float = 0.0, block: float = 0.005) -> StreamingResponse:
    async def events() -> AsyncIterator[str]:
        try:
            async with merge({part: write(part, who, count, wait, block) for part in PARTS}) as pieces:
                async for part, piece in pieces:
                    yield event(part, piece)
        except ValueError as error:
            yield event("failed", str(error))
        yield event("end", None)

    return StreamingResponse(events(), media_type="text/event-stream", headers={"Cache-Control": "no-cache"})


@dataclass(frozen=True)
class Explain(Ask[str]):
    who: str
    count: int
    block: float


@agent
async def tutor(inbox: Inbox[Explain]) -> None:
    """Lives as long as the server, and explains to one person after the other."""
    async for message in inbox:
        lesson = message.body
        for number in range(lesson.count):
            if not await message.send(
                await look_up(f"lesson {number} for {lesson.who}", lesson.block if number else 0)
            ):
                note(f"{lesson.who} does not listen to {number}")
                break


@app.get("/lesson/{who}")
async def lesson(who: str, count: int = 3, block: float = 0.005) -> StreamingResponse:
    async def events() -> AsyncIterator[str]:
        async with merge({"tutor": app.state.tutor.stream(Explain(who, count, block))}) as pieces:
            async for part, piece in pieces:
                yield event(part, piece)
        yield event("end", None)

    return StreamingResponse(events(), media_type="text/event-stream", headers={"Cache-Control": "no-cache"})


PAGE = """<!doctype html><title>kitchen</title><script>
let told = false
const seen = {}, answers = new EventSource("/ask/WHO" + location.search)
const tell = (what) => fetch("/seen/WHO", {method: "POST", body: JSON.stringify(what), keepalive: true})
for (const part of ["soup", "fish", "cake", "wine"])
  answers.addEventListener(part, (event) => {
    (seen[part] ||= []).push(JSON.parse(event.data))
    if (Object.keys(seen).length < 4 || told) return
    told = true
    if (location.hash == "#leave") location.assign("/made/WHO")
    if (location.hash == "#stay") tell("reading")
  })
answers.addEventListener("end", () => { answers.close(); tell(seen) })
addEventListener("pagehide", () => answers.close())
</script>"""


@app.get("/page/{who}")
async def page(who: str) -> HTMLResponse:
    return HTMLResponse(PAGE.replace("WHO", who))


@app.post("/seen/{who}")
async def seen(who: str, request: Request) -> None:
    note(f"{who} has seen {json.dumps(await request.json())}")


@app.get("/memory")
async def memory_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


@app.get("/made/{who}")
async def made_for(who: str) -> int:
    return made.get(who, 0)


@app.get("/alive")
async def who_is_alive() -> dict[str, Any]:
    statistics = app.state.runtime.statistics()
    thread = statistics["thread"]
    return {
        "agents": sorted(alive),
        "running": thread["running"],
        "abandoned": thread["abandoned"],
        "resisting": statistics["resisting"],
    }
