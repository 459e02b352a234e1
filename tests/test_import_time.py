"""``import linecook`` brings in what it needs and no more. Counted in modules; milliseconds are for the benchmarks."""

import subprocess
import sys

import pytest

# Dependencies, and parts of the standard library that cost milliseconds: each waits for the first call that needs it.
LATER = """
    msgspec rich cloudpickle uvloop
    multiprocessing concurrent.futures.process sqlite3 argparse importlib.metadata unittest pdb doctest
    http urllib.request email xml json decimal statistics pydoc ctypes
""".split()


@pytest.mark.parametrize(
    "code", ["import linecook", "import linecook.errors", "from linecook import *"], ids=["menu", "errors", "star"]
)
def test_importing_brings_in_nothing_that_is_not_needed_yet(code: str, environment: dict[str, str]) -> None:
    brought = brought_in_by(code, environment)
    assert "linecook" in brought
    assert sorted(set(LATER) & brought) == []
    assert sorted(name for name in brought if top(name) not in sys.stdlib_module_names | {"linecook"}) == []


def test_the_standard_library_is_taken_in_small_portions(environment: dict[str, str]) -> None:
    brought = {name for name in brought_in_by("import linecook", environment) if top(name) != "linecook"}
    assert len(brought) <= 25, f"{len(brought)} modules beyond asyncio's: {', '.join(sorted(brought))}"


def test_no_guest_no_command_line_no_test_room_comes_along(environment: dict[str, str]) -> None:
    rooms = {
        name.split(".")[1] for name in brought_in_by("import linecook", environment) if name.startswith("linecook.")
    }
    assert rooms & {"cli", "integrations", "testing", "__main__"} == set()


def brought_in_by(code: str, environment: dict[str, str]) -> set[str]:
    """The modules that *code* loads in a fresh interpreter, beyond those of ``import asyncio``."""
    script = f"import sys, asyncio; before = set(sys.modules)\n{code}\nprint(*(set(sys.modules) - before), sep='\\n')"
    ran = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=30, check=True
    )
    return set(ran.stdout.split())


def top(name: str) -> str:
    return name.partition(".")[0]
