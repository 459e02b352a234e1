"""The desk's work from its first page to its last word: the crew, and those who tell people of it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterable, Callable, Coroutine
from dataclasses import replace
from typing import Any

from desk_crew import crew
from desk_ledger import Progress
from desk_plan import Result
from desk_talk import Desk, News
from source_client import in_flight

from linecook import agent, merge, team, tool

__all__ = ["work"]


@agent
async def work(desk: Desk, page: Coroutine[Any, Any, None] | None = None) -> Result:
    """Run the desk to its end, and tell everybody how it went.

    Args:
      page: an agent that shows the news to people, if any; when the work is done it stays until Ctrl-C.
    """
    began = time.monotonic()
    async with desk.news.subscribe(when_slow="block") as news, team(name="people") as people:
        telling = people.start(teller(desk, news))
        showing = people.start(page) if page is not None else None
        restarts = await crew(desk)
        result = replace(desk.ledger.result(), wall=time.monotonic() - began, stuck=in_flight(), restarts=restarts)
        desk.ledger.progress.update(lambda now: replace(now, is_over=True))
        desk.news.close()
        await telling.wait_closed()
        await say(desk.finish, result)
        if showing is not None:
            await people.wait()
            await showing.stop(grace=0)
    return result


@agent
async def teller(desk: Desk, news: AsyncIterable[News]) -> None:
    """Tell the terminal, findings and progress, as they come."""
    streams: dict[str, AsyncIterable[News | Progress]] = {"news": news, "progress": desk.ledger.follow()}
    async with merge(streams) as pieces:
        async for _, piece in pieces:
            if isinstance(piece, News):
                await say(desk.show, piece.finding)
            else:
                await say(desk.tick, piece)


@tool
def say(how: Callable[[Any], None], what: object) -> None:
    """Hand *what* to a terminal or a pipe, which may be stopped: that costs a thread, and nobody else's."""
    how(what)
