"""What is replaced while threads are under control, and how it is put back.

The standard library's own Python code does the rest: conditions, events, semaphores, barriers, queues, futures and
``ThreadPoolExecutor`` are built from locks and threads, which they look up when they need one.
"""

from __future__ import annotations

import concurrent.futures as futures
import concurrent.futures.thread as pools
import functools
import itertools
import queue
import sys
import threading
import time
from typing import Any

from .found_locks import FoundLocks
from .synchronisers import name_switch_points
from .users_code import UsersCode

_threading: Any = threading
_queue: Any = queue


class StandIns:
    """Puts the stand-ins in place, and back what was there."""

    def __init__(self, code: UsersCode) -> None:
        self._code = code
        self._replaced: list[tuple[Any, str, Any]] = []
        self._locks = FoundLocks(code)

    def put_in_place(self) -> None:
        """Replace locks, threads, queues, sleep and clocks: in their modules, and under their names in the user's."""
        from . import controlled_locks, controlled_time
        from .starting import excepthook, started_names

        name_switch_points()
        names: dict[Any, dict[str, Any]] = {
            threading: {
                "Lock": controlled_locks.ControlledLock,
                "RLock": controlled_locks.ControlledRLock,
                "_allocate_lock": controlled_locks.ControlledLock,
                "_time": controlled_time.monotonic,
                "excepthook": excepthook,
                "_trace_hook": None,  # on 3.11 its tracer would take the place of ours
                **started_names(),
            },
            functools: {"RLock": controlled_locks.ControlledRLock},
            time: controlled_time.NAMES,
            queue: {"SimpleQueue": _queue._PySimpleQueue, "time": controlled_time.monotonic},
            pools: {"_global_shutdown_lock": controlled_locks.ControlledLock(pools._global_shutdown_lock)},
        }
        stand_ins: dict[int, Any] = {}
        for module, replacements in names.items():
            for name, stand_in in replacements.items():
                stand_ins[id(getattr(module, name))] = stand_in
                self._replace(module, name, stand_in)
        stand_ins.pop(id(None), None)
        self._replace_users_names(stand_ins)
        self._locks.wrap()

    def thread_locals(self) -> list[Any]:
        """Return each ``threading.local`` that can be reached from the user's modules."""
        return self._locks.thread_locals

    def put_back(self) -> None:
        """Put everything back, in reverse order."""
        self._locks.unwrap()
        while self._replaced:
            module, name, original = self._replaced.pop()
            setattr(module, name, original)

    def original(self, module: Any, name: str) -> Any:
        """Return what a stand-in has replaced."""
        return next(before for owner, key, before in self._replaced if owner is module and key == name)

    def restart_counting(self) -> None:
        """Let names of threads count from one again, so that they are the same in every schedule."""
        _threading._counter = itertools.count(1).__next__
        futures.ThreadPoolExecutor._counter = itertools.count().__next__  # type: ignore[attr-defined]

    def _replace(self, module: Any, name: str, stand_in: Any) -> None:
        self._replaced.append((module, name, getattr(module, name)))
        setattr(module, name, stand_in)

    def _replace_users_names(self, stand_ins: dict[int, Any]) -> None:
        """Replace what ``from threading import Lock`` has bound."""
        for module in list(sys.modules.values()):
            file = getattr(module, "__file__", None)
            if not isinstance(file, str) or not self._code.has_file(file):
                continue
            for name, value in list(vars(module).items()):
                if id(value) in stand_ins:
                    self._replace(module, name, stand_ins[id(value)])
