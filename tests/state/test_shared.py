"""A value that tasks and threads share: reading, writing, one step at a time; and what is, and isn't, a lost update."""

import asyncio
import copy
import gc
import logging
import pickle
import sys
import threading
import weakref
from collections import Counter, OrderedDict, defaultdict, deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pytest

from linecook import Shared, gather, tool, transaction
from linecook.errors import Conflict, LinecookError, LostUpdate, NotPortable, UsageError


@dataclass(frozen=True)
class Plan:
    steps: tuple[str, ...] = ()


def strict(value: Any = 0) -> Shared[Any]:
    return Shared(value, name="cell", lost_update="raise")


async def other(cell: Shared[Any], change: Any) -> None:
    """Let another task change *cell*, in one go."""
    await asyncio.create_task(_do(lambda: change(cell)))


async def _do(step: Any) -> None:
    step()


def add_one(cell: Shared[Any]) -> None:
    cell.update(lambda value: value + 1)


async def test_a_value_is_read_and_written() -> None:
    cell = Shared(1)
    assert cell.value == 1
    cell.value = 2
    assert (cell.value, cell.peek(), cell.seen().value) == (2, 2, 2)
    cell.value += 1
    cell.set(cell.peek() + 1)
    assert cell.value == 4
    assert cell.update(lambda value: value * 10) == 40
    assert cell.value == 40


async def test_a_write_on_a_stale_read_is_a_lost_update() -> None:
    cell = strict()
    seen = cell.value
    await other(cell, add_one)
    with pytest.raises(LostUpdate, match="lost update on Shared 'cell'") as caught:
        cell.value = seen + 10
    assert cell.value == 1, "nothing was written"
    loss = caught.value.loss
    assert (loss.read.value, loss.overwritten.value, loss.write.value, loss.writes) == (0, 1, 10, 1)
    assert [line.source for line in loss.awaits] == ["await other(cell, add_one)"]
    assert isinstance(caught.value, LinecookError)


async def test_by_default_it_is_written_and_reported(caplog: pytest.LogCaptureFixture) -> None:
    cell = Shared(0)
    seen = cell.value
    await other(cell, add_one)
    cell.value = seen + 10
    assert cell.value == 10
    assert [(record.name, record.levelno) for record in caplog.records] == [("linecook", logging.WARNING)]


async def test_the_classic_counter_loses_half_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    counter = Shared(0)

    async def count() -> None:
        for _ in range(100):
            seen = counter.value
            await asyncio.sleep(0)
            counter.value = seen + 1

    await asyncio.gather(asyncio.create_task(count(), name="critic"), asyncio.create_task(count(), name="planner"))
    assert counter.value == 100
    assert len(caplog.records) == 1, "one place is heard once a second"
    said = caplog.messages[0]
    assert "planner overwrote 1, written by critic" in said
    assert "await asyncio.sleep(0)" in said


async def test_a_write_that_was_refused_stays_refused_until_it_reads_again() -> None:
    cell = strict()
    seen = cell.value
    await other(cell, add_one)
    for _ in range(2):
        with pytest.raises(LostUpdate):
            cell.value = seen + 10
    cell.value = cell.value + 10
    assert cell.value == 11


async def test_a_read_again_before_the_write_is_fine() -> None:
    cell = strict()
    print(cell.value)
    seen = cell.value
    await other(cell, add_one)
    if cell.value != seen:
        seen = cell.value
    cell.value = seen + 1
    assert cell.value == 2


async def test_a_write_without_a_read_is_fine() -> None:
    cell = strict()
    await other(cell, add_one)
    cell.value = 7
    await other(cell, add_one)
    cell.value = 7  # its own write is no read, either
    assert cell.value == 7


async def test_a_read_in_another_task_is_fine() -> None:
    cell = strict()

    async def read() -> int:
        return int(cell.value)

    seen = await asyncio.create_task(read())
    await other(cell, add_one)
    cell.value = seen


async def test_optimistic_retry_is_fine() -> None:
    cell = strict()

    async def add() -> int:
        for attempt in range(100):
            seen = cell.value
            await asyncio.sleep(0)
            if cell.compare_and_set(seen, seen + 1):
                return attempt
        raise AssertionError

    attempts = await asyncio.gather(*(add() for _ in range(8)))
    assert cell.value == 8
    assert max(attempts) > 0, "they did get in each other's way"


async def test_update_peek_and_set_are_fine_after_a_stale_read() -> None:
    for change in (add_one, lambda cell: cell.set(5), lambda cell: transaction(lambda: add_one(cell))):
        cell = strict()
        seen = cell.value
        await other(cell, add_one)
        change(cell)
        cell.value = 9  # the read was before its own write: it doesn't stand on it
        assert seen == 0
    cell = strict()
    cell.peek()
    await other(cell, add_one)
    cell.value = 3


