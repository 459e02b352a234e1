"""The line that makes a task."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import anyio

from linecook.observe import Audit
from linecook.observe.audit.makers import maker_of
from linecook.observe.audit.origins import made_at
from tests.observe.audit.conftest import audited, line_of

Factory = Callable[[], asyncio.AbstractEventLoop]


async def nothing() -> None:
    await asyncio.sleep(0)


async def say(lines: list[int]) -> None:
    where = maker_of(asyncio.current_task())
    lines.append(where.line if where is not None and where.file == __file__ else 0)


def test_however_a_task_is_made_its_line_is_known(loop_factory: Factory) -> None:
    async def main() -> None:
        await asyncio.create_task(say(lines))  # 0
        await asyncio.get_running_loop().create_task(say(lines), name="x")  # 1
        await asyncio.gather(say(lines), asyncio.sleep(0))  # 2
        await asyncio.gather(*(say(lines) for _ in range(1)))  # 3
        async with asyncio.TaskGroup() as group:
            group.create_task(say(lines))  # 4
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(say, lines)  # 5
        await asyncio.ensure_future(say(lines))  # 6

    lines: list[int] = []
    audited(main, loop_factory)
    assert lines == [line_of(main, f"# {number}") for number in range(7)]


def test_the_task_of_run_itself_is_made_where_run_is_called(loop_factory: Factory) -> None:
    def program() -> None:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(say(lines))  # here

    lines: list[int] = []
    with Audit():
        program()
    assert lines == [line_of(program, "# here")]


def test_a_task_made_by_a_callback_of_asyncios_is_not_laid_at_the_door_of_who_runs_the_loop(
    loop_factory: Factory,
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        served.append((maker_of(task), made_at(task)))
        writer.close()

    async def main() -> None:
        async with await asyncio.start_server(serve, "127.0.0.1") as server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            await reader.read()
            writer.close()

    served: list[Any] = []
    audited(main, loop_factory)
    ((maker, made),) = served
    assert maker is None
    assert made.line == serve.__code__.co_firstlineno


def test_a_task_of_a_factory_that_takes_no_attributes_is_known_too() -> None:
    class Tight(asyncio.Future[None]):
        __slots__ = ("_coro",)

        def __setattr__(self, name: str, value: object) -> None:
            if name.startswith("_linecook"):
                raise AttributeError(name)
            super().__setattr__(name, value)

        def set_name(self, name: object) -> None: ...  # Python 3.13.0 calls it

    def make(loop: asyncio.AbstractEventLoop, coro: Any, **_: Any) -> Any:
        coro.close()
        task = Tight(loop=loop)
        task.set_result(None)
        return task

    async def main() -> None:
        asyncio.get_running_loop().set_task_factory(make)
        made.append(asyncio.create_task(nothing()))  # here
        asyncio.get_running_loop().set_task_factory(None)

    made: list[Any] = []
    audited(main)
    where = maker_of(made[0])
    assert where is not None
    assert where.line == line_of(main, "# here")


def test_a_loop_of_the_users_own_that_makes_tasks_its_own_way_is_not_their_maker() -> None:
    class Loop(asyncio.SelectorEventLoop):
        def create_task(self, coro: Any, **options: Any) -> Any:
            return super().create_task(coro, **options)

    async def main() -> None:
        await asyncio.create_task(say(lines))  # here

    lines: list[int] = []
    before = Loop.create_task
    audited(main, Loop)
    assert lines == [line_of(main, "# here")]
    assert Loop.create_task is before


def test_light_notes_nothing(loop_factory: Factory) -> None:
    async def main() -> None:
        before.append(type(asyncio.get_running_loop()).create_task)
        await asyncio.create_task(say(lines))

    before: list[object] = []
    lines: list[int] = []
    audited(main, loop_factory, light=True)
    assert lines == [0]
    loop = loop_factory()
    assert before == [type(loop).create_task]
    loop.close()


def test_many_threads_and_loops_make_tasks_at_once(loop_factory: Factory) -> None:
    async def main() -> None:
        await asyncio.gather(*(say(lines) for _ in range(200)))  # here

    def program() -> None:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(main())

    lines: list[int] = []
    with Audit():
        threads = [threading.Thread(target=program) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert lines == [line_of(main, "# here")] * 600
