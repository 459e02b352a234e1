"""The report of a failure in plain lines."""

from __future__ import annotations

from collections.abc import Sequence

from .exploration import Failure, Step


def told(failure: Failure, schedules: int) -> str:
    """Return *failure* in words: what, the schedule, the label, the token."""
    overtakings = f"{failure.overtakings} overtaking{'s' * (failure.overtakings != 1)}"
    faults = f", {failure.faults} fault{'s' * (failure.faults != 1)}" if failure.faults else ""
    lines = [f"{failure.kind}: {failure.message}", f"schedule {schedules}, {overtakings}{faults}; {failure.label}", ""]
    lines += [*failure.waits, ""] if failure.waits else []
    lines += _schedule(failure.steps)
    lines += ["", f'run it again: explore(main, token="{failure.token}").check()']
    return "\n".join(lines)


def _schedule(steps: Sequence[Step]) -> list[str]:
    lines: list[str] = []
    width = max((len(step.party) for step in steps), default=0)
    for at, step in enumerate(steps, 1):
        mark = ">" if step.overtakes else "*" if step.deviates else " "
        where = f" at {step.place}: {step.awaits}" if step.place is not None else ""
        lines.append(f"{at:4} {mark} {step.party:{width}}  {step.what}{where}")
        lines += [f"{'':{width + 9}}{one.kind}s {one.what} = {one.value} at {one.place}" for one in step.accesses]
    if len(lines) > 120:
        lines = [*lines[:60], f"     … {len(lines) - 110} lines left out", *lines[-50:]]
    return lines
