"""The worst case for ``linecook watch``: an unchanged program that does nothing but make tasks."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[2])]  # run as a program it is not found as benchmarks.rows.watch_spawn

from benchmarks.harness.meter import Meter  # noqa: E402
from benchmarks.harness.row import Row, Target  # noqa: E402
from benchmarks.rows.watch_http import COMMAND, be, figures, in_pairs, problem_of, run_program  # noqa: E402

row = Row(
    title="linecook watch over an unchanged program that only spawns: 20,000 tasks at once, one sleep(0) each",
    base="plain",
    unit="tasks",
    full={"tasks": 20_000, "waves": 25},
    quick={"tasks": 1_000, "waves": 2},
    units=lambda size: size["tasks"] * size["waves"],
    targets=(
        Target("cpu_ratio", 1.35, 1.20, of="watched", at_most=True, says="CPU of a wave × unwatched"),
        Target("wall_ratio", 1.35, 1.20, of="watched", at_most=True, says="time of a wave × unwatched"),
        Target("cpu_ratio", 1.35, 1.20, of="light", at_most=True, says="CPU of a wave × unwatched, --light"),
    ),
    columns=("cpu_ratio", "wall_ratio", "wall_ms", "cpu_us", "rss_mb"),
    losing="Each task is asked who made it, through four frames under gather; the collector passes over that, too.",
)


async def one(number: int) -> int:
    """Do as little as a task can."""
    await asyncio.sleep(0)
    return number


async def crew(tasks: int, waves: int, mode: str) -> dict[str, Any]:
    """Spawn again and again."""

    async def wave() -> int:
        return sum(await asyncio.gather(*(one(n) for n in range(tasks))))

    return await in_pairs(wave, waves, mode)


@row.verify
def check(said: dict[str, Any], tasks: int, waves: int) -> str | None:
    """Every task of every wave ran, and every wave was timed."""
    return problem_of(said, tasks * (tasks - 1) // 2, waves)


@row.linecook
def watched(meter: Meter, tasks: int, waves: int) -> None:
    figures(meter, run_program(__file__, {"tasks": tasks, "waves": waves, "mode": "watched"}), tasks)


@row.linecook
def light(meter: Meter, tasks: int, waves: int) -> None:
    figures(meter, run_program(__file__, {"tasks": tasks, "waves": waves, "mode": "light"}), tasks)


@row.linecook
def origins(meter: Meter, tasks: int, waves: int) -> None:
    figures(meter, run_program(__file__, {"tasks": tasks, "waves": waves, "mode": "origins"}), tasks)


@row.stdlib
def plain(meter: Meter, tasks: int, waves: int) -> None:
    figures(meter, run_program(__file__, {"tasks": tasks, "waves": waves, "mode": "plain"}), tasks)


@row.linecook
def command(meter: Meter, tasks: int, waves: int) -> None:
    figures(meter, run_program(__file__, {"tasks": tasks, "waves": waves, "mode": "plain"}, *COMMAND), tasks)


if __name__ == "__main__":
    be(lambda **size: asyncio.run(crew(**size)))
