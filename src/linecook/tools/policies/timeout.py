"""Where a tool's time-outs fire.

``timeout`` bounds the whole call as its caller sees it: the wait for a limit, for a lane, every attempt, the back-off.
``attempt_timeout`` bounds one attempt from the moment its body starts; for bodies in lanes see ``placement``, which
knows when that was. Both are deadlines in the caller's task; what they interrupt is linecook's own waiting, which
answers at once, whatever the body does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..._core.deadline import DeadlineScope
from ..._core.errors import TimedOutError, Work

if TYPE_CHECKING:
    from ..call import Call
    from ..placement import Runner


def timed(run: Runner, seconds: float, option: str, name: str) -> Runner:
    """Return *run*, bounded to *seconds*; *option* of the tool *name* is where the deadline comes from."""
    what = f"{option} of {name}"

    async def run_timed(call: Call[Any]) -> Any:
        with DeadlineScope(seconds, what, False):
            return await run(call)
        raise too_late(call, seconds, option)

    return run_timed


def too_late(call: Call[Any], seconds: float, option: str) -> TimedOutError:
    """Return the error for *call*, given up after *seconds*; it splits the time and says what became of the body."""
    work: Work = "abandoned" if call.left_behind else "stopped" if call.running else "not started"
    retry = call.tool.asked.retry
    attempts = f", attempt {call.attempts} of {retry.attempts}" if retry is not None else ""
    where = "thread" if call.lane == "thread" else "task"
    fate = {
        "abandoned": f" Its {where} runs on, abandoned; its result will be dropped.",
        "not started": " It never began.",
    }.get(work, "")
    running = call.seconds_running()
    return TimedOutError(
        f"{call!r} did not end within {option}={seconds:g} s: {call.queued:.3g} s queued for lane {call.lane} + "
        f"{running:.3g} s running{attempts}.{fate}",
        call=call,
        work=work,
        after=seconds,
        whose=f"{option} of {call.name}",
        queued=call.queued,
        running=running,
        attempt=call.attempts,
    )