async def test_changed_and_changed_back_is_changed() -> None:
    cell = strict("free")
    seen = cell.value
    await other(cell, lambda cell: cell.set("taken"))
    await other(cell, lambda cell: cell.set("free"))
    with pytest.raises(LostUpdate):
        cell.value = "mine" if seen == "free" else "theirs"


async def test_what_is_only_shown_is_no_reason(capsys: pytest.CaptureFixture[str]) -> None:
    cell = strict()
    log = logging.getLogger("test")
    print("so far", f"{cell.value:,}")
    await other(cell, add_one)
    cell.value = 0
    assert cell.value == 0
    await other(cell, add_one)
    cell.value = 0
    log.info("so far %s", cell.value)
    await other(cell, add_one)
    cell.value = 0
    assert capsys.readouterr().out == "so far 0\n"


async def test_what_is_shown_and_kept_is_a_reason() -> None:
    cell = strict()
    print(seen := cell.value)
    await other(cell, add_one)
    with pytest.raises(LostUpdate):
        cell.value = seen + 1


async def test_a_helper_may_read_and_another_may_write() -> None:
    cell = strict()

    async def load() -> int:
        seen: int = cell.value
        await asyncio.sleep(0)
        return seen

    async def store(value: int) -> None:
        await asyncio.sleep(0)
        cell.value = value

    task = asyncio.create_task(_add_later(cell))
    seen = await load()
    with pytest.raises(LostUpdate) as caught:
        await store(seen + 1)
    await task
    loss = caught.value.loss
    assert loss.certain is False
    assert "may have waited at" in str(loss)
    assert [line.function.rpartition(".")[2] for line in loss.awaits] == ["store"]


async def _add_later(cell: Shared[Any]) -> None:
    await asyncio.sleep(0)
    add_one(cell)


def test_two_threads_lose_an_update_and_it_is_named() -> None:
    cell = strict()
    has_read, has_written, found = threading.Event(), threading.Event(), list[LostUpdate]()

    def slow() -> None:
        seen = cell.value
        has_read.set()
        assert has_written.wait(10)
        try:
            cell.value = seen + 1
        except LostUpdate as error:
            found.append(error)

    thread = threading.Thread(target=slow, name="slow")
    thread.start()
    assert has_read.wait(10)
    cell.value = 5
    has_written.set()
    thread.join()
    loss = found[0].loss
    assert (loss.write.who, loss.overwritten.who, loss.awaits) == ("slow", "MainThread", ())
    assert "MainThread is running now at" in str(loss)


async def test_a_task_and_a_tool_on_a_thread_lose_an_update_and_it_is_named() -> None:
    cell = strict()
    has_read, has_written = threading.Event(), threading.Event()

    @tool
    def bill(amount: int) -> None:
        seen = cell.value
        has_read.set()
        assert has_written.wait(10)
        cell.value = seen + amount

    call = asyncio.ensure_future(bill(3))
    while not has_read.is_set():
        await asyncio.sleep(0.001)
    cell.value = 5
    has_written.set()
    with pytest.raises(LostUpdate) as caught:
        await call
    assert caught.value.loss.write.who == "bill"
    assert caught.value.loss.overwritten.value == 5


async def test_calls_that_share_a_thread_are_not_one_another() -> None:
    """A thread of a pool reads for one call and writes for the next: that is no lost update."""
    cell = strict()

    def read() -> int:
        return int(cell.value)

    def write() -> None:
        cell.value = 7

    @tool
    def read_tool() -> int:
        return read()

    @tool
    def write_tool() -> None:
        write()

    with ThreadPoolExecutor(1) as pool:
        loop = asyncio.get_running_loop()
        for reader, writer in (
            (lambda: loop.run_in_executor(pool, read), lambda: loop.run_in_executor(pool, write)),
            (read_tool, write_tool),
        ):
            await gather([_awaited(reader)])
            await other(cell, add_one)
            await gather([_awaited(writer)])
    assert cell.value == 7


async def _awaited(call: Any) -> Any:
    return await call()


def test_what_a_thread_runs_itself_is_no_stranger() -> None:
    cell = strict()
    before = cell.value
    asyncio.run(other(cell, add_one))
    cell.value = before
    assert cell.value == 0


async def test_callbacks_of_a_loop_are_not_one_another() -> None:
    cell, done = strict(), asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.call_soon(lambda: cell.value)
    loop.call_soon(lambda: loop.create_task(_do(lambda: add_one(cell))))
    loop.call_later(0.01, lambda: (setattr(cell, "value", 5), done.set()))
    await done.wait()
    assert cell.value == 5


MUTABLE: list[Any] = [
    [1],
    {"a": 1},
    {1},
    bytearray(b"a"),
    deque(),
    defaultdict(int),
    OrderedDict(),
    Counter(),
    type("Mine", (list,), {})(),
]


