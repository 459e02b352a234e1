"""Agents and ``run``, as type checkers see them. Checked, never run."""

from collections.abc import Coroutine
from typing import assert_type

from linecook import Call, Runtime, agent, run, scope
from linecook._core.scope import Handle
from linecook.tools.call import Call as SameCall


@agent
async def reader(url: str) -> int:
    return len(url)


@agent(timeout=5, grace=1, priority="interactive")
async def chief(urls: list[str]) -> dict[str, int]:
    return {url: await reader(url) for url in urls}


async def plain() -> bytes:
    return b""


async def values(runtime: Runtime) -> None:
    assert_type(await reader("u"), int)
    assert_type(await chief(["u"]), dict[str, int])
    assert_type(reader("u"), Coroutine[None, None, int]).close()
    assert_type(reader.call("u"), Call[int])
    assert_type(reader.call("u"), SameCall[int])
    assert_type(await reader.options(timeout=3)("u"), int)
    async with scope() as s:
        handle = s.start(reader("u"))
        assert_type(handle, Handle[int])
        assert_type(await handle, int)
        assert_type(s.start(plain()), Handle[bytes])
    assert_type(runtime.start(chief([])), Handle[dict[str, int]])


def main() -> None:
    assert_type(run(reader("u")), int)
    assert_type(run(chief(["u"]), show="report"), dict[str, int])
    assert_type(run(plain(), runtime=Runtime(threads=8)), bytes)


def not_async() -> int:
    return 1


def a_plain_def_is_no_agent() -> None:
    agent(not_async)  # type: ignore[arg-type]
