"""What is kept for a loop is kept on it, and goes with it."""

import asyncio
import gc
import weakref

import pytest

from linecook._core.perloop import kept_on, one_per_loop


class Thing:
    pass


def test_there_is_one_for_each_loop() -> None:
    one, two = asyncio.new_event_loop(), asyncio.new_event_loop()
    try:
        assert one_per_loop(one, Thing) is one_per_loop(one, Thing)
        assert one_per_loop(one, Thing) is not one_per_loop(two, Thing)
    finally:
        one.close()
        two.close()


def test_it_goes_with_the_loop_even_when_it_refers_to_it() -> None:
    loop = asyncio.new_event_loop()
    thing = one_per_loop(loop, Thing)
    thing.loop = loop  # type: ignore[attr-defined]
    gone = weakref.ref(thing)
    loop.close()
    del loop, thing
    gc.collect()
    assert gone() is None


def test_uvloop_has_room_too() -> None:
    uvloop = pytest.importorskip("uvloop")
    loop = uvloop.new_event_loop()
    try:
        assert kept_on(loop) is kept_on(loop)
    finally:
        loop.close()
