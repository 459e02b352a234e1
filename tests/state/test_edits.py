"""A draft that is worked on across awaits, and committed as a whole."""

import asyncio
import threading

import pytest

from linecook import Shared, fail_after
from linecook.errors import Conflict, TimedOutError, UsageError
from linecook.state.hook import observe


async def test_a_draft_is_written_when_the_block_is_left() -> None:
    cell = Shared(1)
    async with cell.edit() as draft:
        draft.value += 1
        await asyncio.sleep(0)
        draft.value += 1
        assert (draft.value, cell.value) == (3, 1)
    assert cell.value == 3


async def test_edits_exclude_edits_in_the_order_of_asking() -> None:
    cell = Shared[tuple[int, ...]]((), lost_update="raise")

    async def add(number: int) -> None:
        async with cell.edit() as draft:
            seen = draft.value
            await asyncio.sleep(0.001)
            draft.value = (*seen, number)

    await asyncio.gather(*(add(n) for n in range(20)))
    assert cell.value == tuple(range(20))


async def test_a_block_that_raises_writes_nothing_and_lets_the_next_in() -> None:
    cell = Shared(1)
    with pytest.raises(KeyError):
        async with cell.edit() as draft:
            draft.value = 5
            raise KeyError
    async with cell.edit() as draft:
        assert draft.value == 1


async def test_a_base_that_moved_is_a_conflict() -> None:
    cell = Shared(1)
    with pytest.raises(Conflict, match=r"Shared 'cell' was changed under this edit, by .* at .*cell\.update"):
        async with cell.edit() as draft:
            cell.update(lambda n: n + 10)
            draft.value = 5
    assert cell.value == 11
    async with cell.edit() as draft:
        cell.update(lambda n: n + 10)  # nothing assigned, nothing in conflict
    assert cell.value == 21


async def test_an_edit_within_an_edit_of_the_same_cell_is_refused() -> None:
    cell = Shared(1)
    beside = Shared(2)
    async with cell.edit() as draft, beside.edit() as other:
        with pytest.raises(UsageError, match="edits Shared 'cell' already, and would wait for itself"):
            async with cell.edit():
                pass
        draft.value, other.value = other.value, draft.value
    assert (cell.value, beside.value) == (2, 1)


async def test_a_block_is_entered_once_and_a_draft_ends_with_it() -> None:
    cell = Shared(1)
    edit = cell.edit()
    async with edit as draft:
        pass
    with pytest.raises(UsageError, match="entered before"):
        async with edit:
            pass
    with pytest.raises(UsageError, match="is over"):
        draft.value = 2


async def test_one_that_is_cancelled_while_it_waits_leaves_the_line() -> None:
    cell = Shared(0)

    async def add() -> None:
        async with cell.edit() as draft:
            draft.value += 1

    async with cell.edit():
        waiting = [asyncio.create_task(add()) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[1].cancel()
        with pytest.raises(TimedOutError):
            with fail_after(0.01):
                await asyncio.shield(waiting[0])
    done = await asyncio.gather(*waiting, return_exceptions=True)
    assert cell.value == 2
    assert isinstance(done[1], asyncio.CancelledError)


async def test_one_that_is_cancelled_as_its_turn_comes_gives_it_on() -> None:
    cell = Shared(0)

    async def add() -> None:
        async with cell.edit() as draft:
            draft.value += 1

    async with cell.edit():
        waiting = [asyncio.create_task(add()) for _ in range(2)]
        await asyncio.sleep(0)
    waiting[0].cancel()  # its turn was given to it in the step before, and it has not run since
    await asyncio.wait(waiting, timeout=10)
    assert cell.value == 1


async def test_one_that_is_thrown_away_gives_its_turn_on() -> None:
    cell = Shared(0)

    async def begin() -> None:
        async with cell.edit():
            await asyncio.Event().wait()

    thrown = begin()
    thrown.send(None)
    thrown.close()
    async with cell.edit() as draft:
        draft.value = 1
    assert cell.value == 1


async def test_one_whose_first_look_fails_gives_its_turn_on() -> None:
    class Refuses:
        def accessing(self, *_: object) -> None:
            raise KeyError

        def lost(self, loss: object) -> None: ...

    cell = Shared(0)
    end = observe(Refuses())
    try:
        with pytest.raises(KeyError):
            async with cell.edit():
                pass
    finally:
        end()
    async with cell.edit() as draft:
        draft.value = 1
    assert cell.value == 1


def test_edits_on_loops_of_different_threads_take_turns() -> None:
    cell = Shared(0, lost_update="raise")

    async def add() -> None:
        for _ in range(20):
            async with cell.edit() as draft:
                seen = draft.value
                await asyncio.sleep(0)
                draft.value = seen + 1

    async def many() -> None:
        await asyncio.gather(*(add() for _ in range(3)))

    threads = [threading.Thread(target=lambda: asyncio.run(many())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cell.value == 180


def test_a_turn_passes_over_a_loop_that_is_closed() -> None:
    cell = Shared(0)

    async def main() -> None:
        def give_up() -> None:
            loop = asyncio.new_event_loop()
            loop.create_task(wait())
            loop.call_later(0.01, loop.stop)
            loop.run_forever()
            kept.append(asyncio.all_tasks(loop))
            loop.close()

        async def wait() -> None:
            async with cell.edit():
                raise AssertionError("its loop is closed")

        async with cell.edit():
            await asyncio.to_thread(give_up)
        with fail_after(10):
            async with cell.edit() as draft:
                draft.value = 1

    kept: list[set[asyncio.Task[None]]] = []
    asyncio.run(main())
    assert cell.value == 1
    for task in kept.pop():
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        task.get_coro().close()  # type: ignore[union-attr]
