"""How far a search is can be watched, and Ctrl-C ends it with what was searched until then."""

import asyncio
import os
import signal

import pytest

from linecook.testing import explore, outside
from linecook.testing.exploring import Progress


async def many_orders() -> None:
    await asyncio.gather(*(outside(number) for number in range(6)))


async def loses_an_update() -> None:
    counter = [0]

    async def add() -> None:
        read = counter[0]
        await outside()
        counter[0] = read + 1

    await asyncio.gather(*(add() for _ in range(4)))
    assert counter == [4]


def press_ctrl_c(_progress: object = None) -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_progress_is_told_in_words() -> None:
    assert str(Progress(1_234, 2.4, "1 overtaking")) == "1,234 schedules in 2 s; now 1 overtaking"
    shrinking = Progress(1, 0.0, "sampled", shrinking=True)
    assert str(shrinking) == "1 schedule in 0 s; the last one failed, and is made smaller"


def test_progress_is_told_at_most_ten_times_in_a_second() -> None:
    told: list[Progress] = []
    found = explore(many_orders, seconds=0.15, schedules=100_000, on_progress=told.append)
    assert 1 <= len(told) <= found.seconds * 10 + 1
    assert [one.schedules for one in told] == sorted({one.schedules for one in told})
    assert not told[0].shrinking


def test_ctrl_c_ends_the_search_after_the_schedule_that_runs() -> None:
    found = explore(many_orders, schedules=100_000, on_progress=press_ctrl_c)
    assert found.interrupted
    assert not found.exhausted
    assert found.schedules == 1
    assert found.verdict.startswith("interrupted: no failure in 1 schedule (")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_interrupted_search_that_found_nothing_is_no_passed_test() -> None:
    with pytest.raises(KeyboardInterrupt, match="interrupted"):
        explore(many_orders, on_progress=press_ctrl_c).check()


def test_ctrl_c_within_a_schedule_tells_a_failure_found_in_it() -> None:
    pressed: list[bool] = []

    async def main() -> None:
        if not pressed:
            pressed.append(True)
            press_ctrl_c()
        await outside()
        raise ValueError("soup")

    found = explore(main)
    assert found.interrupted
    assert found.failure is not None
    assert "soup" in found.failure.message


def test_a_second_ctrl_c_is_raised() -> None:
    async def main() -> None:
        press_ctrl_c()
        press_ctrl_c()

    with pytest.raises(KeyboardInterrupt):
        explore(main)


def test_a_handler_of_the_process_is_left_alone() -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _frame: heard.append(number))
    try:
        found = explore(loses_an_update, on_progress=press_ctrl_c)
    finally:
        signal.signal(signal.SIGINT, before)
    assert heard
    assert not found.interrupted
