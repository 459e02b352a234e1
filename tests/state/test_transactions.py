"""Several cells in one step: nobody sees half of it, and what it read still stands when it writes."""

import asyncio
import sys
import threading
from typing import Any

import pytest

import linecook.state.transactions as module
from linecook import Shared, SharedMap, transaction
from linecook.errors import Conflict, LostUpdate, UsageError


def in_a_thread(step: Any) -> None:
    thread = threading.Thread(target=step)
    thread.start()
    thread.join()


async def test_all_of_it_or_nothing() -> None:
    a, b = Shared(10), Shared(0)

    def move() -> str:
        a.value -= 3
        b.value += 3
        assert (a.peek(), b.peek()) == (7, 3), "it sees its own writes"
        in_a_thread(lambda: seen.append((a.peek(), b.peek())))
        return "moved"

    seen: list[tuple[int, int]] = []
    assert transaction(move) == "moved"
    assert (a.value, b.value, seen) == (7, 3, [(10, 0)])

    def fail() -> None:
        a.value = 99
        raise KeyError("half way")

    with pytest.raises(KeyError, match="half way"):
        transaction(fail)
    assert a.value == 7


async def test_it_runs_again_when_what_it_read_has_changed() -> None:
    a, b, runs = Shared(1), Shared(0), list[int]()

    def double() -> None:
        runs.append(a.value)
        if len(runs) == 1:
            in_a_thread(lambda: a.set(5))
        b.value = a.value * 2

    transaction(double)
    assert (runs, b.value) == ([1, 5], 10)


async def test_write_skew_is_caught() -> None:
    """Each takes only what is its own, and leaves one on duty: on a mixture both would go."""
    ann, bob, runs = Shared(True), Shared(True), list[str]()

    def leave(mine: Shared[bool], name: str, meanwhile: Any = None) -> None:
        runs.append(name)
        on_duty = [ann.value, bob.value].count(True)
        if meanwhile is not None and len(runs) == 1:
            in_a_thread(lambda: transaction(meanwhile))
        if on_duty > 1:
            mine.value = False

    transaction(lambda: leave(ann, "ann", lambda: leave(bob, "bob")))
    assert (ann.value, bob.value, runs) == (True, False, ["ann", "bob", "ann"])


async def test_it_never_sees_a_state_that_never_was() -> None:
    a, b, seen = Shared(0), Shared(0), list[tuple[int, int]]()

    def both_one_up() -> None:
        a.value += 1
        b.value += 1

    def look() -> None:
        first = a.value
        if not seen:
            seen.append((-1, -1))
            in_a_thread(lambda: transaction(both_one_up))
        seen.append((first, b.value))

    transaction(look)
    assert seen[1:] == [(1, 1)]


async def test_what_it_raises_on_a_stale_view_is_no_answer() -> None:
    cell, runs = Shared(0), list[int]()

    def strictly_positive() -> None:
        runs.append(cell.value)
        if len(runs) == 1:
            in_a_thread(lambda: cell.set(1))
        if not runs[-1]:
            raise ValueError("zero")

    transaction(strictly_positive)
    assert runs == [0, 1]


async def test_every_way_to_read_and_write_takes_part() -> None:
    cell, other, notes = Shared(1), Shared("a"), SharedMap({"x": 1, "y": 2})
    before = other.seen()

    def everything() -> dict[str, int]:
        cell.update(lambda n: n + 1)
        cell.value += 1
        assert cell.compare_and_set(3, 4)
        assert not cell.compare_and_set(3, 5)
        assert other.compare_and_set(before, "b")
        other.set("c")
        assert (cell.seen().value, other.peek(), other.value) == (4, "c", "c")
        notes["z"] = notes["x"] + notes.get("y", 0)
        del notes["x"]
        assert ("x" in notes, notes.pop("y"), notes.setdefault("w", 9), len(notes)) == (False, 2, 9, 2)
        assert notes.update("w", lambda n: n + 1) == 10
        with pytest.raises(KeyError):
            notes["y"]
        assert (sorted(notes), notes.peek("z"), notes.compare_and_set("z", 3, 30)) == (["w", "z"], 3, True)
        in_a_thread(lambda: seen.append((cell.peek(), other.peek(), notes.snapshot())))
        return notes.snapshot()

    seen: list[Any] = []
    assert transaction(everything) == {"z": 30, "w": 10}
    assert seen == [(1, "a", {"x": 1, "y": 2})]
    assert (cell.value, other.value, notes.snapshot()) == (4, "c", {"z": 30, "w": 10})


