"""What ``linecook watch`` costs an unchanged program that does what agents do: 500 at once over real HTTP."""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]  # run as a program it is not found as benchmarks.rows.watch_http

from benchmarks.harness.meter import Meter, peak_memory_mb  # noqa: E402
from benchmarks.harness.row import Row, Target  # noqa: E402
from benchmarks.harness.server import model_server  # noqa: E402
from benchmarks.rows.http_agents import ask_model, look_up  # noqa: E402
from linecook.observe import Audit  # noqa: E402

FLEETS = 4  # crews in a wave, one after the other: a second or so, so that beginning and ending count for little
Timed = list[tuple[float, float]]  # wall and CPU seconds of each wave
Wave = Callable[[], Awaitable[Any]]

row = Row(
    title="linecook watch over an unchanged program: 500 agents, 2 model turns over HTTP, 2 sync tools on a pool of 64",
    base="plain",
    unit="agents",
    full={"agents": 500, "waves": 6},
    quick={"agents": 20, "waves": 1},
    units=lambda size: size["agents"] * FLEETS * size["waves"],
    targets=(
        Target("cpu_ratio", 1.03, 1.01, of="watched", at_most=True, says="CPU of a wave × unwatched"),
        Target("wall_ratio", 1.03, 1.01, of="watched", at_most=True, says="time of a wave × unwatched"),
        Target("cpu_ratio", 1.03, 1.01, of="light", at_most=True, says="CPU of a wave × unwatched, --light"),
    ),
    columns=("cpu_ratio", "wall_ratio", "wall_ms", "cpu_us", "rss_mb"),
    time_limit=120.0,
)


async def in_pairs(wave: Wave, waves: int, mode: str) -> dict[str, Any]:
    """Run *wave* again and again, every other time under the audit that the command makes; the first warms up.

    One process and one minute for both: between two processes on a shared machine lies more than what we measure.
    """
    timed: dict[str, Timed] = {"plain": [], "watched": []}
    answers = [await wave()]
    for number in range(2 * waves):
        side = "watched" if mode != "plain" and number % 4 in (1, 2) else "plain"  # off on on off
        audit = Audit(origins=mode == "origins", light=mode == "light")
        if side == "watched":
            audit.start()
        wall, cpu = time.perf_counter(), time.process_time()
        answers.append(await wave())
        timed[side].append((time.perf_counter() - wall, time.process_time() - cpu))
        audit.stop()
    return {"timed": timed, "answers": answers}


async def crew(agents: int, waves: int, mode: str, url: str) -> dict[str, Any]:
    """Send the crew over the server again and again."""
    import aiohttp

    loop, pool = asyncio.get_running_loop(), ThreadPoolExecutor(64)

    async def clerk(session: Any, number: int) -> int:
        first = await loop.run_in_executor(pool, look_up, await ask_model(session, url, number, 1))
        return first + await loop.run_in_executor(pool, look_up, await ask_model(session, url, number, 2))

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def wave() -> list[int]:
            fleets = [await asyncio.gather(*(clerk(session, n) for n in range(agents))) for _ in range(FLEETS)]
            return list(map(sum, zip(*fleets, strict=True)))

        return await in_pairs(wave, waves, mode)


def program(agents: int, waves: int, mode: str) -> dict[str, Any]:
    """Be the program that is watched."""
    with model_server() as url:
        return asyncio.run(crew(agents, waves, mode, url))


@row.verify
def check(said: dict[str, Any], agents: int, waves: int) -> str | None:
    """Each agent has what its two turns asked for, in every wave, and every wave was timed."""
    wanted = [FLEETS * ((n * 10 + 1 + 1) + (n * 10 + 2 + 1)) for n in range(agents)]
    return problem_of(said, wanted, waves)


def problem_of(said: dict[str, Any], wanted: Any, waves: int) -> str | None:
    """Say what is wrong with the answers or the times of a run; None: nothing."""
    answers, timed = said["answers"], said["timed"]
    if len(answers) != 2 * waves + 1 or any(answer != wanted for answer in answers):
        return f"{len(answers)} waves of {2 * waves + 1}, or wrong answers: {answers[:1]!s:.80}"
    if sum(map(len, timed.values())) != 2 * waves:
        return f"{ {side: len(times) for side, times in timed.items()} } waves were timed"
    return None


def run_program(file: str, size: dict[str, Any], *before: str) -> dict[str, Any]:
    """Run *file* as a program of its own, behind the words *before*, and return what it said.

    Raises:
      RuntimeError: it failed.
    """
    search = os.pathsep.join(filter(None, [str(ROOT), str(ROOT / "src"), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, *before, file, json.dumps(size)], cwd=ROOT, env={**os.environ, "PYTHONPATH": search},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"exit code {done.returncode}: {(done.stderr.strip().splitlines() or ['?'])[-1]}")
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def figures(meter: Meter, said: dict[str, Any], per_wave: int) -> None:
    """Hand over medians: a wave that the machine disturbed doesn't count."""
    sides: dict[str, Timed] = said["timed"]
    shown = sides["watched"] or sides["plain"]
    wall, cpu = zip(*shown, strict=True)
    meter.note(wall_ms=statistics.median(wall) * 1e3, cpu_us=statistics.median(cpu) / per_wave * 1e6)
    if sides["watched"]:
        pairs = list(zip(sides["watched"], sides["plain"], strict=True))
        meter.note(wall_ratio=statistics.median(on[0] / off[0] for on, off in pairs))
        meter.note(cpu_ratio=statistics.median(on[1] / off[1] for on, off in pairs))
    meter.note(rss_mb=said["rss_mb"])
    meter.answer(said)


def be(program: Callable[..., dict[str, Any]]) -> None:
    """Be the program: do what the command line asks for and say what came of it."""
    print(json.dumps(program(**json.loads(sys.argv[1])) | {"rss_mb": peak_memory_mb()}))


COMMAND = ("-m", "linecook", "watch", "--output", os.devnull)


@row.linecook
def watched(meter: Meter, agents: int, waves: int) -> None:
    figures(meter, run_program(__file__, {"agents": agents, "waves": waves, "mode": "watched"}), agents * FLEETS)


@row.linecook
def light(meter: Meter, agents: int, waves: int) -> None:
    figures(meter, run_program(__file__, {"agents": agents, "waves": waves, "mode": "light"}), agents * FLEETS)


@row.linecook
def origins(meter: Meter, agents: int, waves: int) -> None:
    figures(meter, run_program(__file__, {"agents": agents, "waves": waves, "mode": "origins"}), agents * FLEETS)


@row.stdlib
def plain(meter: Meter, agents: int, waves: int) -> None:
    figures(meter, run_program(__file__, {"agents": agents, "waves": waves, "mode": "plain"}), agents * FLEETS)


@row.linecook
def command(meter: Meter, agents: int, waves: int) -> None:
    figures(
        meter, run_program(__file__, {"agents": agents, "waves": waves, "mode": "plain"}, *COMMAND), agents * FLEETS
    )


if __name__ == "__main__":
    be(program)
