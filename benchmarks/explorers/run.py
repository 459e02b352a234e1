"""linecook's search and those of simloom and frontrun, on the programs of tests/histories, side by side.

``python benchmarks/explorers/run.py [PROGRAM ...] [--peers PYTHON] [--results FILE] [--write]``

The peers want a Python of their own, 3.12 or later: ``uv venv peers``, ``uv pip install --python peers simloom
frontrun``, then ``--peers peers/bin/python``. Each program is tried in a process of its own, with every setting of the
explorer; the best one for *this* program counts, which nobody could know before. ``--results`` keeps what was measured,
and only what isn't in there is measured; ``--write`` puts the table on docs/explanation/what-the-search-promises.md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
sys.path[:0] = [str(ROOT)]

from benchmarks.explorers import table  # noqa: E402
from benchmarks.explorers.one import MARK  # noqa: E402
from tests.histories.expected import BUGS, CONTROLS  # noqa: E402

PAGE = ROOT / "docs" / "explanation" / "what-the-search-promises.md"
PATIENCE = 120.0  # seconds for all settings of an explorer on one program
Results = dict[str, dict[str, list[dict[str, Any]]]]


def measure(explorer: str, program: str, python: str) -> list[dict[str, Any]]:
    """Return what each setting of *explorer* said about *program*; what it didn't get to is missing."""
    # frontrun explores threads only below its own command, which patches locks before anything is imported.
    below = [str(Path(python).with_name("frontrun"))] if explorer == "frontrun" else []
    command = [*below, python, "-m", "benchmarks.explorers.one", explorer, program]
    paths = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    try:
        ran = subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": paths, "PYTHONHASHSEED": "0"},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        said = ran.stdout
    except subprocess.TimeoutExpired as late:
        said = late.stdout.decode() if isinstance(late.stdout, bytes) else late.stdout or ""
    return [json.loads(line.removeprefix(MARK)) for line in said.splitlines() if line.startswith(MARK)]


def measure_all(programs: Sequence[str], peers: str | None, keep: Path | None) -> Results:
    """Measure what *keep* doesn't hold yet."""
    results: Results = json.loads(keep.read_text()) if keep and keep.exists() else {}
    pythons = {"linecook": sys.executable, **({"simloom": peers, "frontrun": peers} if peers else {})}
    for explorer, python in pythons.items():
        of_it = results.setdefault(explorer, {})
        for program in programs:
            if program in of_it:
                continue
            of_it[program] = measure(explorer, program, python)
            print(f"{explorer} {program}: {table.cell(of_it[program])}", file=sys.stderr, flush=True)
            if keep:
                keep.write_text(json.dumps(results, indent=1))
    return results


def plain(programs: Sequence[str]) -> list[str]:
    """Return those of *programs* that use nothing of linecook but its stand-in: every explorer can run them."""
    return [name for name in programs if "from linecook import" not in source(name)]


def source(name: str) -> str:
    """Return the text of a program."""
    folder = "bugs" if name in BUGS else "controls"
    return (ROOT / "tests" / "histories" / folder / f"{name}.py").read_text()


def main(argv: Sequence[str]) -> None:
    """Measure, print, and write if asked to."""
    parser = argparse.ArgumentParser(prog="benchmarks/explorers/run.py")
    parser.add_argument("programs", nargs="*", help="programs of tests/histories; all plain asyncio ones by default")
    parser.add_argument("--peers", help="a Python that has simloom and frontrun")
    parser.add_argument("--results", type=Path, help="a file that keeps what was measured")
    parser.add_argument("--write", action="store_true", help="put the table on the page")
    chosen = parser.parse_args(argv)
    results = measure_all(chosen.programs or plain([*BUGS, *CONTROLS]), chosen.peers, chosen.results)
    text = table.page(results)
    print(text)
    if chosen.write:
        table.write(PAGE, text)


if __name__ == "__main__":
    main(sys.argv[1:])
