"""Tools for worker processes, in a module that those can import."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from linecook import Retry, call_key, remaining, resource, tool


@tool(lane="process")
def add(a: int, b: int) -> int:
    return a + b


@tool(lane="process", attempt_timeout=0.3)
def spin() -> None:
    while True:
        pass


@tool(lane="process")
def left() -> float | None:
    return remaining()


@tool(lane="process", effect="keyed", retry=Retry(on=OSError, wait=0.001))
def keyed(log: str) -> str:
    with Path(log).open("a") as lines:
        lines.write(call_key() + "\n")
    if len(Path(log).read_text().split()) < 3:
        raise OSError("once more")
    return call_key()


@tool(lane="process")
def asks_for_key() -> str:
    return call_key()


@tool(lane="process")
def left_after_import() -> float | None:
    """Import linecook only now, as in a worker whose tool module doesn't."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "linecook"]:
        del sys.modules[name]
    import linecook

    return linecook.remaining()


@tool(lane="process")
def calls_another() -> object:
    return add(1, 2)


@tool(lane="process")
def exits(kind: str) -> None:
    raise {"system": SystemExit(3), "keyboard": KeyboardInterrupt(), "stop": StopIteration(7)}[kind]


@resource(per="process")
def ledger() -> Iterator[list[int]]:
    opened = [os.getpid()]
    path = Path(os.environ.get("LINECOOK_TEST_LEDGER", os.devnull))
    with path.open("a") as lines:
        lines.write(f"opened {os.getpid()}\n")
    yield opened
    with path.open("a") as lines:
        lines.write(f"closed {os.getpid()}\n")


@tool(lane="process")
def use_ledger() -> tuple[int, int]:
    return ledger()[0], id(ledger())


@resource
def of_the_runtime() -> Iterator[int]:
    yield 1


@tool(lane="process")
def use_of_the_runtime() -> int:
    return of_the_runtime()
