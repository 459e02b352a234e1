"""Why the thread lane takes no job: each refusal with who holds the threads, and what to do about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable

from .._core.errors import Refused
from .base import Job


def check_bounds(threads: int, max_threads: int, max_queued: int, max_abandoned: int) -> None:
    """Refuse a bound that is no whole number of 1 or more, and a lane that may have fewer threads than it begins with.

    Raises:
      ValueError: naming the bound and its value.
    """
    bounds = {"threads": threads, "max_threads": max_threads, "max_queued": max_queued, "max_abandoned": max_abandoned}
    for name, value in bounds.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ValueError(f"{name}={value!r} must be a whole number, at least 1")
    if max_threads < threads:
        raise ValueError(f"max_threads={max_threads} is below threads={threads}; raise it, or lower threads")


def closed(job: Job) -> Refused:
    """Return the error of a closed lane."""
    return Refused(f"{job.label} can't run: the thread lane is closed.", call=job.frame)


def no_thread(job: Job) -> Refused:
    """Return the error for a system that is out of threads."""
    return Refused(f"{job.label} can't run: the system gives this process no thread.", call=job.frame)


def threads_lost(job: Job, max_abandoned: int, abandoned: Collection[Job]) -> Refused:
    """Return the error for as many threads lost as may be."""
    return Refused(
        f"{job.label} can't run: {len(abandoned)} threads are lost to bodies that were given up and run "
        f"on (max_abandoned={max_abandoned}), held by {_names(abandoned)}. Give "
        "those tools a time-out of their own inside (of the socket, of the driver), or lane='process', where "
        "they can be killed.",
        call=job.frame,
    )


def queue_full(job: Job, waiting: int, max_queued: int, working: int, at_work: Iterable[Job]) -> Refused:
    """Return the error for as many jobs waiting as may."""
    return Refused(
        f"{job.label} can't run: {waiting} jobs wait for a thread (max_queued="
        f"{max_queued}), and {working} threads are at work on "
        f"{_names(at_work)}. Start fewer at once (limit= of the fan-out), or raise "
        "max_threads or max_queued.",
        call=job.frame,
    )


def _names(jobs: Iterable[Job]) -> str:
    held = Counter(job.label for job in jobs).most_common(3)
    return ", ".join(f"{label} ({count})" for label, count in held) or "nothing"
