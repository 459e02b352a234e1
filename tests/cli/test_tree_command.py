"""``linecook tree``: who runs under whom."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from linecook.cli.main import main
from linecook.cli.tree_command import _drawn
from linecook.observe import LiveCalls, Remote
from tests.cli.test_doing import CALL
from tests.looked_into import Program, hall, until

KITCHEN = """
@tool
async def nap():
    await asyncio.sleep(30)

@agent
async def reader(page):
    async with scope() as block:
        block.start(nap())

@agent
async def main():
    ready()
    await settle(reader(page) for page in range(2))

run(main(), runtime=Runtime(control=True))
"""


@pytest.fixture(autouse=True)
def place() -> Iterator[None]:
    with hall():
        yield


@pytest.mark.slow
def test_the_tree_shows_blocks_and_what_runs_in_them(capsys: pytest.CaptureFixture[str]) -> None:
    with Program(KITCHEN) as program, Remote(program.pid) as remote:
        assert until(lambda: remote.calls().total == 5)
        assert main(["tree"]) == 0  # the only one there is
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines[1:3]] == ["main", "└─ settle:0"]
    assert lines[2].endswith("2 calls")
    assert sorted(line.split("  ")[0] + line.split("  ")[1].strip() for line in lines if "reader[" in line)
    text = "\n".join(lines)
    assert text.count("scope:0  1 call") == 2
    assert text.count("sleeps, ") == 2
    assert "│  " in text


def drawn(*calls: object) -> list[str]:
    return list(_drawn(LiveCalls(1, 0.0, len(calls), calls, ())))  # type: ignore[arg-type]


def call(number: int, path: str, parent: int | None, children: int = 0) -> object:
    return CALL.__class__(
        **{name: getattr(CALL, name) for name in CALL.__slots__}
        | {"id": number, "path": path, "parent": parent, "children": children, "state": "ready"}
    )


def test_branches_and_what_is_hidden_are_drawn_in_place() -> None:
    lines = drawn(
        call(1, "a", None, 4), call(2, "a/b:0", 1, 1), call(3, "a/b:0/c:0", 2), call(4, "a/d:1", 1), call(5, "e", None)
    )  # fmt: skip
    assert [line.partition("  [")[0] for line in lines] == ["a", "├─ b:0", "│  └─ c:0", "├─ d:1", "└─ … 2 more", "e"]


def test_a_tree_of_any_depth_is_drawn() -> None:
    lines = drawn(*(call(number, "/".join("a" * number), number - 1 or None, 1) for number in range(1, 1500)))
    assert len(lines) == 1500