@pytest.mark.parametrize("value", MUTABLE, ids=lambda value: type(value).__name__)
async def test_a_mutable_container_is_refused_wherever_it_could_enter(value: Any) -> None:
    kind = type(value).__name__
    with pytest.raises(UsageError, match=rf"can't hold a {kind}.*(tuple|frozenset|SharedMap|bytes)"):
        Shared(value)
    cell = Shared[Any](0)
    for attempt in (
        lambda: setattr(cell, "value", value),
        lambda: cell.set(value),
        lambda: cell.update(lambda _: value),
        lambda: cell.compare_and_set(0, value),
        lambda: transaction(lambda: setattr(cell, "value", value)),
    ):
        with pytest.raises(UsageError, match=f"Shared 'cell' can't hold a {kind}"):
            attempt()
    with pytest.raises(UsageError):
        async with cell.edit() as draft:
            draft.value = value
    assert cell.value == 0


def test_frozen_things_are_welcome() -> None:
    for value in (1, 1.5, "a", b"a", None, True, (1, 2), frozenset({1}), Plan(), range(3), 1j, SimpleNamespace()):
        assert Shared(value).value is value


async def test_what_was_not_awaited_is_refused() -> None:
    async def later() -> int:
        return 1

    cell = Shared[Any](0)
    with pytest.raises(UsageError, match=r"later\(\.\.\.\), which has not run: await it"):
        cell.value = later()
    with pytest.raises(UsageError, match="give a plain function"):
        cell.update(lambda _: later())

    async def double(value: int) -> int:
        return value * 2

    with pytest.raises(UsageError, match="double"):
        cell.update(double)
    assert cell.value == 0


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(ValueError, match="lost_update must be 'report' or 'raise', not 'log'"):
        Shared(0, lost_update="log")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_it_refuses_to_travel(protocol: int) -> None:
    spent = Shared(0)
    with pytest.raises(NotPortable, match=r"Shared 'spent' can't be copied, pickled.*lane='thread'"):
        pickle.dumps(spent, protocol)
    with pytest.raises(NotPortable):
        copy.deepcopy({"inside": spent})


