"""A few thousand pages reviewed, with everything that goes wrong on such a night; made to be looked at.

    seq 6000 > pages.jsonl
    linecook run examples/reviews.py:review --input pages.jsonl --output reviews.jsonl --concurrency 200

Servers and models are pretended: each takes its time by the number of the page, so every run goes the same way.
"""

import asyncio
import time

from linecook import Retry, agent, tool

HUNG = 1200  # the page whose server never answers
SLOW_DISK = 2500  # the page at which the log hangs, and with it the event loop


@tool(timeout=2, retry=Retry(ConnectionError, attempts=3, wait=0.05), effect="read")
def fetch(page: int) -> str:
    """Fetch the page: a blocking library, on a thread."""
    time.sleep(60 if page == HUNG else 0.02 + page % 40 * 0.002)
    if page % 19 == 0 and time.monotonic_ns() // 1000 % 3:
        raise ConnectionError("the server is busy")
    return f"page {page} " * (20 + page % 50)


@tool(lane="process")
def outline(text: str) -> int:
    """Take the page apart: pure Python, past the GIL."""
    return sum(ord(letter) * place for place, letter in enumerate(text * 8)) % 97


@tool(limit=60)
async def ask_model(question: str) -> str:
    """Ask a model, which takes its time; at most 60 questions at once."""
    await asyncio.sleep(0.05 + len(question) % 7 * 0.01)
    return f"looks good: {question}"


def log(page: int) -> None:
    """Say how far it is; called by the agent itself, so what it waits for, everybody waits for."""
    print(f"page {page} is being read")
    if page == SLOW_DISK:
        time.sleep(0.6)


@agent
async def review(page: int) -> str:
    """Review one page."""
    text = await fetch(page)
    if page % 250 == 0:
        log(page)
    mark = await outline(text)
    if mark == 7:
        raise ValueError("a page of which nothing can be said")
    return await ask_model(f"is a page with the mark {mark} any good?")
