"""Resources: what is yielded is what is got. Checked, never run."""

from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from typing import assert_type

from linecook import resource
from linecook.tools.resource import AsyncResource, SyncResource


class Client: ...


@resource
async def web() -> AsyncIterator[Client]:
    yield Client()


@resource(per="runtime")
async def pool() -> AsyncGenerator[list[Client], None]:
    yield [Client()]


@resource(per="thread")
def session() -> Iterator[Client]:
    yield Client()


@resource
def cache() -> Generator[dict[str, int], None, None]:
    yield {}


async def use() -> None:
    assert_type(web, AsyncResource[Client])
    assert_type(session, SyncResource[Client])
    assert_type(await web(), Client)
    assert_type(await pool(), list[Client])
    assert_type(session(), Client)
    assert_type(cache(), dict[str, int])


def the_declaration_is_checked() -> None:
    resource(per="agent")  # type: ignore[call-overload]
