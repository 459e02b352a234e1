"""Chance: the same in each schedule, and as it was afterwards."""

import os
import random
import secrets
import uuid

from linecook.testing import explore, outside


def drawn(seed: int) -> list[tuple[object, ...]]:
    """Return what a program draws, schedule by schedule."""
    seen = list[tuple[object, ...]]()

    async def main() -> None:
        import asyncio

        seen.append(
            (random.random(), uuid.uuid4(), uuid.uuid1(), secrets.token_hex(4), os.urandom(2), random.Random().random())
        )
        await asyncio.gather(outside(), outside())

    explore(main, seed=seed)
    return seen


def test_every_schedule_draws_the_same() -> None:
    seen = drawn(0)
    assert len(seen) > 1
    assert len(set(seen)) == 1


def test_another_seed_draws_otherwise() -> None:
    assert set(drawn(0)).isdisjoint(drawn(1))
    assert drawn(1) == drawn(1)


def test_afterwards_chance_goes_on_where_it_was() -> None:
    random.seed(5)
    expected = [random.random() for _ in range(2)]
    random.seed(5)
    assert random.random() == expected[0]
    drawn(0)
    assert random.random() == expected[1]
    assert os.urandom(16) != os.urandom(16)
    assert os.urandom.__module__ == "posix"
