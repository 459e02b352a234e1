"""The threads of a lane: they come when needed, park, multiply when stuck and go home; none is lost."""

import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterator

import pytest

from linecook._core.events import Event, Events
from linecook.errors import UsageError
from linecook.lanes import crew as crew_module
from linecook.lanes.crew import Crew, Worker, at_thread_end

PATIENCE = 10.0  # upper bound for what normally takes milliseconds; two noisy cores


class Kitchen:
    """A queue of plain functions and a crew that runs them: the least a crew can work for."""

    def __init__(self, threads: int = 2, max_threads: int = 4, events: Events | None = None) -> None:
        self.orders: list[Callable[[], object]] = []
        self.flushed = 0
        self.crew = Crew(
            threads=threads,
            max_threads=max_threads,
            queue=self.orders,
            serve=self.serve,
            flush=self.flush,
            events=events,
        )

    def flush(self) -> None:
        self.flushed += 1

    def order(self, body: Callable[[], object]) -> None:
        self.orders.append(body)
        if not self.crew.stirred:
            self.crew.stir()

    def serve(self, me: Worker) -> None:
        self.crew.stirred = False
        while True:
            try:
                body = self.orders.pop(0)
            except IndexError:
                if self.crew.park(me):
                    continue
                return
            if self.orders and not self.crew.stirred:
                self.crew.stir()
            body()
            self.crew.last_end = time.monotonic()
            if me in self.crew.lost and not self.crew.regain(me):
                return

    def busy(self) -> set[Worker | None]:
        return set()


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What hung bodies hang on; opened when the test is over."""
    gate = threading.Event()
    yield gate
    gate.set()


def wait_until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.001)


def test_no_thread_before_the_first_order() -> None:
    kitchen = Kitchen()
    assert kitchen.crew.working == 0


def test_every_order_is_served_though_stirs_are_saved() -> None:
    kitchen, served = Kitchen(threads=3), list[int]()
    for number in range(2000):
        kitchen.order(lambda number=number: served.append(number))  # type: ignore[misc]
    wait_until(lambda: len(served) == 2000)
    assert kitchen.crew.working <= 3
    kitchen.crew.close(PATIENCE, kitchen.busy)


def test_the_worker_parked_last_is_woken_first(gate: threading.Event) -> None:
    kitchen, names = Kitchen(threads=2), list[str]()
    for _ in range(2):
        kitchen.order(gate.wait)
    wait_until(lambda: kitchen.crew.working == 2 and not kitchen.orders)
    gate.set()
    wait_until(lambda: len(kitchen.crew.idle) == 2)
    last = kitchen.crew.idle[-1].thread.name
    kitchen.order(lambda: names.append(threading.current_thread().name))
    wait_until(lambda: names)
    assert names == [last]
    kitchen.crew.close(PATIENCE, kitchen.busy)


def test_a_stuck_crew_grows_by_half_up_to_its_cap(gate: threading.Event) -> None:
    events, told = Events(), list[Event]()
    events.subscribe(told.append)
    kitchen = Kitchen(threads=2, max_threads=4, events=events)
    for _ in range(6):
        kitchen.order(gate.wait)
    wait_until(lambda: len(kitchen.orders) == 2)
    time.sleep(0.03)
    assert kitchen.crew.working == 4
    assert [(event.kind, event.data["threads"]) for event in told] == [("lane.grew", 3), ("lane.grew", 4)]
    gate.set()
    wait_until(lambda: not kitchen.orders)
    kitchen.crew.close(PATIENCE, kitchen.busy)


def test_a_worker_that_has_to_wait_for_the_interpreter_is_no_reason_to_grow() -> None:
    kitchen = Kitchen()
    kitchen.orders.append(print)
    kitchen.crew.stirred = True
    kitchen.crew.last_end = time.monotonic() - 0.05
    assert kitchen.crew.look(0.0) > 0
    assert kitchen.crew.working == 0
    kitchen.crew.last_end = time.monotonic() - 60  # it never came: it isn't counted on any more
    kitchen.orders[:] = [lambda: None]
    assert kitchen.crew.look(0.0) > 0
    wait_until(lambda: not kitchen.orders)
    kitchen.crew.close(PATIENCE, kitchen.busy)


def test_a_look_brings_results_home_and_ends_when_nothing_waits() -> None:
    kitchen = Kitchen()
    assert kitchen.crew.look(0.0) == 0.0
    assert kitchen.flushed == 1


def test_a_lost_worker_is_replaced_and_goes_home_when_it_is_one_too_many(gate: threading.Event) -> None:
    kitchen, served = Kitchen(threads=1, max_threads=1), list[int]()
    kitchen.order(gate.wait)
    wait_until(lambda: not kitchen.orders)
    (worker,) = kitchen.crew.workers
    kitchen.crew.lose(worker)
    assert kitchen.crew.working == 0
    kitchen.order(lambda: served.append(1))
    wait_until(lambda: served)
    gate.set()
    wait_until(lambda: not kitchen.crew.lost)
    wait_until(lambda: not worker.thread.is_alive())
    assert kitchen.crew.working == 1
    kitchen.crew.close(PATIENCE, kitchen.busy)


def test_idle_workers_go_home_but_for_a_reserve(monkeypatch: pytest.MonkeyPatch, gate: threading.Event) -> None:
    monkeypatch.setattr(crew_module, "IDLE", 0.02)
    monkeypatch.setattr(crew_module, "RESERVE", 1)
    kitchen = Kitchen(threads=3)
    for _ in range(3):
        kitchen.order(gate.wait)
    wait_until(lambda: kitchen.crew.working == 3 and not kitchen.orders)
    gate.set()
    wait_until(lambda: kitchen.crew.working == 1)
    served: list[int] = []
    kitchen.order(lambda: served.append(1))
    wait_until(lambda: served)
    kitchen.crew.close(PATIENCE, kitchen.busy)


def test_where_a_worker_is_names_the_users_line_not_the_librarys(gate: threading.Event) -> None:
    def stew() -> None:
        gate.wait(PATIENCE)

    kitchen = Kitchen()
    kitchen.order(stew)
    wait_until(lambda: kitchen.crew.workers and not kitchen.orders)
    (worker,) = kitchen.crew.workers
    wait_until(lambda: "stew" in worker.line)
    assert worker.line.startswith(f"{__file__}:")
    gate.set()
    kitchen.crew.close(PATIENCE, kitchen.busy)
    assert worker.line == "unknown"


def test_closing_waits_for_what_threads_close_and_never_longer_than_told(gate: threading.Event) -> None:
    kitchen, closed = Kitchen(threads=2), list[str]()

    def slowly() -> None:
        time.sleep(0.02)
        closed.append(threading.current_thread().name)

    kitchen.order(lambda: at_thread_end(slowly))
    wait_until(lambda: len(kitchen.crew.idle) == 1)
    kitchen.crew.close(PATIENCE, kitchen.busy)
    assert len(closed) == 1
    assert kitchen.crew.working == 0

    stuck = Kitchen(threads=1)
    stuck.order(lambda: at_thread_end(gate.wait))
    wait_until(lambda: len(stuck.crew.idle) == 1)
    before = time.monotonic()
    stuck.crew.close(0.02, stuck.busy)
    assert time.monotonic() - before < PATIENCE / 2


def test_closing_waits_for_a_thread_that_is_on_the_list_and_has_not_started_yet() -> None:
    kitchen = Kitchen(threads=1)
    coming = Worker("coming", lambda me: kitchen.crew.workers.discard(me))
    kitchen.crew.workers.add(coming)
    closing = threading.Thread(target=kitchen.crew.close, args=(PATIENCE, kitchen.busy))
    closing.start()
    time.sleep(0.01)
    assert closing.is_alive()
    coming.thread.start()
    closing.join(PATIENCE)
    assert not closing.is_alive()


def test_the_monitor_goes_home_with_its_crew(gate: threading.Event) -> None:
    kitchen = Kitchen(threads=1, max_threads=1)
    kitchen.crew.watch()
    monitor = kitchen.crew._monitor
    assert monitor is not None
    kitchen.crew.close(0.0, kitchen.busy)
    monitor.join(PATIENCE)
    assert not monitor.is_alive()


def test_a_dropped_crew_keeps_no_monitor_alive() -> None:
    kitchens = [Kitchen()]
    kitchens[0].crew.watch()
    monitor, seen = kitchens[0].crew._monitor, weakref.ref(kitchens[0].crew)
    assert monitor is not None
    kitchens.clear()
    wait_until(lambda: gc.collect() >= 0 and seen() is None)
    monitor.join(PATIENCE)
    assert not monitor.is_alive()


def test_at_thread_end_outside_a_lane_is_refused() -> None:
    with pytest.raises(UsageError, match="no thread of a thread lane"):
        at_thread_end(print)
