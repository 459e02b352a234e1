"""What is said of a stream whose deadline has passed: for how long nothing came, and where its time went."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from .._core.errors import TimedOutError
from ..lanes.base import Job

if TYPE_CHECKING:
    from .pump import Pump


def late_stream(pump: Pump, which: str, seconds: float, since: float) -> TimedOutError:
    """Return the error for the stream of *pump*, whose option *which*, of *seconds*, has counted from *since*."""
    frame = pump.frame
    queued, ran = _times_so_far(pump)
    is_idle = which == "idle_timeout"
    what = "made no piece" if is_idle else "did not end"
    silence = f", none for {pump.loop.time() - since:.3g} s" if is_idle else ""
    return TimedOutError(
        f"{frame!r} {what} within {which}={seconds:g} s; {pump.made} piece{'' if pump.made == 1 else 's'} "
        f"before{silence}; in all {queued:.3g} s queued + {ran:.3g} s running",
        call=frame, work="stopped" if frame.attempts else "not started", after=seconds,
        whose=f"{which} of {frame.name}", queued=queued, running=ran, attempt=frame.attempts,
    )  # fmt: skip


def _times_so_far(pump: Pump) -> tuple[float, float]:
    """Return the seconds since the stream began in which it waited, for whatever, and in which its body ran.

    The frame is told of a wait when it is over; here the one under way counts too.
    """
    now = pump.loop.time()
    ran = now - pump.body_began - pump.waited_for_lane if pump.frame.attempts else 0.0
    if pump.pulling is not None:
        ran -= waited(pump.pulling)
    ran = max(0.0, ran)
    return max(0.0, now - pump.began - ran), ran


def waited(job: Job) -> float:
    """Return the seconds that *job* has waited, or waits, for its lane."""
    return (job.started_at or time.monotonic()) - job.queued_at if job.queued_at else 0.0
