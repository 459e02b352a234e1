"""Pipelines, as type checkers see them: through every stage. Checked, never run."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import assert_type

from linecook import Pipeline, agent, pipeline, tool


@dataclass
class Page:
    text: str


@tool
def fetch(url: str) -> bytes:
    return url.encode()


@tool(lane="process")
def parse(page: bytes) -> float:
    return len(page) / 2


@agent
async def read(url: str) -> Page:
    return Page(url)


@tool
async def words(page: Page) -> AsyncIterator[str]:
    yield page.text


@tool
def lines(page: Page) -> Iterator[bytes]:
    yield page.text.encode()


@agent
async def links(page: Page) -> list[int]:
    return [len(page.text)]


def is_long(page: Page) -> bool:
    return len(page.text) > 3


async def plain(url: str) -> complex:
    return complex(url)


class Desk:
    @tool
    def sort(self, paper: str) -> Path:
        return Path(paper)

    async def file(self, paper: Path) -> int:
        return len(paper.parts)


async def urls() -> AsyncIterator[str]:
    yield "u"


def tools_agents_and_functions(desk: Desk) -> None:
    source = pipeline(["u"])
    assert_type(source, Pipeline[str])
    assert_type(source.map(fetch), Pipeline[bytes])
    assert_type(source.map(fetch.options(timeout=3)), Pipeline[bytes])
    assert_type(source.map(fetch).map(parse, workers="auto", ordered=True), Pipeline[float])
    assert_type(source.map(read), Pipeline[Page])
    assert_type(source.map(plain), Pipeline[complex])
    assert_type(source.map(Page), Pipeline[Page])
    assert_type(source.map(len), Pipeline[int])
    assert_type(source.map(lambda url: len(url)), Pipeline[int])
    assert_type(source.map(desk.sort).map(desk.file), Pipeline[int])


def one_to_many_and_back() -> None:
    pages = pipeline(urls()).map(read)
    assert_type(pages.flat_map(words), Pipeline[str])
    assert_type(pages.flat_map(lines), Pipeline[bytes])
    assert_type(pages.flat_map(links), Pipeline[int])
    assert_type(pages.flat_map(lambda page: page.text.split()), Pipeline[str])
    assert_type(pages.flat_map(words).map(len).group(), Pipeline[list[int]])
    assert_type(pages.filter(is_long), Pipeline[Page])
    assert_type(pages.filter(lambda page: page.text), Pipeline[Page])
    assert_type(pages.batch(3, wait=0.1), Pipeline[list[Page]])
    assert_type(pages.group(key=lambda page: page.text[0]), Pipeline[list[Page]])


async def reading() -> None:
    pages = pipeline(pipeline(urls()).map(read))
    assert_type(pages, Pipeline[Page])
    assert_type(await pages.collect(), list[Page])
    assert_type(await pages.into(is_long), int)
    async with pages as results:
        async for page in results:
            assert_type(page, Page)
    async for page in pages:
        assert_type(page, Page)
    async with pages.outcomes() as outcomes:
        async for outcome in outcomes:
            assert_type(outcome.results, list[Page])
