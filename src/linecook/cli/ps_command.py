"""``linecook ps``: the calls under way in another process, or the processes that can be looked into."""

from __future__ import annotations

import argparse
import contextlib
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from .doing import columns, counted, cut, doing, duration, head, sign
from .exits import ALL_OK
from .remote import answered, print_json, reach, told

if TYPE_CHECKING:
    from linecook.observe import Diagnosis, LiveCalls, Remote

_MOST_STUCK = 10  # of each kind


def ps_command(options: argparse.Namespace) -> int:
    """Do what ``linecook ps`` was asked for and return the exit code.

    Raises:
      BadUsage: the process can't be looked into.
    """
    return told(lambda: _processes(options.json) if options.pid is None else _calls(options))


def _processes(as_json: bool) -> int:
    from linecook.observe import processes

    with contextlib.ExitStack() as stack:
        found = [stack.enter_context(each) for each in processes()]
    if as_json:
        return print_json(
            [{"pid": each.pid, "program": each.program, "python": each.python, "began": each.began} for each in found]
        )
    if not found:
        print(
            "No process of yours can be looked into just now (those that can: `linecook run`, Runtime(control=True))."
        )
        return ALL_OK
    print(f"{'PID':>8}  {'FOR':>9}  PROGRAM")
    for each in found:
        print(cut(f"{each.pid:>8}  {duration(time.time() - each.began):>9}  {each.program}", columns()))
    return ALL_OK


def _calls(options: argparse.Namespace) -> int:
    with reach(options.pid) as remote:
        calls = answered(lambda: remote.calls(None if options.all else options.most))
        diagnosis = _diagnosis_of(remote)
    if options.json:
        return print_json(_with_diagnosis(calls, diagnosis))
    for line in (*head(calls, remote.program), *calls.pipelines):
        print(cut(line, columns()))
    _print_calls(calls)
    if diagnosis is not None:
        for line in _stuck_lines(diagnosis):
            print(cut(line, columns()))
    return ALL_OK


def _diagnosis_of(remote: Remote) -> Diagnosis | None:
    """Return what is stuck there; None: its linecook is an older one, which can't tell."""
    try:
        return remote.diagnosis(_MOST_STUCK)
    except OSError:
        return None


def _with_diagnosis(calls: LiveCalls, diagnosis: Diagnosis | None) -> dict[str, object]:
    from msgspec import to_builtins

    return {**to_builtins(calls), "diagnosis": to_builtins(diagnosis)}


def _stuck_lines(diagnosis: Diagnosis) -> Iterator[str]:
    """Yield deadlocks, what nobody can wake, and whom somebody waits for because he holds something."""
    for deadlock in diagnosis.deadlocks:
        yield from ("", *str(deadlock).splitlines())
    held = [wait for wait in diagnosis.waits if wait.holders and wait.what.startswith(("an asyncio.", "the edit"))]
    for title, waits in (("NOTHING KNOWN CAN WAKE", diagnosis.unwakeable), ("HELD BY OTHERS", held)):
        if waits:
            yield from ("", title)
        for wait in waits:
            yield from (f"  {line}" for line in str(wait).splitlines())


def _print_calls(calls: LiveCalls) -> None:
    shown = sorted((call for call in calls.calls if call.kind == "call"), key=lambda call: -call.seconds)
    if not shown:
        return
    width = columns()
    room = max(len(call.path) for call in shown)
    if width is not None:  # of a path too long, its end is what tells
        room = min(room, max(20, width // 2 - 20))
    print(f"{'ID':>6}  {'TIME':>9}  {'LEFT':>9}  {'CALL':<{room}}  DOING")
    for call in shown:
        left = "" if call.deadline_left is None else duration(call.deadline_left)
        path = call.path if len(call.path) <= room else sign("…") + call.path[len(call.path) - room + 1 :]
        spent = duration(call.seconds, exact=call.exact)
        print(cut(f"{call.id:>6}  {spent:>9}  {left:>9}  {path:<{room}}  {doing(call)}", width))
    hidden = calls.total - len(shown)
    if hidden > 0:
        print(f"and {hidden:,} more (--all shows them). All {calls.total:,}:")
        for line in counted(calls.counts):
            print(cut(f"  {line}", width))
