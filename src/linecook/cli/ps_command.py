"""``linecook ps``: the calls under way in another process, or the processes that can be looked into."""

from __future__ import annotations

import argparse
import contextlib
import time
from typing import TYPE_CHECKING

from .doing import columns, counted, cut, doing, duration, head, sign
from .exits import ALL_OK
from .remote import answered, print_json, reach, told

if TYPE_CHECKING:
    from linecook.observe import LiveCalls


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
    if options.json:
        return print_json(calls)
    for line in head(calls, remote.program):
        print(cut(line, columns()))
    _print_calls(calls)
    return ALL_OK


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