async def test_update_gives_up_nothing_when_its_function_fails() -> None:
    cell = Shared(1)
    with pytest.raises(ZeroDivisionError):
        cell.update(lambda value: value // 0)
    assert cell.value == 1
    assert cell.update(lambda value: value + 1) == 2


async def test_update_within_update_is_told_apart() -> None:
    cell, beside = Shared(0), Shared(0)

    def nested(value: int) -> int:
        cell.update(lambda inner: inner + 1)
        return value + 1

    def assigns(value: int) -> int:
        cell.value = 5
        return value + 1

    for wrong in (nested, assigns):
        with pytest.raises(UsageError, match="writes this same cell"):
            cell.update(wrong)

    def another(value: int) -> int:
        beside.update(lambda inner: inner + 1)
        return value + 1

    cell.set(0)
    assert (cell.update(another), beside.value) == (1, 1)


def test_update_that_is_always_overtaken_ends_with_a_clear_error() -> None:
    cell = Shared(0)

    def overtaken(value: int) -> int:
        thread = threading.Thread(target=add_one, args=(cell,))
        thread.start()
        thread.join()
        return value

    import linecook.state.shared as module

    before = module.MOST_ATTEMPTS
    module.MOST_ATTEMPTS = 5
    try:
        with pytest.raises(Conflict, match="overtaken 5 times"):
            cell.update(overtaken)
    finally:
        module.MOST_ATTEMPTS = before
    assert cell.value == 5


def test_threads_lose_nothing_with_update_compare_and_set_and_transaction() -> None:
    cell = strict()
    rounds, crew = 300, 4

    def by_update() -> None:
        for _ in range(rounds):
            add_one(cell)

    def by_comparing() -> None:
        for _ in range(rounds):
            while not cell.compare_and_set(seen := cell.seen(), seen.value + 1):
                pass

    def by_transaction() -> None:
        for _ in range(rounds):
            transaction(lambda: setattr(cell, "value", cell.value + 1))

    threads = [threading.Thread(target=work) for work in (by_update, by_comparing, by_transaction) * crew]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cell.value == rounds * crew * 3


def test_threads_that_write_by_hand_are_refused_exactly_where_an_update_would_be_lost() -> None:
    cell, done, refused = strict(), [0] * 4, [0] * 4

    def add(number: int) -> None:
        for _ in range(2_000):
            seen = cell.value
            try:
                cell.value = seen + 1
            except LostUpdate:
                refused[number] += 1
            else:
                done[number] += 1

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=add, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert cell.value == sum(done) == 8_000 - sum(refused)


async def test_compare_and_set_compares_by_value_and_by_version() -> None:
    cell = Shared("a")
    version = cell.seen()
    assert cell.compare_and_set("b", "c") is False
    assert cell.compare_and_set("a", "b") is True
    assert cell.compare_and_set("b", "a") is True
    assert cell.compare_and_set(version, "z") is False, "changed and changed back is changed"
    assert cell.compare_and_set(cell.seen(), "z") is True
    assert cell.value == "z"
    nan = Shared(float("nan"))
    assert nan.compare_and_set(nan.value, 0.0), "identity comes before =="


async def test_a_comparison_that_fails_comes_up() -> None:
    class Odd:
        def __eq__(self, other: object) -> bool:
            raise ArithmeticError

        __hash__ = None  # type: ignore[assignment]

    cell = Shared[Any](Odd())
    with pytest.raises(ArithmeticError):
        cell.compare_and_set(1, 2)
    cell.set(3)
    assert cell.value == 3


async def test_an_old_value_is_let_go() -> None:
    class Page:
        pass

    page = Page()
    gone = weakref.ref(page)
    cell = Shared[Any](page)

    async def reader(stop: asyncio.Event) -> None:
        assert cell.value is not None
        await stop.wait()

    stop = asyncio.Event()
    task = asyncio.create_task(reader(stop))
    await asyncio.sleep(0)
    cell.value = None
    del page
    gc.collect()
    assert gone() is None, "a task that read it doesn't keep it"
    stop.set()
    await task


async def test_a_cell_and_a_task_are_let_go() -> None:
    async def use() -> tuple[Any, Any]:
        cell = Shared(0)
        cell.value += 1
        return weakref.ref(cell), weakref.ref(asyncio.current_task())

    cell, task = await asyncio.create_task(use())
    await asyncio.sleep(0)  # the step that woke us knows the task
    gc.collect()
    assert (cell(), task()) == (None, None)
    kept = Shared(0)
    writer = asyncio.create_task(_do(lambda: add_one(kept)))
    gone = weakref.ref(writer)
    await writer
    del writer
    await asyncio.sleep(0)
    gc.collect()
    assert gone() is None, "a cell doesn't keep the task that wrote it"


async def test_a_task_remembers_a_bounded_number_of_reads() -> None:
    from linecook.state.actors import MOST_READS, actor_here

    cells = [Shared(n) for n in range(MOST_READS * 3)]
    for cell in cells:
        assert cell.value >= 0
    assert len(actor_here().reads) == MOST_READS


def test_a_signal_in_the_middle_of_a_write_neither_hangs_nor_is_lost() -> None:
    """A handler runs in the thread it interrupts, wherever that is: also between the parts of a write."""
    import signal

    cell, handled = Shared(0), 0

    def handle(*_: Any) -> None:
        nonlocal handled
        handled += 1
        add_one(cell)

    before = signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    try:
        mine = 0
        while handled < 40:
            add_one(cell)
            mine += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert cell.value == mine + handled


def test_a_finalizer_that_writes_the_cell_it_was_in_neither_hangs_nor_is_lost() -> None:
    cell = Shared[Any](None)
    log = Shared(0)

    class Last:
        def __del__(self) -> None:
            add_one(log)
            cell.peek()

    for _ in range(10):
        cell.set(Last())
    cell.set(None)
    gc.collect()
    assert log.value == 10


def test_it_is_shown_with_its_name_and_without_counting_as_read() -> None:
    budget = Shared(3, lost_update="raise")
    assert repr(budget) == "<Shared budget=3>"
    assert repr(Shared(3, name="spent")) == "<Shared spent=3>"
    typed: Shared[int | None] = Shared[int | None](None)
    assert repr(typed) == "<Shared typed=None>"
    assert repr([Shared(1)]) == "[<Shared 1>]"
    thread = threading.Thread(target=add_one, args=(budget,))
    thread.start()
    thread.join()
    budget.value = 9


async def test_a_large_value_in_a_report_is_shortened() -> None:
    cell = strict(())
    seen = cell.value
    await other(cell, lambda cell: cell.set(tuple(range(100_000))))
    with pytest.raises(LostUpdate) as caught:
        cell.value = (*seen, "x" * 100_000)
    assert len(str(caught.value)) < 2_000
    assert caught.value.loss.read.value == ()


async def test_a_frozen_object_is_read_back_from_the_variable_it_went_into() -> None:
    cell = strict(Plan())
    plan = cell.value
    await other(cell, lambda cell: cell.set(Plan(("a",))))
    with pytest.raises(LostUpdate) as caught:
        cell.value = replace(plan, steps=("b",))
    loss = caught.value.loss
    assert (loss.read.value, loss.overwritten.value, loss.write.value) == (Plan(), Plan(("a",)), Plan(("b",)))
