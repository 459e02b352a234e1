"""The same desk without linecook: one page after the other, and the usual way with the standard library's means.

Both are written as a careful user would: the same client, pages, time-outs and attempts, `Retry-After` obeyed, errors
kept apart by page, a broken process pool replaced.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from desk_plan import (
    ATTEMPTS,
    EVERY,
    FETCH_TIMEOUT,
    READ_TIMEOUT,
    STOPPED_AFTER,
    Plan,
    Result,
    emit,
    read,
    retry_after,
    worth_another_attempt,
)
from desk_rules import Page
from desk_rules.review import review
from source_client import get_file, in_flight
from source_server import Entry

__all__ = ["one_after_other", "usual_way"]


def one_after_other(base: str, plan: Plan) -> Result:
    """Fetch and read every twentieth page, one at a time.

    Nothing watches over it, so the client's own time-out must do; and the planted pages are left out, as the first one
    would end this process and the second one would keep it for ever.
    """
    result, began = Result("one after the other"), time.monotonic()
    sample = [entry for entry in plan.entries if entry.package != "planted"][::EVERY]
    for count, entry in enumerate(sample, 1):
        try:
            result.add(entry, read(entry, _fetch(base, entry)))
        except OSError as error:
            result.lost[entry.id] = repr(error)
        emit(progress={"done": count, "of": len(sample)})
    result.wall = time.monotonic() - began
    return result


def _fetch(base: str, entry: Entry) -> bytes:
    for attempt in range(1, ATTEMPTS):
        try:
            return get_file(base, "one after the other", entry.id, timeout=FETCH_TIMEOUT)
        except OSError as error:
            if not worth_another_attempt(error):
                raise
            time.sleep(retry_after(error, attempt))
    return get_file(base, "one after the other", entry.id, timeout=FETCH_TIMEOUT)


def _new_pool() -> ProcessPoolExecutor:
    # As many workers as CPUs; "forkserver", because forking a process that has threads is asking for trouble.
    return ProcessPoolExecutor(mp_context=multiprocessing.get_context("forkserver"))


class _Usual:
    """`to_thread` for the client, a process pool for the CPU work, `wait_for` around both, `gather` over all."""

    def __init__(self, base: str, plan: Plan) -> None:
        self.base, self.plan = base, plan
        self.result = Result("the usual way")
        # All at once, the time-outs would run out in the pool's queue: `to_thread` has min(32, CPUs + 4) threads.
        self.gate = asyncio.Semaphore(16)
        self.pool = _new_pool()

    async def run(self) -> Result:
        began = time.monotonic()
        try:
            async with asyncio.timeout(STOPPED_AFTER):
                await asyncio.gather(*(self._package(name) for name in self.plan.packages), return_exceptions=True)
        except TimeoutError:
            self._count_unfinished()
        self.result.wall = time.monotonic() - began
        self.result.stuck = in_flight()
        return self.result

    async def _package(self, name: str) -> None:
        pages = await asyncio.gather(*(self._page(e) for e in self.plan.packages[name]), return_exceptions=True)
        for entry, page in zip(self.plan.packages[name], pages, strict=True):
            if isinstance(page, BaseException):
                self.result.lost[entry.id] = f"{type(page).__name__}: {page}"
        self.result.findings += review(name, [page for page in pages if isinstance(page, Page)])

    async def _page(self, entry: Entry) -> Page:
        async with self.gate:
            page = await self._read(entry, await self._fetch(entry))
        self.result.add(entry, page)
        emit(progress={"done": len(self.result.read), "of": len(self.plan.entries)})
        return page

    async def _fetch(self, entry: Entry) -> bytes:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                fetching = asyncio.to_thread(get_file, self.base, "the usual way", entry.id)
                return await asyncio.wait_for(fetching, FETCH_TIMEOUT)
            except OSError as error:
                if attempt == ATTEMPTS or not worth_another_attempt(error):
                    raise
                await asyncio.sleep(retry_after(error, attempt))
        raise AssertionError("unreachable")

    async def _read(self, entry: Entry, source: bytes) -> Page:
        for attempt in range(1, ATTEMPTS + 1):
            pool = self.pool
            try:
                work = asyncio.get_running_loop().run_in_executor(pool, read, entry, source)
                return await asyncio.wait_for(work, READ_TIMEOUT)
            except BrokenProcessPool:  # ours or a neighbour's page crashed: the pool can't tell
                if self.pool is pool:
                    self.pool = _new_pool()
                if attempt == ATTEMPTS:
                    raise
        raise AssertionError("unreachable")

    def _count_unfinished(self) -> None:
        for entry in self.plan.entries:
            if entry.id not in self.result.read:
                self.result.lost.setdefault(entry.id, f"not done when stopped after {STOPPED_AFTER:g} s")


async def usual_way(base: str, plan: Plan) -> Result:
    """Run the desk the usual way, stopped after 20 s."""
    return await _Usual(base, plan).run()
