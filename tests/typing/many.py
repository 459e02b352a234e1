"""Fan-outs, as type checkers see them. Checked, never run."""

from collections.abc import AsyncIterator, Iterator
from typing import assert_type

from linecook import Ok, Outcome, Settled, agent, as_completed, first, gather, settle, tool


@tool
def fetch(url: str) -> str:
    return url


@tool
async def count(url: str) -> int:
    return len(url)


@agent
async def read(url: str) -> bytes:
    return url.encode()


async def plain() -> float:
    return 1.0


async def urls() -> AsyncIterator[str]:
    yield "u"


def endless() -> Iterator[str]:
    while True:
        yield "u"


async def one_iterable() -> None:
    assert_type(await gather([fetch("u")]), list[str])
    assert_type(await gather((count(u) for u in endless()), limit=5, timeout=3), list[int])
    assert_type(await gather(read(u) async for u in urls()), list[bytes])
    assert_type(await settle([fetch("u")]), Settled[str])
    assert_type(await settle((count(u) for u in endless()), limit=None, fail_on=0.1), Settled[int])
    assert_type(await first([fetch("a"), fetch("b")]), str)


async def calls_one_by_one() -> None:
    assert_type(await gather(fetch("u"), count("u")), tuple[str, int])
    assert_type(await gather(fetch("u"), count("u"), read("u"), plain()), tuple[str, int, bytes, float])
    a, b = await settle(fetch("u"), count("u"), timeout=3)
    assert_type(a, Outcome[str])
    assert_type(b, Outcome[int])
    assert_type(await first(fetch("a"), fetch("b")), str)


async def outcomes_of_settle() -> None:
    settled = await settle(fetch(u) for u in ["a", "b"])
    assert_type(settled.results, list[str])
    assert_type(settled[0], Outcome[str])
    assert_type(settled[:1], Settled[str])
    assert_type(settled.counts, dict[str, int])
    for outcome in settled:
        assert_type(outcome, Outcome[str])


async def as_they_finish() -> None:
    async with as_completed((count(u) for u in endless()), limit=100) as outcomes:
        async for outcome in outcomes:
            assert_type(outcome, Outcome[int])
            if isinstance(outcome, Ok):
                assert_type(outcome.value, int)
