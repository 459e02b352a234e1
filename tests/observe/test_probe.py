import hashlib
import threading
import time
import zlib
from collections.abc import Callable

import pytest

from linecook._core.meter import Meter
from linecook.observe import HoldProbe
from linecook.observe.pulse import Pulse


class Job:
    def __init__(self, meter: Meter) -> None:
        self.meter = meter


def pure_python(until: float) -> None:
    count = 0
    while time.monotonic() < until:
        count += 1


def hashing(until: float) -> None:
    block = b"x" * 4_000_000
    while time.monotonic() < until:
        hashlib.sha256(block).digest()


def compressing(until: float) -> None:
    block = bytes(range(256)) * 16_000
    while time.monotonic() < until:
        zlib.compress(block)


def sleeping(until: float) -> None:
    while time.monotonic() < until:
        time.sleep(0.02)


def sampled(*bodies: Callable[[float], None], seconds: float = 0.8) -> tuple[HoldProbe, list[Meter]]:
    """Run each body on a real thread under a probe of its own; return what was measured."""
    probe, running = HoldProbe(pulse=Pulse()), dict[int, Job]()
    meters = [Meter(body.__name__, "thread") for body in bodies]

    def run(body: Callable[[float], None], job: Job) -> None:
        running[threading.get_ident()] = job
        body(time.monotonic() + seconds)
        del running[threading.get_ident()]

    threads = [
        threading.Thread(target=run, args=(body, Job(meter))) for body, meter in zip(bodies, meters, strict=True)
    ]
    unwatch = probe.watch(lambda: [(job, ident) for ident, job in running.copy().items()], threading.get_ident())
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    unwatch()
    return probe, meters


def share(meter: Meter) -> float:
    assert meter.seen >= 10
    return meter.held / meter.seen


@pytest.mark.slow  # samples come every 10 ms
def test_pure_python_work_holds_the_interpreter():
    probe, [meter] = sampled(pure_python)
    assert share(meter) > 0.6
    assert probe.waits / probe.looks > 0.6


@pytest.mark.slow  # samples come every 10 ms
@pytest.mark.parametrize("body", [hashing, compressing, sleeping])
def test_what_lets_go_of_the_interpreter_does_not_hold_it(body):
    _, [meter] = sampled(body)
    assert share(meter) < 0.3


@pytest.mark.slow  # samples come every 10 ms
def test_who_holds_the_interpreter_is_told_from_who_only_uses_the_cpu_or_sleeps():
    _, [busy, other, asleep] = sampled(pure_python, hashing, sleeping, seconds=1.2)
    assert share(busy) > share(other) + 0.1
    assert share(asleep) < 0.25


@pytest.mark.slow  # samples come every 10 ms
def test_bodies_that_fight_for_the_interpreter_divide_the_blame():
    probe, meters = sampled(*[pure_python] * 4, seconds=1.2)
    assert 0.5 * probe.waits < sum(meter.held for meter in meters) <= probe.waits + 1e-6
    assert all(meter.held <= meter.seen for meter in meters)


def test_while_no_body_runs_nothing_is_counted():
    probe = HoldProbe(pulse=Pulse())
    unwatch = probe.watch(list)
    time.sleep(0.12)
    unwatch()
    unwatch()
    assert probe.looks == 0


def test_a_snapshot_that_fails_is_skipped():
    probe, asked = HoldProbe(pulse=Pulse()), list[bool]()

    def running() -> list[tuple[Job, int]]:
        asked.append(True)
        raise RuntimeError("dictionary changed size during iteration")

    unwatch = probe.watch(running)
    deadline = time.monotonic() + 5
    while len(asked) < 2 and time.monotonic() < deadline:
        time.sleep(0.005)
    unwatch()
    assert len(asked) >= 2


def test_a_thread_that_has_ended_is_not_counted():
    ended = 12345  # no thread of ours goes by it; the ident of one that really ended may be given to another
    probe, job = HoldProbe(pulse=Pulse()), Job(Meter("gone", "thread"))
    unwatch = probe.watch(lambda: [(job, ended)])
    deadline = time.monotonic() + 5
    while probe.looks < 3 and time.monotonic() < deadline:
        time.sleep(0.005)
    unwatch()
    assert probe.looks >= 3
    assert job.meter.seen == 0
