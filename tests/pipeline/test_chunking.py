"""Small bodies on threads share jobs, and nobody can tell from what comes of it."""

import threading
import time
from contextvars import ContextVar

import pytest

from linecook import Limit, Runtime, tool
from linecook.errors import BodyExited
from linecook.pipeline.chunking import Chunk, InTurn, can_be_chunked
from linecook.pipeline.pipeline import pipeline
from linecook.pipeline.stages import work

seen: ContextVar[int] = ContextVar("seen", default=0)


def small(number: int) -> int:
    return number + 1


async def test_thousands_of_small_bodies_need_few_jobs_and_are_all_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs: list[int] = []
    run_in_turn = InTurn.__call__

    def counted(self: InTurn, chunk: Chunk) -> list[tuple[bool, object]]:
        jobs.append(len(chunk.values))
        return run_in_turn(self, chunk)

    monkeypatch.setattr(InTurn, "__call__", counted)
    async with Runtime(stall=None) as runtime:
        assert await pipeline(range(5000)).map(small, workers=2, ordered=True).collect() == list(range(1, 5001))
        (row,) = [row for row in runtime.report().rows if row.name == "small"]
        assert row.calls == 5000
    assert len(jobs) < sum(jobs) / 2


async def test_a_body_that_fails_fails_alone() -> None:
    def fragile(number: int) -> int:
        if number % 10 == 3:
            raise ValueError(number)
        return number

    made = pipeline(range(1000)).map(fragile, workers=2, on_error="skip")
    assert sorted(await made.collect()) == [number for number in range(1000) if number % 10 != 3]
    assert len(made.dead_letters) == 100
    assert all(letter.error.args == (letter.origin,) for letter in made.dead_letters)
    assert any("in fragile(" in note for note in made.dead_letters[-1].error.__notes__)


async def test_what_would_end_a_loop_ends_only_its_item() -> None:
    def leaves(number: int) -> int:
        if number == 900:
            raise StopIteration
        return number

    made = pipeline(range(1000)).map(leaves, workers=2, on_error="skip")
    assert len(await made.collect()) == 999
    assert isinstance(made.dead_letters[0].error, BodyExited)


async def test_each_body_has_a_context_of_its_own() -> None:
    def count(_number: int) -> int:
        seen.set(seen.get() + 1)
        return seen.get()

    assert set(await pipeline(range(1000)).map(count, workers=2).collect()) == {1}


async def test_bodies_that_wait_keep_all_workers_busy() -> None:
    under_way, most, lock = 0, 0, threading.Lock()

    def wait(number: int) -> int:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        time.sleep(0.0005)
        with lock:
            under_way -= 1
        return number

    await pipeline(range(200)).map(wait, workers=8).collect()
    assert most >= 4


def test_a_chunk_that_was_given_up_begins_no_more_bodies() -> None:
    chunk = Chunk([1, 2, 3])

    def stop_at_two(number: int) -> int:
        chunk.is_given_up = number == 2
        return number

    assert InTurn(stop_at_two)(chunk) == [(True, 1), (True, 2)]


@pytest.mark.parametrize("policy", [{"timeout": 5}, {"attempt_timeout": 5}, {"limit": Limit(3)}, {"lane": "process"}])
def test_bodies_with_policies_go_alone(policy: dict[str, object]) -> None:
    asked: dict[str, object] = policy
    stage = work("map", tool(**asked)(small), None, False, "raise", None, None)  # type: ignore[call-overload]
    assert not can_be_chunked(stage)
