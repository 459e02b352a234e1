"""An update is called lost only where a value was replaced; a container that is changed in place loses nothing."""

import asyncio
from typing import Any

from linecook.testing import explore, outside


def told(main: Any) -> str:
    """Return the report of *main*'s failure."""
    failure = explore(main).failure
    assert failure is not None
    return failure.report


def test_an_append_after_a_look_at_the_length_is_a_stale_check_and_no_lost_update() -> None:
    async def main() -> None:
        seats = list[str]()

        async def book(guest: str) -> None:
            if len(seats) < 1:
                await outside()
                seats.append(guest)

        await asyncio.gather(book("Ann"), book("Bob"))
        assert len(seats) == 1

    report = told(main)
    assert "lost update" not in report
    assert "stale check on seats" in report
    assert "changed seats = ['Ann']" in report
    assert "went on as if nothing had changed, and changed: seats = ['Ann', 'Bob']" in report


def test_appends_and_pops_of_one_list_by_two_tasks_are_nothing_lost() -> None:
    async def main() -> None:
        at_work = list[str]()

        async def work(name: str) -> None:
            at_work.append(name)
            assert len(at_work) == 1
            await outside()
            at_work.remove(name)

        await asyncio.gather(work("a"), work("b"))

    assert "lost update" not in told(main)


def test_an_item_of_the_same_dict_that_others_leave_alone_is_not_overwritten() -> None:
    async def main() -> None:
        pages = {"mine": 0}

        async def mine() -> None:
            before = pages["mine"]
            await outside()
            pages["mine"] = before + 1

        async def others() -> None:
            pages.update(other=1)
            await outside()

        await asyncio.gather(mine(), others())
        raise ValueError("of something else")

    assert "lost update" not in told(main)


def test_a_list_that_is_extended_in_place_over_an_await_loses_nothing() -> None:
    class Kitchen:
        def __init__(self) -> None:
            self.done = list[int]()

    async def main() -> None:
        kitchen = Kitchen()

        async def cook(number: int) -> None:
            kitchen.done += [await outside(number)]

        await asyncio.gather(cook(1), cook(2))
        assert kitchen.done == [1, 2]

    assert "lost update" not in told(main)


def test_a_list_that_is_replaced_by_one_made_of_an_old_one_is_a_lost_update() -> None:
    class Kitchen:
        def __init__(self) -> None:
            self.done = list[int]()

    async def main() -> None:
        kitchen = Kitchen()

        async def cook(number: int) -> None:
            done = kitchen.done
            await outside()
            kitchen.done = [*done, number]

        await asyncio.gather(cook(1), cook(2))
        assert len(kitchen.done) == 2

    assert "lost update on kitchen.done" in told(main)


def test_an_item_that_somebody_else_changed_through_update_is_a_lost_update() -> None:
    async def main() -> None:
        pages = {"hits": 0}

        async def read() -> None:
            before = pages["hits"]
            await outside()
            pages["hits"] = before + 1

        async def reset() -> None:
            await outside()
            pages.update(hits=100)

        await asyncio.gather(read(), reset())
        assert pages["hits"] >= 100

    assert "lost update on pages['hits']" in told(main)
