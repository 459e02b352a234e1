"""What linecook adds to a program's start."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

from benchmarks.harness.meter import Meter
from benchmarks.harness.row import Row, Target

row = Row(
    title="import linecook over import asyncio; linecook --help",
    base="import_concurrent_futures",
    full={"starts": 15},
    quick={"starts": 2},
    targets=(
        Target("more_ms", 25, 8, of="import_linecook", at_most=True, says="import linecook over import asyncio, ms"),
        Target("more_ms", 150, 100, of="linecook_help", at_most=True, says="linecook --help, ms"),
    ),
    columns=("more_ms", "modules"),
    time_limit=120.0,
)

# Timed inside the new interpreter: its own start, some 15 ms and noisy, stays out of the figure.
IMPORT = """
import sys, time, asyncio
before, start = len(sys.modules), time.perf_counter()
import {module}
print(time.perf_counter() - start, len(sys.modules) - before)
"""
Samples = list[tuple[float, float]]


@row.verify
def check(samples: Samples, starts: int) -> str | None:
    """As many starts as asked, each of them took time."""
    if len(samples) != starts or min(seconds for seconds, _ in samples) <= 0:
        return f"{len(samples)} starts of {starts}: {samples}"
    return None


def starts_of(meter: Meter, starts: int, start: Callable[[], tuple[float, float]]) -> None:
    """Start again and again; the first one only writes the bytecode."""
    start()
    samples = [start() for _ in range(starts)]
    meter.note(more_ms=statistics.median(seconds for seconds, _ in samples) * 1000, modules=samples[0][1])
    meter.answer(samples)


def fresh(command: Sequence[str]) -> str:
    """Run a new interpreter and return what it printed.

    Raises:
      ModuleNotFoundError: what it was to import isn't installed.
      RuntimeError: it failed otherwise.
    """
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False)
    last = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
    if last[0].startswith("ModuleNotFoundError"):
        raise ModuleNotFoundError(last[0], name=last[0].split("'")[1])
    if done.returncode:
        raise RuntimeError(last[0])
    return done.stdout


def imported(module: str) -> tuple[float, float]:
    """Import *module* over asyncio in a new interpreter: seconds, and modules it brought."""
    seconds, modules = fresh(["-c", IMPORT.format(module=module)]).split()
    return float(seconds), float(modules)


@row.linecook
def import_linecook(meter: Meter, starts: int) -> None:
    starts_of(meter, starts, lambda: imported("linecook"))


@row.linecook
def linecook_help(meter: Meter, starts: int) -> None:
    # The console script's own two lines, from its entry point, so that it runs where linecook isn't installed.
    script = "import sys; from linecook.cli.main import main; sys.exit(main())"

    def start() -> tuple[float, float]:
        begun = time.perf_counter()
        text = fresh(["-c", script, "--help"])
        seconds = time.perf_counter() - begun
        assert "run" in text, f"no help in {text[:80]!r}"
        return seconds, 0.0

    starts_of(meter, starts, start)


@row.stdlib
def import_concurrent_futures(meter: Meter, starts: int) -> None:
    starts_of(meter, starts, lambda: imported("concurrent.futures.process"))


@row.peer("anyio")
def import_anyio(meter: Meter, starts: int) -> None:
    starts_of(meter, starts, lambda: imported("anyio"))


@row.peer("trio")
def import_trio(meter: Meter, starts: int) -> None:
    starts_of(meter, starts, lambda: imported("trio"))


@row.peer("aiohttp")
def import_aiohttp(meter: Meter, starts: int) -> None:
    starts_of(meter, starts, lambda: imported("aiohttp"))
