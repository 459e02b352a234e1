"""What differs between two runs of one schedule is told by its first step."""

import asyncio

from linecook.testing import outside
from linecook.testing.exploring.sealing.sittings import Sitting
from linecook.testing.exploring.telling.determinism import difference
from linecook.testing.exploring.world import World


def test_the_first_step_that_differs_is_named() -> None:
    rounds = [0]

    async def main() -> None:
        rounds[0] += 1
        await outside()
        if rounds[0] % 2:
            await asyncio.sleep(0)

    world = World(main)
    with Sitting(world):
        told = difference(world, ())
    assert told.startswith("the first step that differs is number 3: once main:")


def test_of_a_program_under_control_nothing_is_told() -> None:
    async def main() -> None:
        await asyncio.gather(outside(), outside())

    world = World(main)
    with Sitting(world):
        assert difference(world, ()) == ""
