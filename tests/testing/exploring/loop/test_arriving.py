"""When things arrive: free orders while nothing is ready, overtakings, timers in the order of their deadlines."""

import asyncio

from linecook.testing import explore, outside
from linecook.testing.exploring import Exploration


def orders(*waits: float | None) -> set[tuple[int, ...]]:
    """Return every order in which tasks can end that wait for so many seconds, or (None) for an answer."""
    seen = set[tuple[int, ...]]()

    async def main() -> None:
        ended = list[int]()

        async def wait(number: int, seconds: float | None) -> None:
            await (outside() if seconds is None else asyncio.sleep(seconds))
            ended.append(number)

        await asyncio.gather(*(wait(number, seconds) for number, seconds in enumerate(waits)))
        seen.add(tuple(ended))

    found = explore(main)
    assert found.exhausted
    return seen


def test_answers_come_in_every_order() -> None:
    assert len(orders(None, None, None)) == 6


def test_timers_fire_in_the_order_of_their_deadlines() -> None:
    assert orders(3, 1, 2) == {(1, 2, 0)}


def test_timers_of_one_moment_fire_in_the_order_in_which_they_were_set() -> None:
    assert orders(1, 1) == {(0, 1)}


def test_an_answer_can_be_later_or_sooner_than_a_timer() -> None:
    assert orders(None, 1) == {(0, 1), (1, 0)}


def found_by(overtakings: int) -> Exploration:
    """Explore a program that fails only if an answer comes in the one turn between two steps of another task."""

    async def main() -> None:
        state = "quiet"

        async def asks() -> None:
            await outside()
            assert state != "between"

        async def works() -> None:
            nonlocal state
            await outside()
            state = "between"
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            state = "done"

        await asyncio.gather(asks(), works())

    return explore(main, overtakings=overtakings)


def test_what_overtakes_what_is_ready_costs_one_overtaking() -> None:
    none = found_by(0)
    assert none.failure is None
    assert none.exhausted
    failure = found_by(1).failure
    assert failure is not None
    assert failure.overtakings == 1
    assert failure.label == "shown on the stock loop"


def test_a_program_that_polls_ends() -> None:
    async def main() -> None:
        done = list[int]()
        task = asyncio.create_task(outside())
        task.add_done_callback(lambda _: done.append(1))
        while not done:
            await asyncio.sleep(0.5)

    explore(main, schedules=50).check()


def test_a_program_that_spins_gets_its_answer() -> None:
    async def main() -> None:
        task = asyncio.create_task(outside(1))
        while not task.done():
            await asyncio.sleep(0)

    explore(main, schedules=20).check()


def test_virtual_time_passes_a_limiter_that_adds_up_floats() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        for _ in range(20):
            due += 0.1
            while loop.time() < due:
                await asyncio.sleep(due - loop.time())

    explore(main).check()


def test_a_timer_of_no_time_fires_in_the_next_turn() -> None:
    async def main() -> None:
        fired = list[int]()
        asyncio.get_running_loop().call_later(0, fired.append, 1)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert fired == [1]

    explore(main).check()


def test_a_cancelled_timer_is_nothing_to_wait_for() -> None:
    async def main() -> None:
        asyncio.get_running_loop().call_later(60, print).cancel()
        await asyncio.Event().wait()

    failure = explore(main).failure
    assert failure is not None
    assert failure.kind == "deadlock"


async def one_hop_apart() -> None:
    total = 0

    async def early() -> None:
        nonlocal total
        before = total
        await asyncio.sleep(0)
        total = before + 1

    async def later() -> None:
        nonlocal total
        for _ in range(4):
            await asyncio.sleep(0)
        total += 1

    await asyncio.gather(early(), later())
    assert total == 2


def test_a_step_held_back_is_found_under_any_scheduler_only_and_labelled() -> None:
    assert explore(one_hop_apart).exhausted
    failure = explore(one_hop_apart, tier="any").failure
    assert failure is not None
    assert failure.label == "not on the stock loop"
    assert failure.overtakings == 1


def test_holding_back_keeps_what_call_soon_promises() -> None:
    async def main() -> None:
        started = list[int]()

        async def server() -> None:
            started.append(1)

        def check() -> None:
            assert started

        task = asyncio.create_task(server())
        asyncio.get_running_loop().call_soon(check)
        await asyncio.sleep(0)
        await task

    found = explore(main, tier="any")
    assert found.failure is None
    assert found.exhausted


def test_faults_fail_hang_delay_and_cancel() -> None:
    seen = set[str]()

    async def main() -> None:
        try:
            async with asyncio.timeout(5):
                await asyncio.sleep(0)
                await outside()
            seen.add("answered")
        except ConnectionError:
            seen.add("failed")
        except TimeoutError:
            seen.add("too late")
        except asyncio.CancelledError:
            seen.add("cancelled")
            raise

    found = explore(main, faults=1)
    assert found.failure is None
    assert found.exhausted
    assert seen == {"answered", "failed", "too late", "cancelled"}


def test_a_hang_without_a_time_out_is_a_deadlock_that_costs_one_fault() -> None:
    async def main() -> None:
        await outside()

    failure = explore(main, faults=1).failure
    assert failure is not None
    assert (failure.kind, failure.faults, failure.overtakings) == ("deadlock", 1, 0)
    assert explore(main, faults=1, fault_kinds=("raise", "cancel")).failure is None


def test_no_program_takes_the_beginning_for_not_yet() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        assert began
        await asyncio.sleep(1)
        assert 1 <= loop.time() - began < 1.001

    explore(main).check()
