"""``outside``: also an await where nothing is explored."""

import asyncio

import pytest

from linecook.testing import explore, outside


async def test_on_any_other_loop_it_answers_in_one_of_the_next_turns() -> None:
    assert await outside(5) == 5
    with pytest.raises(ValueError, match="no"):
        await outside(raises=ValueError("no"))


def test_it_can_be_gathered_shielded_and_given_to_a_task() -> None:
    async def main() -> None:
        assert await asyncio.gather(outside(1), outside(2)) == [1, 2]
        assert await asyncio.create_task(outside("task")) == "task"
        assert await asyncio.shield(outside(3)) == 3

    explore(main).check()


def test_one_that_is_given_up_never_comes() -> None:
    async def main() -> None:
        task = asyncio.create_task(outside())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        await asyncio.Event().wait()

    failure = explore(main).failure
    assert failure is not None
    assert failure.kind == "deadlock"


def test_its_error_is_raised_and_its_name_is_told() -> None:
    async def main() -> None:
        await outside(raises=ValueError("no"), name="the price")

    failure = explore(main).failure
    assert failure is not None
    assert isinstance(failure.error, ValueError)
    assert any(step.what == "the price arrives" for step in failure.steps)
