"""The desk's crew on linecook: agents that talk, under a team that starts anew whoever fails.

    desk ──Edit──> editor ──Review──> reviewer ──> scouts, readers, check
                      │ <──findings──    ^  one of them killed every second
                   news ──> the terminal, and every page that is open

scout: a synchronous client on the thread lane; 1.5 s an attempt, 4 attempts, obeys Retry-After.
reader: pure-Python CPU work on the process lane; after 3 s its process is killed, and a crash costs one page.
check: merges a package's pages, on the thread lane.
reviewer: takes one package at a time, asks a scout and a reader for each page, and streams its findings.
editor: hands out the packages, and publishes what comes back and wasn't known.
"""

from __future__ import annotations

import asyncio
import math
import random
from dataclasses import replace
from typing import Any

from desk_plan import AT_ONCE, ATTEMPTS, FETCH_TIMEOUT, READ_TIMEOUT, read, worth_another_attempt
from desk_rules import Finding, Page
from desk_rules.review import review
from desk_talk import Desk, Edit, News, Review
from source_client import get_file
from source_server import Entry

from linecook import Inbox, Outcome, Ref, Retry, agent, as_completed, move_on_after, remaining, team, tool
from linecook.errors import TimedOutError

__all__ = ["crew"]

REVIEWERS = 16
DELIVERIES = 100
"""How often a package is handed to a reviewer before it is given up: each time it was killed on the way."""
PERIOD = 5.0


# -- tools -------------------------------------------------------------------------------------------------------------


@tool(
    effect="read",
    attempt_timeout=FETCH_TIMEOUT,
    retry=Retry(on=worth_another_attempt, attempts=ATTEMPTS),
    limit=AT_ONCE,
)
def scout(base: str, number: int) -> bytes:
    """Fetch one page. The client blocks, perhaps for ever: that costs a thread, and nobody else's."""
    return get_file(base, "linecook", number)


@tool(effect="read", lane="process", attempt_timeout=READ_TIMEOUT)
def reader(entry: Entry, source: bytes) -> Page:
    """Parse and measure one page, in a process of its own: past the GIL, and it can be killed."""
    return read(entry, source)


@tool(effect="read")
def check(package: str, pages: list[Page]) -> list[Finding]:
    """Cross-check the pages of a package."""
    return review(package, pages)


# -- agents ------------------------------------------------------------------------------------------------------------


@agent
async def page_of(desk: Desk, entry: Entry) -> Page:
    """Have one page fetched and read."""
    return await reader(entry, await scout(desk.base, entry.id))


@agent
async def reviewer(inbox: Inbox[Review], desk: Desk, number: int) -> None:
    """Look through one package after the other. What an earlier start has read, before it was killed, is kept."""
    desk.at_work[number] = _this_task()
    async for message in inbox:
        with move_on_after(remaining()):  # the asker's deadline: nobody wants to hear of it later
            for finding in await look_through(desk, message.body.package):
                await message.send(finding)


@agent
async def look_through(desk: Desk, package: str) -> list[Finding]:
    """Have all pages of a package read at once that aren't read yet, and cross-check them."""
    missing = desk.ledger.missing(package)
    async with as_completed((page_of(desk, entry) for entry in missing), limit=AT_ONCE) as pages:
        async for outcome in pages:
            desk.ledger.note(missing[_place(outcome)], outcome)
    return await check(package, desk.ledger.pages_of(package))


@agent
async def editor(inbox: Inbox[Edit], desk: Desk, reviewers: tuple[Ref[Review], ...]) -> None:
    """Hand the packages to the reviewers, each to one that is free."""
    async for message in inbox:
        free: asyncio.Queue[Ref[Review]] = asyncio.Queue()
        for each in reviewers:
            free.put_nowait(each)
        packages = message.body.packages
        async with as_completed((publish(desk, free, name) for name in packages), limit=len(reviewers)) as reviews:
            async for outcome in reviews:
                desk.ledger.close(packages[_place(outcome)], outcome)
        message.reply(desk.ledger.progress.peek())


@agent
async def publish(desk: Desk, free: asyncio.Queue[Ref[Review]], package: str) -> None:
    """Have one package reviewed, and publish each finding when it comes, if it hasn't come before."""
    one = await free.get()
    try:
        async with one.stream(Review(package), timeout=remaining()) as findings:
            async for finding in findings:
                if (number := desk.ledger.enter(finding)) is not None:
                    await desk.news.publish(News(number, finding))
    finally:
        free.put_nowait(one)


@agent
async def killer(desk: Desk) -> None:
    """Kill a reviewer every so often, whatever it is doing; the team must see to the rest."""
    chance = random.Random(desk.seed)
    while True:
        await asyncio.sleep(desk.kill_every)
        if chance.choice([*desk.at_work.values()]).cancel("killed"):
            desk.ledger.progress.update(lambda now: replace(now, killed=now.killed + 1))


@agent
async def crew(desk: Desk) -> int:
    """Have all packages reviewed by a team that survives its reviewers; return how often it started one anew."""
    intensity = 3 + (math.ceil(2 * PERIOD / desk.kill_every) if desk.kill_every else 0)
    async with team(name="crew", restart="one_for_one", intensity=intensity, period=PERIOD) as us:
        reviewers = [us.start(reviewer(desk, n), capacity=1, deliveries=DELIVERIES) for n in range(REVIEWERS)]
        boss = us.start(editor(desk, tuple(reviewers)), capacity=1)
        killing = us.start(killer(desk)) if desk.kill_every else None
        try:
            await boss.ask(Edit(tuple(desk.plan.packages)), timeout=desk.within)
        except TimedOutError:
            await boss.stop()  # it has heard as well, and sees to what is lost
        if killing is not None:
            await killing.stop(grace=0)
        return int(us.statistics()["restarts"])


def _this_task() -> asyncio.Task[None]:
    task = asyncio.current_task()
    assert task is not None
    return task


def _place(outcome: Outcome[Any]) -> int:
    assert outcome.call is not None
    assert outcome.call.index is not None
    return outcome.call.index
