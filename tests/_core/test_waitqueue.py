"""Work waits by priority, in order within one, and nothing waits for ever."""

import threading
from typing import cast

from linecook._core.context import PRIORITIES, Priority
from linecook._core.waitqueue import AGEING, WaitQueue


def taken(queue: WaitQueue[str]) -> list[str]:
    items: list[str] = []
    while (item := queue.take()) is not None:
        items.append(item)
    return items


def test_higher_priorities_go_first_and_order_is_kept_within_one() -> None:
    queue: WaitQueue[str] = WaitQueue()
    for number in range(3):
        for priority in reversed(PRIORITIES):
            queue.put(f"{priority} {number}", priority)
    assert taken(queue) == [f"{priority} {number}" for priority in PRIORITIES for number in range(3)]


def test_a_lower_priority_is_served_while_higher_ones_keep_coming() -> None:
    queue: WaitQueue[str] = WaitQueue()
    queue.put("batch", "batch")
    queue.put("normal", "normal")
    served: list[str | None] = []
    for _ in range(3 * AGEING):
        queue.put("interactive", "interactive")
        served.append(queue.take())
    assert "batch" in served
    assert "normal" in served
    assert served.count("interactive") > 2 * AGEING


def test_what_is_put_back_goes_first_in_its_class() -> None:
    queue: WaitQueue[str] = WaitQueue()
    queue.put("second")
    queue.put_back("first")
    assert taken(queue) == ["first", "second"]


def test_an_empty_queue_gives_none() -> None:
    queue: WaitQueue[str] = WaitQueue()
    assert queue.take() is None
    assert not queue
    assert len(queue) == 0


def test_counts_and_drain_show_and_take_everything() -> None:
    queue: WaitQueue[str] = WaitQueue()
    queue.put("b", "batch")
    queue.put("a", "interactive")
    assert queue
    assert queue.counts() == {"interactive": 1, "normal": 0, "batch": 1}
    assert queue.drain() == ["a", "b"]
    assert len(queue) == 0


def test_many_threads_take_each_item_once() -> None:
    queue: WaitQueue[int] = WaitQueue()
    for number in range(3000):
        queue.put(number, cast(Priority, PRIORITIES[number % 3]))
    results: list[list[int]] = [[] for _ in range(4)]

    def work(mine: list[int]) -> None:
        while (item := queue.take()) is not None:
            mine.append(item)

    threads = [threading.Thread(target=work, args=(mine,)) for mine in results]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(number for mine in results for number in mine) == list(range(3000))
