"""Calls in processes, some of which spin for ever: are they killed, when, and how soon is the crew whole again?"""

from __future__ import annotations

import asyncio
import multiprocessing
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

from benchmarks.harness.deaths import Start, Watcher, read, started
from benchmarks.harness.meter import Meter, warm_up
from benchmarks.harness.row import Row, Target

WORKERS = 2
LATE = None
STEPS = 400_000  # some 10 ms, so that calls are still waiting whenever a worker dies
TOGETHER = 0.03  # seconds: deaths closer than this count as at once
Answers = list[int | None]

row = Row(
    title="200 process calls, 10 spin for ever, attempt_timeout 1 s",
    base="process_pool_wait_for",
    full={"calls": 200, "attempt_timeout": 1.0},
    quick={"calls": 60, "attempt_timeout": 0.4},
    targets=(
        Target("right_share", 1.0, 1.0, says="share of the healthy calls that is right"),
        Target("dead_after_ms", 10, 5, at_most=True, says="a hung worker is dead, ms after its deadline (worst)"),
        Target(
            "replaced_ms", 20, 10, at_most=True, says="replaced while the spare is warm, ms after the death (worst)"
        ),
        Target("replaced_all_ms", 150, 100, at_most=True, says="all replaced when all die at once, ms (worst)"),
    ),
    columns=("right", "timed_out", "wall_s", "deaths", "dead_after_ms", "replaced_ms", "replaced_all_ms", "exit_s"),
    time_limit=60.0,
)


def hangs(number: int) -> bool:
    """Say whether this call spins: the first two, which take both workers, then one in twenty, ten of 200 in all."""
    return number < WORKERS or (number % 20 == 0 and number <= 160)


def weigh(number: int, log: str) -> int:
    """Compute for some 10 ms, or for ever; the log says where and when it began."""
    started(log, number, hangs=hangs(number))
    while hangs(number):
        pass
    for step in range(STEPS):
        number ^= step
    return number


def warm(number: int) -> int:
    """Take a worker for a moment, so that every one of them is up before the clock starts."""
    for step in range(STEPS):
        number ^= step
    return number


@row.verify
def check(answers: Answers, calls: int, attempt_timeout: float) -> str | None:
    """Every call is accounted for, and who answered answered right."""
    if len(answers) != calls:
        return f"{len(answers)} answers for {calls} calls"
    wrong = [n for n, answer in enumerate(answers) if answer is not LATE and (hangs(n) or answer != warm(n))]
    return f"call {wrong[0]} answered {answers[wrong[0]]}" if wrong else None


def replacements(starts: Sequence[Start], deaths: Mapping[int, float]) -> list[tuple[float, float]]:
    """Return (death, seconds until a new worker had begun its first call) for each death that calls waited for.

    The k-th death is matched with the k-th worker that came after the first crew; one that came before the death
    counts 0. Where no call was left to show the new worker, there is no figure.
    """
    times = sorted(deaths.values())
    first_seen: dict[int, float] = {}
    for start in starts:
        first_seen.setdefault(start.pid, start.at)
    crew = sum(at < times[0] for at in first_seen.values()) if times else 0
    newcomers = sorted(first_seen.values())[min(crew, WORKERS) :]
    return [(death, max(0.0, came - death)) for death, came in zip(times, newcomers, strict=False)]


def at_once(deaths: Sequence[float]) -> set[float]:
    """Return the times of those deaths that had another one close by."""
    return {at for pair in pairwise(sorted(deaths)) if pair[1] - pair[0] < TOGETHER for at in pair}


def lateness(starts: Sequence[Start], deaths: Mapping[int, float], attempt_timeout: float) -> list[float]:
    """Return how long after its deadline each hung worker was dead, seconds."""
    return [deaths[one.pid] - one.at - attempt_timeout for one in starts if one.hangs and one.pid in deaths]


@contextmanager
def log_of_starts() -> Iterator[Path]:
    """Give a file for the bodies to write to, on disk no longer than the run."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "starts"


def tell(meter: Meter, answers: Answers, log: Path, watcher: Watcher, attempt_timeout: float) -> None:
    """Count the answers, and report the deaths."""
    starts, deaths = read(log), watcher.stop()
    healthy = sum(not hangs(n) for n in range(len(answers)))
    right = sum(answer is not LATE for answer in answers)
    meter.note(right=right, right_share=right / healthy, timed_out=len(answers) - right, deaths=len(deaths))
    if deaths:
        meter.note(dead_after_ms=max(lateness(starts, deaths, attempt_timeout)) * 1000)
    replaced, together = replacements(starts, deaths), at_once(list(deaths.values()))
    for metric, chosen in (("replaced_ms", False), ("replaced_all_ms", True)):
        took = [seconds for death, seconds in replaced if (death in together) is chosen]
        if took:
            meter.note(**{metric: max(took) * 1000})
    meter.answer(answers)


@row.linecook
def linecook(meter: Meter, calls: int, attempt_timeout: float) -> None:
    from linecook import Ok, run, settle, tool

    weighed = tool(lane="process", attempt_timeout=attempt_timeout)(weigh)
    warmed = tool(lane="process")(warm)

    async def main(log: Path) -> None:
        watcher = Watcher(log)
        await warm_up(lambda: settle(warmed(n) for n in range(20)))
        async with meter.watching():
            outcomes = await settle((weighed(n, str(log)) for n in range(calls)), limit=None)
        answers = [outcome.value if isinstance(outcome, Ok) else LATE for outcome in outcomes]
        tell(meter, answers, log, watcher, attempt_timeout)

    with log_of_starts() as log:
        run(main(log))


@row.stdlib
def process_pool_wait_for(meter: Meter, calls: int, attempt_timeout: float) -> None:
    async def main(log: Path) -> None:
        loop, context = asyncio.get_running_loop(), multiprocessing.get_context("forkserver")
        pool = ProcessPoolExecutor(WORKERS, mp_context=context)

        async def call(number: int) -> int | None:
            try:
                return await asyncio.wait_for(loop.run_in_executor(pool, weigh, number, str(log)), attempt_timeout)
            except TimeoutError:
                return LATE

        watcher = Watcher(log)
        await warm_up(lambda: asyncio.gather(*(loop.run_in_executor(pool, warm, n) for n in range(20))))
        async with meter.watching():
            answers = await asyncio.gather(*(call(n) for n in range(calls)))
        tell(meter, answers, log, watcher, attempt_timeout)

    with log_of_starts() as log:
        asyncio.run(main(log))


@row.peer("pebble")
def pebble_timeout(meter: Meter, calls: int, attempt_timeout: float) -> None:
    from pebble import ProcessPool

    async def main(log: Path) -> None:
        pool = ProcessPool(WORKERS, context=multiprocessing.get_context("forkserver"))

        async def call(number: int) -> int | None:
            try:
                return await asyncio.wrap_future(pool.schedule(weigh, args=[number, str(log)], timeout=attempt_timeout))
            except TimeoutError:
                return LATE

        watcher = Watcher(log)
        await warm_up(lambda: asyncio.gather(*(asyncio.wrap_future(pool.schedule(warm, args=[n])) for n in range(20))))
        async with meter.watching():
            answers = await asyncio.gather(*(call(n) for n in range(calls)))
        tell(meter, answers, log, watcher, attempt_timeout)
        pool.close()
        pool.join()

    with log_of_starts() as log:
        asyncio.run(main(log))
