# pyright: basic, reportMissingImports=false
"""Both strict checkers find nothing in the package and in this folder, and find the forgotten ``await``."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.blocks import ROOT
from tests.checkers import mypy, pyright

Check = Callable[[Sequence[Path]], str]
BOTH = pytest.mark.parametrize("check", [mypy, pyright], ids=["mypy", "pyright"])


@BOTH
@pytest.mark.slow
@pytest.mark.timeout(170)
def test_the_package_and_its_uses_are_strictly_typed(check: Check) -> None:
    complaints = check([ROOT / "src", Path(__file__).parent])
    assert not complaints, complaints


FORGOTTEN = """\
from linecook import agent, gather, tool


@tool
def fetch(url: str) -> str:
    return url


@agent
async def read(url: str) -> str:
    return await fetch(url)


class Desk:
    @tool
    def sort(self, paper: str) -> str:
        return paper


async def main(desk: Desk) -> None:
    fetch("forgotten")  # reported
    read("forgotten")  # reported
    desk.sort("forgotten")  # reported
    fetch.options(timeout=3)("forgotten")  # reported
    gather(read("forgotten"))  # reported
    await fetch("awaited")
    await desk.sort("awaited")
"""


@BOTH
@pytest.mark.slow
@pytest.mark.timeout(170)
def test_a_forgotten_await_is_reported(check: Check, tmp_path: Path) -> None:
    page = tmp_path / "forgotten.py"
    page.write_text(FORGOTTEN)
    complaints = check([page]).splitlines()
    word = "unused-coroutine" if check is mypy else "reportUnusedCoroutine"
    told = {int(line.split(".py:")[1].split(":")[0]) for line in complaints if word in line}
    lines = enumerate(FORGOTTEN.splitlines(), 1)
    assert told == {number for number, line in lines if line.endswith("# reported")}, complaints
