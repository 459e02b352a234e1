"""Bodies for the tests of the process lane: in a module of their own, so that a worker imports this and not pytest."""

from __future__ import annotations

import ctypes
import os
import re
import signal
import subprocess
import sys
import threading
import time
from typing import Any


def same(value: Any = None) -> Any:
    return value


def add(left: int, right: int = 0) -> int:
    return left + right


def pid() -> int:
    return os.getpid()


def nap(seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()


def spin() -> None:
    while True:
        pass


def spin_in_c() -> None:
    re.match(r"(a+)+$", "a" * 64 + "b")  # holds the interpreter for years


def mark(path: str, seconds: float = 0.0) -> None:
    with open(path, "a") as file:
        file.write(f"{os.getpid()}\n")
    time.sleep(seconds)


def wait_for(path: str) -> int:
    while not os.path.exists(path):
        time.sleep(0.001)
    return os.getpid()


def segfault() -> None:
    ctypes.string_at(0)


def kill_myself(number: int = signal.SIGKILL) -> None:
    os.kill(os.getpid(), number)


def leave(code: int) -> None:
    os._exit(code)


def exit_politely(kind: str) -> None:
    import asyncio

    raise {
        "SystemExit": SystemExit(3),
        "KeyboardInterrupt": KeyboardInterrupt(),
        "StopIteration": StopIteration(4),
        "GeneratorExit": GeneratorExit(),
        "CancelledError": asyncio.CancelledError(),
    }[kind]


class TwoArguments(Exception):
    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code


class Unpicklable(Exception):
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.lock = threading.Lock()
        self.code = 7


class Hopeless(Exception):
    def __reduce__(self) -> Any:
        raise TypeError("never")


def raise_two() -> None:
    raise TwoArguments(404, "gone")


def raise_unpicklable() -> None:
    raise Unpicklable("with a lock")


def raise_local() -> None:
    class Local(Exception):
        def __init__(self, a: int, b: int) -> None:
            super().__init__(a, b, threading.Lock())

    raise Local(1, 2)


def raise_with_cause() -> None:
    try:
        int("x")
    except ValueError as error:
        problem = RuntimeError("outer")
        problem.add_note("a note of the body")
        raise problem from error


def give_lock() -> Any:
    return {"deep": [threading.Lock()]}


def fork_and_return() -> int:
    child = os.fork()
    if child:
        os.waitpid(child, 0)
    return os.getpid()


def fork_and_die() -> None:
    if os.fork() == 0:
        time.sleep(5)
        os._exit(0)
    os.kill(os.getpid(), signal.SIGKILL)


def start_sleeper(path: str) -> None:
    child = subprocess.Popen(["sleep", "30"])
    with open(path, "w") as file:
        file.write(str(child.pid))
    child.wait()


def close_everything() -> str:
    os.closerange(3, 200)
    return str([os.open(os.devnull, os.O_WRONLY) for _ in range(5)])


def say(text: str) -> None:
    print(text)
    print(text, file=sys.stderr)


def write_at_end(path: str) -> bool:
    from linecook.lanes import worker_hooks

    def first() -> None:
        with open(path, "a") as file:
            file.write("first ")

    def second() -> None:
        with open(path, "a") as file:
            file.write("second ")

    worker_hooks.at_worker_end(first)
    worker_hooks.at_worker_end(second)
    return worker_hooks.in_worker()


def time_left() -> float | None:
    import linecook._core.deadline as deadline

    return deadline.remaining()


def main_name() -> tuple[str, bool, list[str]]:
    main = sys.modules["__main__"]
    odd = [
        name
        for name in ("wire", "worker_main", "worker", "base", "linecook", "asyncio", "typing")
        if name in sys.modules
    ]
    return main.__name__, hasattr(main, "__file__"), odd


def flags() -> list[str]:
    return list(sys.path)


def numbers(count: int) -> Any:
    yield from range(count)


class Meal:
    def __init__(self, name: str) -> None:
        self.name = name

    def cook(self, degrees: int) -> str:
        return f"{self.name} at {degrees}"
