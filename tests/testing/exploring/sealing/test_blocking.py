"""A step that doesn't end is interrupted, and told with its line."""

import pytest

from linecook.testing.exploring.sealing.blocking import Blocked, Watchman
from linecook.testing.exploring.sealing.sittings import Sitting
from linecook.testing.exploring.search.choices import Plan
from linecook.testing.exploring.world import World


@pytest.mark.slow
def test_a_step_that_spins_is_a_hang_with_its_line() -> None:
    async def main() -> None:
        while True:
            pass

    world = World(main, patience=0.2)
    with Sitting(world):
        found = world.run(Plan())
    assert found is not None
    assert found.kind == "hang"
    assert "test_blocking.py" in found.message


@pytest.mark.slow
def test_a_program_that_gets_on_is_left_alone() -> None:
    import time

    steps = [0]
    watchman = Watchman(lambda: steps[0], lambda: 0.3)
    watchman.begin()
    try:
        end = time.monotonic() + 1
        while time.monotonic() < end:
            steps[0] += 1
    except Blocked:
        pytest.fail("it was interrupted")
    finally:
        watchman.end()
