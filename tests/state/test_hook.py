"""A search looks on: told before every access, and of every lost update in place of the log."""

import asyncio
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from linecook import Shared, SharedMap, run, tool, transaction
from linecook.errors import NotPortable
from linecook.state import hook
from tests.state import copied


class Looker:
    def __init__(self) -> None:
        self.told: list[tuple[str, Any, str]] = []
        self.losses: list[Any] = []

    def accessing(self, cell: Any, key: Any, kind: str, frame: FrameType) -> None:
        assert frame.f_code.co_filename == __file__
        self.told.append((type(cell).__name__, key, kind))

    def lost(self, loss: Any) -> None:
        self.losses.append(loss)


async def test_every_access_is_told_before_it_takes_place() -> None:
    cell, notes, looker = Shared(0), SharedMap({"a": 1}), Looker()
    end = hook.observe(looker)
    try:
        cell.value += 1
        cell.update(lambda n: n + 1)
        cell.set(cell.peek())
        cell.compare_and_set(cell.seen(), 5)
        async with cell.edit() as draft:
            draft.value = 1
        ones = looker.told[:]
        looker.told.clear()
        notes["a"] += 1
        notes.update("a", lambda n: n + 1)
        del notes["a"]
        len(notes)
        transaction(lambda: setattr(cell, "value", 5))
    finally:
        end()
    read, write = ("Shared", None, "read"), ("Shared", None, "write")
    assert ones == [read, write, read, write, read, write, read, write, read, write]
    a_read, a_write = ("SharedMap", "a", "read"), ("SharedMap", "a", "write")
    assert looker.told == [a_read, a_write, a_read, a_write, a_write, ("SharedMap", None, "read"), write, write]
    assert hook.observer is None


async def test_a_lost_update_is_told_in_place_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    cell, looker = Shared(0), Looker()

    async def lose() -> None:
        seen = cell.value
        await asyncio.sleep(0)
        cell.value = seen + 1

    end = hook.observe(looker)
    try:
        await asyncio.gather(*(lose() for _ in range(4)))
    finally:
        end()
    assert (len(looker.losses), caplog.records) == (3, [])


def test_a_switch_at_an_access_comes_between_read_and_write() -> None:
    """What a search does with threads: lets another go on wherever it is told of an access."""
    cell, turns = Shared(0), list[str]()

    class Switcher(Looker):
        def accessing(self, cell: Any, key: Any, kind: str, frame: FrameType) -> None:
            if threading.current_thread().name == "first":
                turns.append(kind)
                if kind == "write" and turns.count("write") == 1:
                    second = threading.Thread(target=lambda: cell.update(lambda n: n + 10))
                    second.start()
                    second.join()

    end = hook.observe(Switcher())
    try:
        first = threading.Thread(target=lambda: cell.update(lambda n: n + 1), name="first")
        first.start()
        first.join()
    finally:
        end()
    assert cell.value == 11
    assert turns == ["read", "write", "read", "write"]


def test_a_copy_in_a_worker_process_is_no_shared_value() -> None:
    async def main() -> None:
        assert await copied.filled_on_import() == 3
        for wrong in (copied.adds(2), copied.reads()):
            with pytest.raises(NotPortable, match=r"Shared 'total' lives in the process that called.*return what"):
                await wrong
        with pytest.raises(NotPortable, match="Shared 'open'"):
            await copied.closes()
        assert await copied.has_its_own() == 5
        assert copied.total.value == 0

    run(main())


def test_a_function_of_the_main_program_that_uses_one_is_refused(tmp_path: Path, environment: dict[str, str]) -> None:
    import subprocess
    import sys

    program = tmp_path / "main.py"
    program.write_text(
        "from linecook import Shared, run, tool\nspent = Shared(0)\n"
        "@tool(lane='process')\ndef pay(n: int) -> int:\n    return spent.update(lambda total: total + n)\n"
        "async def main():\n    print(await pay(1))\n"
        "if __name__ == '__main__':\n    run(main())\n"
    )
    ran = subprocess.run(
        [sys.executable, str(program)], env=environment, capture_output=True, text=True, timeout=50, check=False
    )
    assert ran.returncode != 0
    assert "NotPortable" in ran.stderr
    assert "Shared 'spent' can't be copied, pickled or sent to a process" in ran.stderr


async def test_as_an_argument_it_is_refused_by_name() -> None:
    spent = Shared(0)

    @tool(lane="process")
    def pay(total: Any) -> None: ...

    with pytest.raises(NotPortable, match=r"Shared 'spent' can't be copied, pickled or sent to a process"):
        await tool(lane="process")(copied.takes)(spent)
