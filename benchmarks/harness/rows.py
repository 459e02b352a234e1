"""Finds the rows: every module of benchmarks/rows with a ``row`` in it."""

from __future__ import annotations

import importlib
from pathlib import Path

from benchmarks.harness.row import Row

ORDER = (
    "hung_tools",
    "hung_processes",
    "thread_noop",
    "thread_sleep_1ms",
    "thread_latency",
    "interactive_under_load",
    "cpu_1ms",
    "process_noop",
    "process_1mb",
    "fanout_100k",
    "call_overhead",
    "ask_reply",
    "streamed_reply",
    "topic",
    "idle_agents",
    "restart",
    "http_agents",
    "sse_users",
    "limit_uncontended",
    "limit_adaptive",
    "limit_adaptive_real",
    "limit_tokens",
    "limit_fair",
    "limit_refused",
    "shared_tracked",
    "pipeline_lanes",
    "pipeline_threads",
    "pipeline_stages",
    "pipeline_million",
    "pipeline_auto",
    "import_time",
    "run_lines",
    "run_pipeline_lines",
    "run_resume",
    "board",
    "detectors",
    "watch_http",
    "watch_spawn",
    "explore_suite",
    "explore_speed",
)


def names() -> list[str]:
    """Return the names of all rows, in the order of the table; one that has no place there yet comes last."""
    found = {path.stem for path in (Path(__file__).parent.parent / "rows").glob("[a-z]*.py")}
    return [name for name in ORDER if name in found] + sorted(found.difference(ORDER))


def load(name: str) -> Row:
    """Import a row.

    Raises:
      ValueError: there is no such row; the message lists those there are.
    """
    if name not in names():
        raise ValueError(f"no row {name!r}; there are: {', '.join(names())}")
    row: Row = importlib.import_module(f"benchmarks.rows.{name}").row
    return row
