"""Where threads stand: seen without keeping what they hold."""

import gc
import sys
import threading
import weakref

from linecook._core.stacks import stacks_of_others


class Dish:
    pass


def stand(reached: threading.Event, go_on: threading.Event, seen: list[weakref.ref[Dish]]) -> None:
    dish = Dish()
    seen.append(weakref.ref(dish))
    reached.set()
    go_on.wait(10)


def test_every_thread_is_there_but_the_one_that_asks():
    reached, go_on = threading.Event(), threading.Event()
    thread = threading.Thread(target=stand, args=(reached, go_on, []))
    thread.start()
    reached.wait(10)
    stacks = stacks_of_others()
    go_on.set()
    thread.join()
    assert threading.get_ident() not in stacks
    frame = stacks[thread.ident or 0]
    while frame.f_back is not None and frame.f_code is not stand.__code__:
        frame = frame.f_back
    assert frame.f_code is stand.__code__


def look() -> int:
    stacks = stacks_of_others()
    return len(stacks)


def look_as_python_does() -> int:
    stacks = sys._current_frames()
    return len(stacks)


def let_go_after(look) -> bool:
    reached, go_on = threading.Event(), threading.Event()
    seen: list[weakref.ref[Dish]] = []
    thread = threading.Thread(target=stand, args=(reached, go_on, seen))
    gc.disable()
    try:
        thread.start()
        reached.wait(10)
        look()
        go_on.set()
        thread.join()
        return seen[0]() is None
    finally:
        gc.enable()


def test_what_a_thread_held_when_it_was_seen_is_let_go_without_a_collection():
    assert let_go_after(look)


def test_with_ones_own_frame_among_them_it_would_not_be():
    assert not let_go_after(look_as_python_does)