async def test_a_loop_over_a_map_holds_it_to_all_of_it() -> None:
    notes, total, runs = SharedMap({"a": 1}), Shared(0), list[int]()

    def add_up() -> None:
        runs.append(len(notes))
        if len(runs) == 1:
            in_a_thread(lambda: notes.set("b", 5))
        total.value = sum(notes.values())

    transaction(add_up)
    assert (runs, total.value) == ([1, 2], 6)


async def test_one_inside_another_is_part_of_it() -> None:
    cell = Shared(0)

    def outer() -> None:
        transaction(lambda: setattr(cell, "value", 1))
        raise KeyError

    with pytest.raises(KeyError):
        transaction(outer)
    assert cell.value == 0


@pytest.mark.skipif(sys.version_info < (3, 12), reason="tasks begin eagerly from 3.12 on")
async def test_a_task_that_begins_inside_one_has_transactions_of_its_own() -> None:
    cell, beside = Shared(0), Shared(0)

    async def own() -> None:
        transaction(lambda: beside.set(beside.value + 1))

    def outer() -> None:
        cell.value = 1
        begun.append(asyncio.Task(own(), loop=asyncio.get_running_loop(), eager_start=True))
        cell.value = 2
        raise KeyError

    begun: list[asyncio.Task[None]] = []
    with pytest.raises(KeyError):
        transaction(outer)
    await begun[0]
    assert (cell.value, beside.value) == (0, 1)


async def test_a_task_without_room_for_a_memory_may_use_it() -> None:
    class Bare(asyncio.Future[None]):
        def __setattr__(self, name: str, value: Any) -> None:
            if name.startswith("_linecook"):
                raise AttributeError(name)
            super().__setattr__(name, value)

        def get_name(self) -> str:
            return "bare"

        def get_coro(self) -> Any:
            return None

    cell, real = Shared(0), asyncio.current_task()
    loop = asyncio.get_running_loop()
    assert real is not None
    bare: Any = Bare()
    asyncio.tasks._leave_task(loop, real)
    asyncio.tasks._enter_task(loop, bare)
    try:
        cell.value += 1
        transaction(lambda: cell.set(cell.value + 1))
    finally:
        asyncio.tasks._leave_task(loop, bare)
        asyncio.tasks._enter_task(loop, real)
    assert cell.value == 2


async def test_a_write_in_it_may_be_a_lost_update_of_a_read_before_it() -> None:
    cell = Shared(0, lost_update="raise")
    seen = cell.value
    in_a_thread(lambda: cell.update(lambda n: n + 1))
    with pytest.raises(LostUpdate):
        transaction(lambda: setattr(cell, "value", seen + 1))
    transaction(lambda: setattr(cell, "value", cell.value + 1))
    assert cell.value == 2


async def test_an_async_function_is_refused() -> None:
    cell = Shared(0)

    async def later() -> None:
        cell.value = 1

    with pytest.raises(UsageError, match=r"takes a plain function, and .*later is an async one"):
        transaction(later)
    with pytest.raises(UsageError, match="returned a coroutine"):
        transaction(lambda: later())
    assert cell.value == 0


async def test_one_that_is_always_overtaken_ends_with_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_ATTEMPTS", 4)
    cell = Shared(0)

    def read() -> None:
        cell.value += 1
        in_a_thread(lambda: cell.update(lambda n: n + 10))

    with pytest.raises(Conflict, match=r"overtaken 4 times, the last time on Shared 'cell', by Thread"):
        transaction(read)
    assert cell.value == 40


async def test_waiters_are_told_of_its_writes() -> None:
    a, b = Shared(0), Shared(0)
    waiting = asyncio.create_task(a.wait_for(lambda n: n == 1))
    await asyncio.sleep(0)
    in_a_thread(lambda: transaction(lambda: (a.set(1), b.set(1))))
    assert await waiting == 1


def test_threads_keep_the_sum_of_many_accounts() -> None:
    accounts = [Shared(100, lost_update="raise") for _ in range(5)]
    totals: list[int] = []

    def move(step: int) -> None:
        for n in range(150):
            giver, taker = accounts[(n * step) % 5], accounts[(n * step + step) % 5]

            def once(giver: Shared[int] = giver, taker: Shared[int] = taker) -> None:
                amount = min(giver.value, 7)
                giver.value -= amount
                taker.value += amount

            transaction(once)
            totals.append(transaction(lambda: sum(account.value for account in accounts)))

    threads = [threading.Thread(target=move, args=(step,)) for step in (1, 2, 3, 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(totals) == {500}
    assert len(totals) == 600
