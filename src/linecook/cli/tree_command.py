"""``linecook tree``: the calls under way in another process, as a tree of who runs under whom."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING

from .doing import columns, counted, cut, doing, duration, head, sign
from .exits import ALL_OK
from .remote import answered, print_json, reach, told

if TYPE_CHECKING:
    from linecook.observe import LiveCall, LiveCalls


def tree_command(options: argparse.Namespace) -> int:
    """Do what ``linecook tree`` was asked for and return the exit code.

    Raises:
      BadUsage: the process can't be looked into.
    """
    return told(lambda: _tree(options))


def _tree(options: argparse.Namespace) -> int:
    with reach(options.pid) as remote:
        calls = answered(lambda: remote.calls(None if options.all else options.most))
    if options.json:
        return print_json(calls)
    width = columns()
    for line in (*head(calls, remote.program), *calls.pipelines, *_drawn(calls)):
        print(cut(line, width))
    shown = sum(call.kind == "call" for call in calls.calls)
    if shown < calls.total:
        print(f"{calls.total - shown:,} calls aren't shown (--all shows them). All {calls.total:,}:")
        for line in counted(calls.counts):
            print(cut(f"  {line}", width))
    return ALL_OK


def _drawn(calls: LiveCalls) -> Iterator[str]:
    below: dict[int | None, list[LiveCall]] = {}
    known = {call.id for call in calls.calls}
    for call in calls.calls:
        below.setdefault(call.parent if call.parent in known else None, []).append(call)
    for siblings in below.values():
        siblings.sort(key=_order)
    # A stack and no recursion: agents may call agents to any depth.
    stack: list[tuple[LiveCall | int, str, str]] = [(call, "", "") for call in reversed(below.get(None, []))]
    while stack:
        node, before, indent = stack.pop()
        if isinstance(node, int):
            yield f"{before}{sign('…')} {node:,} more"
            continue
        yield f"{before}{_label(node)}"
        children: list[LiveCall | int] = [*below.get(node.id, [])]
        hidden = node.children - len(children)
        if hidden > 0:
            children.append(hidden)
        last = len(children) - 1
        for place in range(last, -1, -1):
            branch, deeper = ("└─ ", "   ") if place == last else ("├─ ", "│  ")
            stack.append((children[place], indent + sign(branch), indent + sign(deeper)))


def _order(call: LiveCall) -> tuple[float, int]:
    return -call.seconds, call.id


def _label(call: LiveCall) -> str:
    step = call.path.rpartition("/")[2]
    if call.kind == "block":
        return f"{step}  {'1 call' if call.children == 1 else f'{call.children:,} calls'}"
    left = "" if call.deadline_left is None else f", {duration(call.deadline_left)} left"
    return f"{step}  [{call.id}]  {duration(call.seconds, exact=call.exact)}{left}  {doing(call)}"
