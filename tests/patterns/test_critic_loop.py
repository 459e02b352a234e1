"""Critic loop."""

import asyncio

import pytest

from linecook import agent
from linecook.errors import UsageError
from linecook.patterns import Reviewed, critic_loop
from tests.testing.exploring.house import Kitchen, cancelled_sometime, in_every_order


@agent
async def write(before: str | None, criticism: str | None) -> str:
    return "soup" if before is None else f"{before} with {criticism}"


@agent
async def wants_salt(draft: str) -> str | None:
    return None if "salt" in draft else "salt"


@agent
async def never_content(draft: str) -> str | None:
    return "more"


async def test_it_ends_when_the_critic_is_content() -> None:
    assert await critic_loop(write, wants_salt) == Reviewed("soup with salt", None, 2)


async def test_it_ends_at_its_bound_and_tells_what_was_left_to_say() -> None:
    assert await critic_loop(write, never_content, rounds=3) == Reviewed("soup with more with more", "more", 3)
    assert await critic_loop(write, never_content, rounds=1) == Reviewed("soup", "more", 1)


async def test_no_draft_at_all_is_too_few() -> None:
    with pytest.raises(UsageError, match="rounds=0"):
        await critic_loop(write, wants_salt, rounds=0)


def test_in_every_order_one_works_at_a_time_and_a_cancelled_loop_writes_no_more() -> None:
    async def main() -> None:
        kitchen = Kitchen(most=1)

        async def draft(before: str | None, criticism: str | None) -> str:
            return await kitchen.tidy(f"{before or 'soup'} {criticism or ''}".strip())

        async def criticise(draft: str) -> str | None:
            await kitchen.tidy(f"reads {draft}")
            return None if "salt" in draft else "salt"

        task = asyncio.create_task(critic_loop(draft, criticise))
        asked = await cancelled_sometime(task)
        begun = list(kitchen.begun)
        assert task.cancelled() == asked
        assert asked or task.result() == Reviewed("soup salt", None, 2)
        await asyncio.sleep(1)
        assert kitchen.begun == begun == ["soup", "reads soup", "soup salt", "reads soup salt"][: len(begun)]
        assert kitchen.is_quiet()

    in_every_order(main)
