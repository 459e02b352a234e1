"""What counts as a failure, and what doesn't."""

import asyncio

import pytest

import linecook
from linecook import Shared
from linecook.testing import Failure, explore, outside


def failure_of(main: object, **options: object) -> Failure:
    """Return the failure that is found."""
    failure = explore(main, **options).failure  # type: ignore[arg-type]
    assert failure is not None
    return failure


def test_a_deadlock_names_who_holds_what_the_other_waits_for() -> None:
    async def main() -> None:
        left, right = asyncio.Lock(), asyncio.Lock()

        async def agent(first: asyncio.Lock, second: asyncio.Lock) -> None:
            async with first:
                await outside()
                async with second:
                    await outside()

        await asyncio.gather(agent(left, right), agent(right, left))

    failure = failure_of(main)
    assert failure.kind == "deadlock"
    assert failure.message.count("held by") == 2
    assert any("async with second" in line for line in failure.waits)


def test_a_task_left_alive_is_a_leak_and_one_that_was_cancelled_is_not() -> None:
    async def leaves() -> None:
        task = asyncio.create_task(outside())
        task.set_name("audit")

    async def cancels() -> None:
        asyncio.create_task(outside()).cancel()

    failure = failure_of(leaves)
    assert failure.kind == "leaked task"
    assert "audit" in failure.message
    explore(cancels).check()


def test_an_exception_that_nobody_looks_at_is_found() -> None:
    async def main() -> None:
        async def fails() -> None:
            raise ValueError("lost")

        task = asyncio.create_task(fails())
        await asyncio.sleep(1)
        del task

    failure = failure_of(main)
    assert failure.kind == "exception never retrieved"
    assert "lost" in failure.message


def test_a_lost_update_of_a_shared_value_names_both_accesses_and_the_await() -> None:
    async def main() -> None:
        spent = Shared(0)

        async def agent() -> None:
            before = spent.value
            await outside()
            spent.value = before + 1

        await asyncio.gather(agent(), agent())

    found = explore(main)
    assert found.schedules <= 2
    assert found.failure is not None
    assert found.failure.kind == "lost update"
    assert [access.kind for access in found.failure.accesses] == ["read", "write", "write"]
    assert len(found.failure.awaits) == 1


def test_a_lost_update_that_is_raised_is_the_programs_to_answer() -> None:
    from linecook.errors import LostUpdate

    async def main() -> None:
        spent = Shared(0, lost_update="raise")

        async def agent() -> None:
            while True:
                before = spent.value
                await outside()
                try:
                    spent.value = before + 1
                    return
                except LostUpdate:
                    continue

        await asyncio.gather(agent(), agent())
        assert spent.value == 2

    explore(main, schedules=200).check()


class Books:
    balance = 100


def test_an_invariant_holds_after_every_step_from_the_first_time_on() -> None:
    async def main() -> None:
        Books.balance = 100

        async def buy(price: int) -> None:
            if Books.balance >= price:
                await outside()
                Books.balance -= price
            await outside()
            Books.balance += 100

        await asyncio.gather(buy(60), buy(60))

    failure = failure_of(main, invariant=lambda: Books.balance >= 0)
    assert failure.kind == "invariant"


def test_an_invariant_of_the_end_may_be_wrong_before() -> None:
    done = list[int]()

    async def main() -> list[int]:
        done.clear()

        async def work(number: int) -> None:
            await outside()
            done.append(number)

        await asyncio.gather(work(0), work(1))
        return done

    explore(main, invariant=lambda: len(done) == 2).check()
    explore(main, invariant=lambda result: sorted(result) == [0, 1]).check()
    assert failure_of(main, invariant=lambda result: result == [0, 1]).kind == "invariant"


def test_an_invariant_that_raises_is_a_failure_and_one_that_awaits_is_refused() -> None:
    async def main() -> None:
        await outside()

    async def later() -> bool:
        return True

    failure = failure_of(main, invariant=lambda: 1 / 0)
    assert failure.kind == "invariant"
    assert isinstance(failure.error, ZeroDivisionError)
    for awaits in (later, lambda: later()):
        with pytest.raises(TypeError, match="plain function"):
            explore(main, invariant=awaits)
    with pytest.raises(TypeError, match="takes 2"):
        explore(main, invariant=lambda one, other: True)


def test_a_fault_that_goes_through_is_no_failure() -> None:
    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(outside())
            group.create_task(outside())

    explore(main, faults=1, fault_kinds=("raise", "cancel")).check()


def test_an_injected_cancel_that_comes_out_as_a_cancelled_call_is_no_finding() -> None:
    @linecook.tool
    async def fetch() -> None:
        await outside()

    async def main() -> None:
        async with linecook.Runtime():
            await linecook.gather(fetch() for _ in range(2))

    explore(main, faults=1, fault_kinds=["cancel"]).check()
